"""gunicorn as Procfile starts it: what it prints, how it stops, what it takes from its settings, how it refuses."""

import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.operations.processes import PRODUCTION, Running, eventually, procfile, run, serving

TOKEN = "a-mailed-token-that-nobody-may-read"
NO_DATABASE = "no database takes part"
PROBE = {"BLUEPRINTS": "health,tests.operations.probe"}


@pytest.fixture
def environ(migrated: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """Production, with the probe."""
    settings = {"BCRYPT_COST": "10", "PROBE_FOLDER": str(tmp_path), "HOME": str(tmp_path / "home")}
    (tmp_path / "home").mkdir()
    return migrated | PRODUCTION | settings


@pytest.mark.parametrize("guarded", [True, False])
def test_no_path_and_no_token_is_printed(environ, tmp_path, guarded):
    """The platform sets GUNICORN_CMD_ARGS, which would turn on a log of its own with every link."""
    platform = {"GUNICORN_CMD_ARGS": "--access-logfile -"}
    command = procfile("web") if guarded else procfile("web").removeprefix("env -u GUNICORN_CMD_ARGS ")
    with serving(environ | platform, tmp_path, command) as web:
        web.call("GET", f"/auth/reset-password?token={TOKEN}")
        web.call("GET", f"/team/invite/{TOKEN}")
        web.call("GET", f"/no/such/page/{TOKEN}")
        web.tell_all(signal.SIGTERM)
        web.end()
    assert '"route":"/auth/reset-password"' in web.stdout
    assert ("GET /" in web.said, TOKEN in web.said) == (not guarded, not guarded)


@pytest.mark.sqlite_only(NO_DATABASE)
def test_it_leaves_no_control_socket(environ, tmp_path):
    with serving(environ, tmp_path):
        assert list((tmp_path / "home").rglob("*")) == []


@pytest.mark.sqlite_only(NO_DATABASE)
def test_only_the_proxys_own_header_names_the_client(environ, tmp_path):
    """The proxy adds the last address of X-Forwarded-For; what else a client sends is not believed."""
    shown = {}
    with serving(environ | PROBE | {"PROXY_HOPS": "1"}, tmp_path) as web:
        for name in ("X-Forwarded-For", "X_Forwarded_For", "X_FORWARDED_FOR", "x_forwarded-for"):
            reply = web.call("GET", "/health/live", headers={name: "198.51.100.66, 203.0.113.9"})
            line = re.search(f'"request_id":"{reply.headers["X-Request-ID"]}".*"ip":"([^"]*)"', web.stdout)
            assert line
            shown[name] = line[1]
    assert shown.pop("X-Forwarded-For") == "203.0.113.9"
    assert not {"198.51.100.66", "203.0.113.9"} & set(shown.values())


@pytest.mark.sqlite_only(NO_DATABASE)
def test_nobody_moves_the_application_by_a_header(environ, tmp_path):
    """The platform tells gunicorn to believe every client, who could then send a SCRIPT_NAME."""
    with serving(environ | PROBE | {"FORWARDED_ALLOW_IPS": "*"}, tmp_path) as web:
        for name in ("SCRIPT_NAME", "PATH_INFO", "Script-Name"):
            assert web.call("GET", "/health/live", headers={name: "/elsewhere"}).status == 200
            assert web.call("GET", "/elsewhere/health/live", headers={name: "/elsewhere"}).status == 404


@pytest.mark.sqlite_only(NO_DATABASE)
@pytest.mark.parametrize("hops", ["0", "1"])
def test_https_is_what_the_counted_proxy_says(environ, tmp_path, hops):
    public = {"BASE_URL": "https://app.example.com", "PROXY_HOPS": hops, "FORWARDED_ALLOW_IPS": "*"}
    with serving(environ | public, tmp_path) as web:
        asked = {"Host": "app.example.com"}
        plain = web.call("GET", "/auth/sign-in", headers=asked)
        assert plain.status == (200 if hops == "0" else 308)
        assert web.call("GET", "/auth/sign-in", headers=asked | {"X-Forwarded-Proto": "https"}).status == 200


@pytest.mark.parametrize("everyone", [False, True], ids=["master", "whole-group"])
def test_sigterm_lets_a_request_finish(environ, tmp_path, everyone):
    with serving(environ | PROBE, tmp_path) as web:
        waiting = Waiting(web)
        with ExitStack() as late:
            halves = iter([late.enter_context(half_a_request(web, "/health/ready")) for _ in range(15)])
            if everyone:
                web.tell_all(signal.SIGTERM)
            else:
                web.process.send_signal(signal.SIGTERM)
            eventually(lambda: "Handling signal: term" in web.stderr)
            answers: list[str] = []
            eventually(lambda: is_draining(halves, answers), lambda: f"{answers}\n{web.said}")
        (tmp_path / "go").touch()
        assert waiting.answer() == (200, b"finished")
        assert web.end() == 0
        eventually(web.is_gone)
    assert "Traceback" not in web.said


def test_ctrl_c_stops_everything(environ, tmp_path):
    with serving(environ | {"WEB_CONCURRENCY": "2"}, tmp_path) as web:
        web.tell_all(signal.SIGINT)
        assert web.end() == 0
        eventually(web.is_gone)
        assert not accepts(web.port)
    assert "Traceback" not in web.said
    assert "SIGKILL" not in web.said


def test_workers_and_threads_come_from_the_settings(environ, tmp_path):
    ours = {"WEB_CONCURRENCY": "3", "WEB_THREADS": "5"}
    printed = run(f"{procfile('web')} --print-config", environ | ours | {"BASE_URL": "http://localhost"}).stdout
    options = dict(re.findall(r"^(\w+) += (.*)$", printed, re.MULTILINE))
    assert (options["workers"], options["threads"]) == ("3", "5")
    with serving(environ | PROBE | ours, tmp_path) as web:
        assert web.stderr.count("Booting worker") == 3


INTEGER = "Input should be a valid integer, unable to parse string as an integer"
MISTAKES = {
    "missing": (
        {"SECRET_KEY": "", "BASE_URL": ""},
        "Configuration error: SECRET_KEY is required; BASE_URL is required",
    ),
    "weak": ({"SECRET_KEY": "x" * 40}, "Configuration error: SECRET_KEY must be 32 or more random characters"),
    "not-a-number": ({"WEB_THREADS": "many"}, f"Configuration error: WEB_THREADS: {INTEGER}"),
    "port": ({"PORT": "http"}, f"Configuration error: PORT: {INTEGER}"),
    "not-https": (
        {"BASE_URL": "http://app.example.com"},
        "Configuration error: BASE_URL must be https in production",
    ),
    "setting-of-a-blueprint": (
        {"LIMIT_SIGN_IN_IP": "off"},
        "Configuration error: LIMIT_SIGN_IN_IP: off is not allowed in production",
    ),
    "unknown-blueprint": (
        {"BLUEPRINTS": "health,nothing"},
        "BLUEPRINTS: there is no blueprint 'nothing'; shipped are health, auth, teams, metrics",
    ),
    "unknown-module": ({"BLUEPRINTS": "mycompany.gone"}, "BLUEPRINTS: there is no module 'mycompany.gone'"),
    "not-a-plugin": ({"BLUEPRINTS": "tests.operations"}, "BLUEPRINTS: 'tests.operations' has no `plugin`"),
    "missing-requirement": ({"BLUEPRINTS": "health,teams"}, "BLUEPRINTS: 'teams' requires 'auth' before it"),
    "twice": ({"BLUEPRINTS": "health,health"}, "BLUEPRINTS: 'health' is named twice"),
}


@pytest.mark.sqlite_only(NO_DATABASE)
@pytest.mark.parametrize("command", [procfile("web"), procfile("release")], ids=["web", "release"])
@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_one_line_and_exit_code_1(mistake, command, tmp_path):
    values, expected = mistake
    valid = {
        "BASE_URL": "http://localhost",
        "INSTANCE_PATH": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path}/a.db",
    }
    done = run(command, PRODUCTION | valid | values)
    said = [line for line in done.stderr.splitlines() if "[INFO] Starting gunicorn" not in line]
    assert (done.returncode, said, done.stdout) == (1, [expected], "")


class Waiting:
    """A request that has begun, and is answered once the probe may go on."""

    def __init__(self, web: Running) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.thread = threading.Thread(target=self._ask, args=(web,))
        self.thread.start()
        eventually(lambda: list(web.folder.glob("begun-*")), lambda: web.said)

    def _ask(self, web: Running) -> None:
        reply = web.call("GET", "/probe/wait")
        self.answers.append((reply.status, reply.body))

    def answer(self) -> tuple[int, bytes]:
        self.thread.join()
        return self.answers[0]


def half_a_request(web: Running, path: str) -> socket.socket:
    """A connection that the worker has taken up, with a request whose last line is still missing."""
    connection = socket.create_connection(("localhost", web.port), timeout=30)
    connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n".encode())
    return connection


def is_draining(halves: Iterator[socket.socket], answers: list[str]) -> bool:
    """Whether the next of the requests that had begun is told to go elsewhere."""
    half = next(halves, None)
    assert half is not None, answers
    answers.append(finish(half).partition("\r\n")[0])
    time.sleep(0.2)
    return answers[-1].startswith("HTTP/1.1 503 ")


def finish(connection: socket.socket) -> str:
    connection.sendall(b"\r\n")
    return connection.recv(65536).decode()


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("localhost", port), timeout=5).close()
    except OSError:
        return False
    return True
