"""What a request costs: `/health/live` of the whole application beside bare Flask that returns the same JSON."""

import json
import socket
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks import CannotMeasure, Figure, compare
from tests.benchmarks.serving import Server, gunicorn, migrate, on_last_processor, production

CONNECTIONS = 8
REQUEST = (
    b"GET /health/live HTTP/1.1\r\n"
    b"Host: bench.example.com\r\n"
    b"User-Agent: bench\r\n"
    b"Accept: */*\r\n"
    b"X-Forwarded-For: 203.0.113.7\r\n"
    b"X-Forwarded-Proto: https\r\n"
    b"\r\n"
)
EXPECTED = {"status": "healthy"}


def measure(*, quick: bool = False) -> list[Figure]:
    """CPU per request and requests per second, from pairs of rounds that take turns.

    :raises CannotMeasure: a server does not start, or does not answer as it should.
    """
    rounds, requests = (10, 200) if quick else (100, 200)  # short ones: a pair should meet the same machine
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        folder = Path(name)
        environ = production(folder)
        migrate(environ)
        full = stack.enter_context(gunicorn("full", "wsgi:app", "config/gunicorn.py", environ, folder))
        bare_files = ("tests.benchmarks.bare:app", "tests/benchmarks/bare.py")
        bare = stack.enter_context(gunicorn("bare", *bare_files, environ, folder))
        clients = {server: stack.enter_context(Client(server.port)) for server in (full, bare)}
        stack.enter_context(on_last_processor())
        for server in (full, bare):
            run(server, clients[server], 500)
        figures: dict[Server, list[tuple[float, float]]] = {full: [], bare: []}
        for number in range(rounds):
            for server in (full, bare) if number % 2 else (bare, full):
                figures[server].append(run(server, clients[server], requests))
        check_log(full, 500 + rounds * requests)
    cpu, speed = ({server: [pair[part] for pair in figures[server]] for server in figures} for part in (0, 1))
    return [
        compare("CPU per request", "µs", cpu[full], cpu[bare], at_most=1.35),
        compare("Requests per second", "/s", speed[full], speed[bare], at_least=0.80),
    ]


def run(server: Server, client: "Client", requests: int) -> tuple[float, float]:
    """Microseconds of CPU per request, and requests per second."""
    cpu, wall = server.cpu_seconds(), time.perf_counter()
    client.send(requests)
    return (server.cpu_seconds() - cpu) / requests * 1e6, requests / (time.perf_counter() - wall)


def check_log(server: Server, requests: int) -> None:
    """The service must have done its whole work: a log line for every request."""
    lines = sum(json.loads(line).get("event") == "request" for line in server.output.read_text().splitlines())
    if lines < requests:
        raise CannotMeasure(f"The service logged {lines} of {requests} requests")


class Client:
    """A few kept-alive connections; on each one request is always under way, so the server never waits."""

    def __init__(self, port: int) -> None:
        self.connections = [connect(port) for _ in range(CONNECTIONS)]

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *error: object) -> None:
        for connection in self.connections:
            connection.close()

    def send(self, requests: int) -> None:
        """Send so many requests and read their answers."""
        for connection in self.connections:
            connection.sendall(REQUEST)
        for number in range(requests):
            connection = self.connections[number % CONNECTIONS]
            self.read_answer(connection)
            if number < requests - CONNECTIONS:
                connection.sendall(REQUEST)

    def read_answer(self, connection: socket.socket) -> None:
        """Read one answer, in as many parts as it comes in.

        :raises CannotMeasure: it is not the one we measure.
        """
        answer = b""
        while not answer.endswith(b"}\n"):
            part = connection.recv(65536)
            if not part:
                raise CannotMeasure(f"The server closed the connection after {answer!r}")
            answer += part
        head, _, body = answer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 ") or json.loads(body) != EXPECTED:
            raise CannotMeasure(f"The server answered {answer!r}")


def connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection
