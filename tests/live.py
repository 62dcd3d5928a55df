"""The real service for the tests: gunicorn as `make run` starts it, on a migrated database of its own."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from dotenv import dotenv_values

from config.settings import ROOT
from tests.services import free_port

PROGRAMS = Path(sys.executable).parent
START_SECONDS = 30
STOP_SECONDS = 30


@dataclass(frozen=True)
class Live:
    """A service that answers: its address, its process, its log so far, and the environment it runs in."""

    base_url: str
    process: subprocess.Popen[bytes]
    log: Path
    environ: dict[str, str]


@contextlib.contextmanager
def serve(environ: Mapping[str, str], log: Path) -> Iterator[Live]:
    """Yield the service once it is alive; its database must be migrated. It must end well on SIGTERM."""
    port = free_port()
    values = surroundings(environ) | {"PORT": str(port)}
    command = [PROGRAMS / "gunicorn", "-c", "config/gunicorn.py", "wsgi:app"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=values, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        wait_until_alive(process, port, log)
        yield Live(f"http://localhost:{port}", process, log, values)
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS) == 0, log.read_text()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def surroundings(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process under test: nothing of a developer's own settings.

    An empty variable counts as absent, and hides what `.env` says.
    """
    ours = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return dict.fromkeys(dotenv_values(ROOT / ".env"), "") | ours | {"ENVIRONMENT": "development"} | dict(environ)


def flask(environ: Mapping[str, str], *words: str, typed: str = "") -> str:
    """Run `flask …` in the environment of a service; return what it printed."""
    command = [PROGRAMS / "flask", *words]
    done = subprocess.run(
        command, cwd=ROOT, env=surroundings(environ), input=typed, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def wait_until_alive(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, f"gunicorn ended with {process.returncode}:\n{log.read_text()}"
        if is_alive(port):
            return
        time.sleep(0.05)
    raise AssertionError(f"gunicorn did not answer:\n{log.read_text()}")


def is_alive(port: int) -> bool:
    """Whether /health/live answers 200; no proxy is asked."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/health/live")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


@pytest.fixture(scope="session")
def live(new_database: Callable[[], str], workplace: Path) -> Iterator[Live]:
    """One service for the browser and for the documentation, with nobody in it; nothing in it may fail."""
    environ = {
        "DATABASE_URL": new_database(),
        "INSTANCE_PATH": str(workplace / "live"),
        "BCRYPT_COST": "4",
        # All tests come from one address.
        "LIMIT_SIGN_IN_IP": "off",
        "LIMIT_SIGN_UP_IP": "off",
        "LIMIT_MAIL_IP": "off",
    }
    flask(environ, "db", "upgrade", "heads")
    with serve(environ, workplace / "live.log") as running:
        yield running
        assert "request_failed" not in running.log.read_text()
