"""Install what pip cannot bring: `python -m tests.services.install`. Never fails; it says what is missing."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

from tests.services.browser import chromium_path
from tests.services.redis_server import redis_path

APT_SECONDS = 900


def main() -> None:
    """Install what is missing where apt-get and root allow it; say loudly what stays missing."""
    packages = missing_packages()
    if not packages:
        return
    for problem in apt_install(packages):
        print(problem, file=sys.stderr)
    if chromium_path() is None:
        announce("THE BROWSER TESTS WILL NOT RUN.", "No Chromium is here.", "chromium")
    if not has_redis():
        announce("THE REDIS TESTS WILL NOT RUN.", "No redis-server is here.", "redis-server")


def missing_packages() -> list[str]:
    """The Debian packages that this machine still needs."""
    packages = []
    if chromium_path() is None:
        packages += ["chromium", "fonts-liberation"]
    if not has_redis():
        packages += ["redis-server"]
    return packages


def has_redis() -> bool:
    """Whether the tests will find a Redis."""
    return bool(os.environ.get("TEST_REDIS_URL") or redis_path())


def apt_install(packages: list[str]) -> list[str]:
    """Install Debian packages, each for itself; return a sentence for everything that did not work."""
    wanted = ", ".join(packages)
    if not shutil.which("apt-get"):
        return [f"Not installed: {wanted}. This machine has no apt-get."]
    if os.geteuid() != 0:
        return [f"Not installed: {wanted}. Only root can."]
    log = Path(tempfile.mkdtemp(prefix="install-")) / "apt.log"
    print(f"Installing {wanted} with apt-get (log: {log}) ...", flush=True)
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends"]
    commands = [["apt-get", "update", "-qq"], *([*install, package] for package in packages)]
    with log.open("wb") as output:
        return [f"`{' '.join(command)}` failed; see {log}." for command in commands if not runs(command, output)]


def runs(command: list[str], output: BinaryIO) -> bool:
    """Run a command that asks nothing; return whether it succeeded in time."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT}
    try:
        return subprocess.run(command, env=environment, timeout=APT_SECONDS, **options).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def announce(consequence: str, cause: str, package: str) -> None:
    """Print several lines that nobody overlooks."""
    bar = "!" * 78
    remedy = f"Install it (Debian: apt-get install {package}) and run `make test` again."
    lines = [consequence, f"{cause} {remedy}", "The other tests run."]
    print("\n".join(["", bar, *(f"!!  {line}" for line in lines), bar, ""]), file=sys.stderr)


if __name__ == "__main__":
    main()
