"""The benchmarks' HTTP client: one kept-alive connection on a bare socket, so that it costs the machine little."""

import json
import socket
import time
from typing import Any

from tests.benchmarks import CannotMeasure

PATIENCE_SECONDS = 30
HEADERS = (
    "Host: bench.example.com\r\n"
    "User-Agent: bench\r\n"
    "Accept: application/json\r\n"
    "X-Forwarded-For: 203.0.113.7\r\n"
    "X-Forwarded-Proto: https\r\n"
)


def request(method: str, path: str, body: dict[str, Any] | None = None, *, last: bool = False) -> bytes:
    """A request as the router would pass it on, with a JSON body or none; the `last` one of its connection says so."""
    head = f"{method} {path} HTTP/1.1\r\n{HEADERS}" + ("Connection: close\r\n" if last else "")
    if body is None:
        return f"{head}\r\n".encode()
    content = json.dumps(body).encode()
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


class Connection:
    """A connection to a server of this machine; it keeps no cookies."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def ask(self, message: bytes) -> int:
        """Send a request and read its whole answer; returns the status.

        :raises CannotMeasure: the server closed the connection, or does not answer in time.
        """
        self.send(message)
        return self.read()

    def send(self, message: bytes) -> None:
        """Send a request.

        :raises CannotMeasure: the server closed the connection.
        """
        try:
            self.socket.sendall(message)
        except OSError as error:
            raise CannotMeasure(f"The server does not answer: {error!r}") from error

    def read(self) -> int:
        """Read a whole answer; returns the status.

        :raises CannotMeasure: the server closed the connection, or does not answer in time.
        """
        try:
            return self._answer()
        except OSError as error:
            raise CannotMeasure(f"The server does not answer: {error!r}") from error

    def timed(self, message: bytes) -> tuple[int, float]:
        """Status and seconds of one request."""
        began = time.perf_counter()
        return self.ask(message), time.perf_counter() - began

    def _answer(self) -> int:
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._part(answer)
        head, _, body = answer.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
        while len(body) < length:
            body += self._part(answer)
        return int(head[9:12])

    def _part(self, before: bytes) -> bytes:
        part = self.socket.recv(65536)
        if not part:
            raise CannotMeasure(f"The server closed the connection after {before!r}")
        return part
