"""The part of Sentry that receives: what the SDK sends is kept for the test to read."""

import contextlib
import gzip
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Item = tuple[dict[str, Any], Any]
Envelope = tuple[dict[str, Any], list[Item]]


@dataclass(frozen=True)
class Ingest:
    """The DSN to give to the SDK, and what has arrived at it, oldest first."""

    dsn: str
    envelopes: list[Envelope] = field(default_factory=list)

    def items(self, kind: str) -> list[Any]:
        """The payloads of one type of item, such as "event" or "transaction"."""
        arrived = [item for _, items in self.envelopes for item in items]
        return [payload for header, payload in arrived if header.get("type") == kind]


@contextlib.contextmanager
def sentry() -> Iterator[Ingest]:
    """Yield a server that takes the envelopes of project 1; flush the SDK before reading them."""
    envelopes: list[Envelope] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            known = self.path == "/api/1/envelope/"
            if known:
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                envelopes.append(parse_envelope(body))
            answer = b'{"id": "1"}' if known else b"{}"
            self.send_response(200 if known else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield Ingest(f"http://key@127.0.0.1:{server.server_port}/1", envelopes)
        finally:
            server.shutdown()
            thread.join()


def parse_envelope(body: bytes) -> Envelope:
    """Header and items; a payload is what its JSON says, else bytes (develop.sentry.dev/sdk/envelopes)."""
    head, _, rest = body.partition(b"\n")
    items: list[Item] = []
    while rest.strip():
        line, _, rest = rest.partition(b"\n")
        if not line:
            continue
        header = json.loads(line)
        length = header.get("length", len(rest.partition(b"\n")[0]))
        payload, rest = rest[:length], rest[length:].removeprefix(b"\n")
        try:
            items.append((header, json.loads(payload)))
        except ValueError:
            items.append((header, payload))
    return json.loads(head), items
