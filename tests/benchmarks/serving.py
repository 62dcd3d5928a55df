"""Starts gunicorn, and what it stands on, for a benchmark; reads how much CPU its worker has used."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from sqlalchemy.exc import OperationalError

from tests.benchmarks import CannotMeasure
from tests.services import ServiceUnavailable, free_port
from tests.services.postgres import create_database, drop_database, postgres

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30


def production(folder: Path) -> dict[str, str]:
    """An environment as on a dyno with its router in front, on a SQLite database in `folder`."""
    keep = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    return keep | {
        "ENVIRONMENT": "production",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "PASSWORD_PEPPER": secrets.token_urlsafe(24),
        "BASE_URL": "https://bench.example.com",
        "PROXY_HOPS": "1",
        "DATABASE_URL": f"sqlite:///{folder}/bench.db",
        "INSTANCE_PATH": str(folder),
        "BLUEPRINTS": os.environ.get("BLUEPRINTS", "health,auth,teams,metrics"),
    }


def migrate(environ: dict[str, str]) -> None:
    """Bring the database up to date."""
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "db", "upgrade", "heads"]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotMeasure(f"The database cannot be migrated:\n{done.stderr or done.stdout}")


def make_account(environ: dict[str, str], email: str, password: str) -> None:
    """Make a verified account; the only one without a mail is an administrator."""
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "users", "create-admin", email]
    done = subprocess.run(command, cwd=ROOT, env=environ, input=password, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotMeasure(f"The account cannot be made:\n{done.stderr or done.stdout}")


@contextmanager
def databases(number: int) -> Iterator[list[str]]:
    """The addresses of so many empty databases on PostgreSQL.

    On SQLite several processes would measure its one write lock: each try of a password is counted there.
    :raises CannotMeasure: there is no PostgreSQL.
    """
    with ExitStack() as stack:
        try:
            server = stack.enter_context(postgres())
            urls = [create_database(server.url) for _ in range(number)]
        except (ServiceUnavailable, OperationalError) as error:
            raise CannotMeasure(str(error)) from None
        for url in urls:
            stack.callback(drop_database, url)
        yield urls


@dataclass(frozen=True)
class Server:
    """A running gunicorn with one worker."""

    port: int
    worker_pid: int
    output: Path  # its stdout: the log lines

    def cpu_seconds(self) -> float:
        """User and system time of the worker so far, all threads, to the nanosecond."""
        # The CPU clock of another process, as clock_getcpuclockid(3) makes it on Linux.
        return time.clock_gettime((~self.worker_pid << 3) | 2)


def processors() -> list[int]:
    """The processors that we may use.

    Servers take the first and the client the last. Left free, gunicorn's two threads sometimes run side by
    side and fight for the interpreter lock, and a request then costs twice as much.
    """
    if not hasattr(os, "sched_getaffinity"):
        raise CannotMeasure("Processes cannot be held on one processor here; this needs Linux.")
    return sorted(os.sched_getaffinity(0))


@contextmanager
def on_last_processor() -> Iterator[None]:
    """Hold this process on the last processor."""
    before = processors()
    os.sched_setaffinity(0, before[-1:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def gunicorn(name: str, target: str, config: str, environ: dict[str, str], folder: Path) -> Iterator[Server]:
    """Serve `target` with one worker and one thread, on the first processor."""
    first = processors()[0]
    with listening(name, target, config, environ, folder, 1, 1, processor=first) as (port, process):
        yield Server(port, worker_of(process), folder / f"{name}.log")


@contextmanager
def listening(
    name: str,
    target: str,
    config: str,
    environ: dict[str, str],
    folder: Path,
    workers: int,
    threads: int,
    *,
    processor: int | None = None,
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Serve `target`; yields the port and gunicorn's master. Its log lines go to `<name>.log` in `folder`."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-c", config, "--bind", f"127.0.0.1:{port}"]
    command += ["--workers", str(workers), "--threads", str(threads), "--max-requests", "0", target]
    with (folder / f"{name}.log").open("w") as stdout, (folder / f"{name}.err").open("w") as stderr:
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=stdout, stderr=stderr)
    if processor is not None:
        os.sched_setaffinity(process.pid, {processor})  # the workers inherit it
    try:
        wait_until_it_listens(process, port, folder / f"{name}.err")
        yield port, process
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def wait_until_it_listens(process: subprocess.Popen[bytes], port: int, errors: Path) -> None:
    """Return once the worker has answered.

    :raises CannotMeasure: gunicorn ended, or takes too long.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
            connection.request("GET", "/health/live")
            connection.getresponse().read()
            connection.close()
            return
        except OSError:
            time.sleep(0.05)
    raise CannotMeasure(f"gunicorn did not start:\n{errors.read_text()}")


def worker_of(process: subprocess.Popen[bytes]) -> int:
    """The process id of gunicorn's one worker."""
    try:
        return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
    except OSError:
        raise CannotMeasure("CPU time of another process is read from Linux's /proc, and there is none here.") from None
