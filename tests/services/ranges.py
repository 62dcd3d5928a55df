"""A range service as Have I Been Pwned runs one; it answers what the test says, as slowly as the test says."""

import contextlib
import hashlib
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field


@dataclass
class Ranges:
    """Where the service listens, and the heads of the requests so far, oldest first."""

    url: str
    requests: list[str] = field(default_factory=list)


def digest(password: str) -> str:
    """The hash under which a range service knows a password; its first five digits name the range."""
    return hashlib.sha1(password.encode()).hexdigest().upper()


def http(body: str, status: str = "200 OK", *headers: str) -> bytes:
    """A whole answer."""
    lines = (f"HTTP/1.1 {status}", f"Content-Length: {len(body.encode())}", *headers)
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def a_range(*lines: str) -> bytes:
    """An answer with these lines amid as many as Have I Been Pwned sends."""
    others = [f"{digest(str(number))[5:]}:{number}" for number in range(1, 800)]
    return http("\r\n".join([*others[:400], *lines, *others[400:]]))


@contextlib.contextmanager
def ranges(answer: Callable[[], Iterable[bytes]], tls: ssl.SSLContext | None = None) -> Iterator[Ranges]:
    """Yield a service that sends what `answer()` yields, piece by piece, to whoever asks."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):  # who asked has hung up
                connection = tls.wrap_socket(self.request, server_side=True) if tls else self.request
                with connection:
                    head = b""
                    while b"\r\n\r\n" not in head and (more := connection.recv(4096)):
                        head += more
                    service.requests.append(head.decode())
                    for piece in answer():
                        connection.sendall(piece)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        service = Ranges(f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}/range/")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()
