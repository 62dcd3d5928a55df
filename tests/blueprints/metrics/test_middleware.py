from wsgiref.util import FileWrapper

import pytest

from blueprints.metrics import middleware
from blueprints.metrics.middleware import Measured, queue_time

NOW = 1_800_000_000.0


class Log:
    """Stands in for a recorder and remembers what it was told."""

    def __init__(self):
        self.requests = []
        self.drops = 0

    def add_request(self, method, route, status_class, seconds, queue_seconds):
        self.requests.append((method, route, status_class))
        self.seconds = seconds
        self.queue_seconds = queue_seconds

    def add_drop(self):
        self.drops += 1


class Body:
    """A response body that knows whether it was closed."""

    def __init__(self, *parts):
        self.parts = parts
        self.closed = False

    def __iter__(self):
        for part in self.parts:
            if isinstance(part, Exception):
                raise part
            yield part

    def close(self):
        self.closed = True


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def clock(monkeypatch):
    """The clocks that the middleware sees; advance `clock[0]` by seconds."""
    now = [NOW]
    monkeypatch.setattr(middleware, "time", lambda: now[0])
    monkeypatch.setattr(middleware, "perf_counter", lambda: now[0])
    return now


def call(log, body=(b"x",), status="200 OK", route="/a/<id>", **environ):
    """Send one request through the middleware as a server does."""

    def app(environ, start_response):
        if route:
            environ["app.route"] = route
        start_response(status, [])
        return body

    environ = {"REQUEST_METHOD": "GET"} | environ
    started = []
    served = Measured(app, log)(environ, lambda *args: started.append(args))
    assert started == [(status, [])]
    return served


def finish(served):
    data = b"".join(served)
    served.close()
    return data


def test_a_request_is_counted_with_method_route_and_status_class(log):
    assert finish(call(log, [b"a", b"b"], status="404 NOT FOUND")) == b"ab"
    assert log.requests == [("GET", "/a/<id>", "4xx")]


def test_the_time_runs_until_the_body_is_closed(log, clock):
    served = call(log)
    clock[0] += 0.25
    b"".join(served)
    clock[0] += 0.5
    assert log.requests == []
    served.close()
    assert log.seconds == 0.75


def test_closing_closes_the_body_and_counts_once(log):
    body = Body(b"x")
    served = call(log, body)
    served.close()
    served.close()
    assert body.closed
    assert len(log.requests) == 1


def test_a_body_that_fails_to_close_is_counted_all_the_same(log):
    body = Body()
    body.close = lambda: 1 / 0
    served = call(log, body)
    with pytest.raises(ZeroDivisionError):
        served.close()
    assert len(log.requests) == 1


def test_a_file_stays_a_file_for_the_server(log, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"data")
    file = path.open("rb")
    served = call(log, FileWrapper(file), **{"wsgi.file_wrapper": FileWrapper})
    assert isinstance(served, FileWrapper)
    assert finish(served) == b"data"
    assert file.closed
    assert log.requests == [("GET", "/a/<id>", "2xx")]


def test_an_address_that_matches_nothing_is_unmatched(log):
    finish(call(log, route=None, PATH_INFO="/secret/42"))
    assert log.requests == [("GET", "(unmatched)", "2xx")]


def test_an_unknown_method_is_other(log):
    finish(call(log, REQUEST_METHOD="BREW"))
    assert log.requests == [("(other)", "/a/<id>", "2xx")]


@pytest.mark.parametrize("status", ["600 What", "", "abc"])
def test_a_status_that_is_none_is_a_failure(log, status):
    finish(call(log, status=status))
    assert log.requests == [("GET", "/a/<id>", "5xx")]


@pytest.mark.parametrize("starts", [True, False])
@pytest.mark.parametrize("failure", [RuntimeError, SystemExit])
def test_an_application_that_raises_is_a_failure(log, failure, starts):
    def app(environ, start_response):
        if starts:
            start_response("200 OK", [])
        raise failure

    with pytest.raises(failure):
        Measured(app, log)({"REQUEST_METHOD": "GET"}, lambda *args: None)
    assert log.requests == [("GET", "(unmatched)", "5xx")]


def test_a_body_that_breaks_is_a_failure(log):
    served = call(log, Body(b"x", ValueError()))
    with pytest.raises(ValueError):
        b"".join(served)
    served.close()
    assert log.requests == [("GET", "/a/<id>", "5xx")]


def test_a_client_that_leaves_early_is_no_failure(log):
    served = call(log, [b"a", b"b"])
    parts = iter(served)
    next(parts)
    del parts
    served.close()
    assert log.requests == [("GET", "/a/<id>", "2xx")]


def test_exc_info_reaches_the_server(log):
    def app(environ, start_response):
        start_response("500 ERROR", [], ("type", "value", "traceback"))
        return []

    started = []
    finish(Measured(app, log)({"REQUEST_METHOD": "GET"}, lambda *args: started.append(args)))
    assert started == [("500 ERROR", [], ("type", "value", "traceback"))]


def test_a_recorder_that_fails_breaks_no_request(log):
    def fail(*args):
        raise RuntimeError

    log.add_request = fail
    assert finish(call(log)) == b"x"
    assert log.drops == 1


def test_the_waiting_in_the_queue_is_told(log, clock):
    finish(call(log, HTTP_X_REQUEST_START="1799999999500"))
    assert log.queue_seconds == 0.5
    finish(call(log))
    assert log.queue_seconds is None


@pytest.mark.parametrize(
    "header", ["1799999999500", "t=1799999999.5", "t=1799999999500000", "1799999999.5", "t=1799999999500"]
)
def test_a_router_may_write_milliseconds_seconds_or_microseconds(header):
    assert queue_time(header, NOW) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "header",
    [
        "1800000000001",  # in the future
        "1799999939999",  # more than a minute ago
        "-1",
        "0",
        "nan",
        "inf",
        "-inf",
        "1e400",
        "t=",
        "yesterday",
        "9" * 400,
    ],
)
def test_a_moment_that_cannot_be_true_is_not_counted(header):
    assert queue_time(header, NOW) is None
