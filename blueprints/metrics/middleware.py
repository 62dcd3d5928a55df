"""Measures every request from the first byte of work to the last byte sent."""

from collections.abc import Callable, Iterable, Iterator
from time import perf_counter, time
from typing import Any

from blueprints.metrics.recorder import OTHER, Recorder

METHODS = {
    method: method for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE")
}
STATUS_CLASSES = {digit: f"{digit}xx" for digit in "12345"}
SERVER_ERROR = "5xx"
UNMATCHED = "(unmatched)"
MAX_QUEUE_SECONDS = 60.0


class Measured:
    """A WSGI application that tells a recorder about every request of the one it wraps.

    Only a proxy knows when a request came in; without one, whoever asks could say anything.
    """

    def __init__(
        self, wsgi_app: Callable[..., Iterable[bytes]], recorder: Recorder, *, behind_proxy: bool = True
    ) -> None:
        self.wsgi_app = wsgi_app
        self.recorder = recorder
        self.behind_proxy = behind_proxy

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        measurement = Measurement(self.recorder, environ, start_response)
        header = environ.get("HTTP_X_REQUEST_START") if self.behind_proxy else None
        if header:
            measurement.queue_seconds = queue_time(header, time())
        try:
            body = self.wsgi_app(environ, measurement.start)
        except BaseException:
            measurement.status_class = SERVER_ERROR
            measurement.finish()
            raise
        return measurement.follow(body)


class Measurement:
    """One request under way, and the body that the server reads and closes."""

    __slots__ = ("body", "environ", "queue_seconds", "recorder", "start_response", "started", "status_class")

    def __init__(self, recorder: Recorder, environ: dict[str, Any], start_response: Callable[..., Any]) -> None:
        self.started: float | None = perf_counter()
        self.recorder = recorder
        self.environ = environ
        self.start_response = start_response
        self.status_class = SERVER_ERROR
        self.body: Iterable[bytes] = ()
        self.queue_seconds: float | None = None

    def start(self, status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
        self.status_class = STATUS_CLASSES.get(status[:1], SERVER_ERROR)
        return self.start_response(status, headers, *exc_info)

    def follow(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """The body to give to the server; a file stays what it is, so that the server may send it itself."""
        file_wrapper = self.environ.get("wsgi.file_wrapper")
        if isinstance(file_wrapper, type) and isinstance(body, file_wrapper):
            close = getattr(body, "close", None)
            body.close = lambda: self._close(close)  # type: ignore[attr-defined]
            return body
        self.body = body
        return self

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self.body
        except Exception:
            self.status_class = SERVER_ERROR
            raise

    def close(self) -> None:
        self._close(getattr(self.body, "close", None))

    def _close(self, close: Callable[[], Any] | None) -> None:
        try:
            if close is not None:
                close()
        finally:
            self.finish()

    def finish(self) -> None:
        """Tell the recorder, once; measuring never breaks a request."""
        started, self.started = self.started, None
        if started is None:
            return
        environ = self.environ
        try:
            self.recorder.add_request(
                METHODS.get(environ["REQUEST_METHOD"], OTHER),
                environ.get("app.route") or UNMATCHED,
                self.status_class,
                perf_counter() - started,
                self.queue_seconds,
            )
        except Exception:
            self.recorder.add_drop()


def queue_time(header: str, now: float) -> float | None:
    """Seconds a request waited before us, by X-Request-Start; None when that cannot be true.

    Routers write the moment in milliseconds (Heroku), `t=` seconds (nginx) or microseconds (Apache).
    """
    try:
        moment = float(header.removeprefix("t=")[:32])
    except ValueError:
        return None
    if moment > 1e14:
        moment /= 1e6
    elif moment > 1e11:
        moment /= 1e3
    waited = now - moment
    return waited if 0 <= waited <= MAX_QUEUE_SECONDS else None
