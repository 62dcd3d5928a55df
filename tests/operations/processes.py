"""Processes under test: each in a session of its own, its output kept, and none left behind."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.settings import ROOT
from tests.live import PROGRAMS, surroundings
from tests.services import free_port

START_SECONDS = 60
STOP_SECONDS = 30

# What production asks for beside a database. Links and cookies are those of localhost.
PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "a secret key of the tests: 0123456789",
    "PASSWORD_PEPPER": "a pepper of the tests: 0123456789",
}


@dataclass
class Running:
    """A process that leads its own group."""

    process: subprocess.Popen[bytes]
    folder: Path
    port: int = 0

    @property
    def stdout(self) -> str:
        return (self.folder / "stdout").read_text()

    @property
    def stderr(self) -> str:
        return (self.folder / "stderr").read_text()

    @property
    def said(self) -> str:
        return f"{self.stdout}\n{self.stderr}"

    def tell_all(self, number: signal.Signals) -> None:
        """Signal the whole group, as a terminal does for Ctrl-C and a platform for SIGTERM."""
        os.killpg(self.process.pid, number)

    def end(self) -> int:
        """Wait for the leader to exit; returns its code."""
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"It did not stop:\n{self.said}") from None

    def is_gone(self) -> bool:
        """Whether no process of the group is left."""
        return is_gone(self.process.pid)

    def call(self, method: str, path: str, **more: Any) -> "Reply":
        return call(self.port, method, path, **more)


@dataclass(frozen=True)
class Reply:
    """What came back over HTTP."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Session:
    """A client that keeps its cookies, whatever they say of https: these tests speak plain http to localhost."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, **more: Any) -> Reply:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        reply = call(self.port, method, path, headers=headers | more.pop("headers", {}), **more)
        for line in reply.headers.get_all("Set-Cookie") or ():
            name, _, rest = line.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        return reply


def call(
    port: int,
    method: str,
    path: str,
    *,
    data: Any = None,
    form: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """One request, on a connection of its own: `data` goes as JSON, `form` as a form."""
    from urllib.parse import urlencode

    sent, body = dict(headers or {}), None
    if data is not None:
        body, sent["Content-Type"] = json.dumps(data), "application/json"
    if form is not None:
        body, sent["Content-Type"] = urlencode(form), "application/x-www-form-urlencoded"
    connection = http.client.HTTPConnection("localhost", port, timeout=30)
    with contextlib.closing(connection):
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read())


@contextlib.contextmanager
def running(
    command: str | list[str], environ: Mapping[str, str], folder: Path, *, cwd: Path = ROOT, typed: str = ""
) -> Iterator[Running]:
    """Start a command (a text goes through a shell) in a group of its own; at the end the group is killed."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stdin").write_text(typed)
    values = clean(environ)
    with (
        (folder / "stdin").open("rb") as given,
        (folder / "stdout").open("wb") as out,
        (folder / "stderr").open("wb") as err,
    ):
        words = ["bash", "-c", command] if isinstance(command, str) else command
        process = subprocess.Popen(
            words, cwd=cwd, env=values, stdin=given, stdout=out, stderr=err, start_new_session=True
        )
    try:
        yield Running(process, folder, int(values.get("PORT", "0")))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def serving(
    environ: Mapping[str, str], folder: Path, command: str | list[str] | None = None, *, cwd: Path = ROOT
) -> Iterator[Running]:
    """Yield a service that answers, as Procfile starts it or by another command; its database is migrated."""
    with running(command or procfile("web"), on_a_port(environ), folder, cwd=cwd) as web:
        wait_until_serving(web)
        yield web


def wait_until_serving(web: Running) -> None:
    def answers() -> bool:
        assert web.process.poll() is None, f"It ended with {web.process.returncode}:\n{web.said}"
        return is_open(web.port)

    eventually(answers, lambda: f"It does not answer:\n{web.said}", START_SECONDS)


def on_a_port(environ: Mapping[str, str]) -> dict[str, str]:
    """The same environment, with a port of its own unless it has one, and links that go there."""
    port = environ.get("PORT") or str(free_port())
    return {"BASE_URL": f"http://localhost:{port}", "PORT": port} | dict(environ)


def clean(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment with our programs first in PATH, and nothing of whoever runs the tests."""
    values = surroundings(environ)
    path = f"{PROGRAMS}{os.pathsep}{values.get('PATH', '')}"
    return values | {"PATH": path, "no_proxy": "localhost,127.0.0.1"}


def run(command: str, environ: Mapping[str, str], *, cwd: Path = ROOT, typed: str = "") -> Any:
    """Run a command line of a shell to its end."""
    return subprocess.run(
        ["bash", "-c", command], cwd=cwd, env=clean(environ), input=typed, capture_output=True, text=True, check=False
    )


def procfile(name: str) -> str:
    """The command of a process in Procfile."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines if line)[name]


def eventually(
    happens: Callable[[], Any], otherwise: Callable[[], str] = lambda: "It did not happen.", seconds: float = 30
) -> Any:
    """Wait for something to be true; the time is only how long a broken program is waited for."""
    deadline = time.monotonic() + seconds
    while not (found := happens()):
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.05)
    return found


def is_open(port: int) -> bool:
    """Whether something answers HTTP at all."""
    try:
        return call(port, "GET", "/health/live").status > 0
    except (OSError, http.client.HTTPException):
        return False


def is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False
