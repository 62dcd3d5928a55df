import threading

import pytest
from sqlalchemy import select

from app.database import db, end_read
from blueprints.metrics import flusher
from blueprints.metrics.flusher import Outbox, flush_forever
from blueprints.metrics.models import MetricDelta
from blueprints.metrics.recorder import Recorder


class Failing:
    """store_delta that fails, before or after it stored, until told otherwise."""

    def __init__(self, *, after_storing=False):
        self.store = flusher.services.store_delta
        self.after_storing = after_storing
        self.fails = True
        self.tried = []

    def __call__(self, delta):
        self.tried.append((delta.process, delta.seq))
        if self.fails and self.after_storing:
            self.store(delta)
        if self.fails:
            raise ConnectionError
        self.store(delta)


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def outbox(app, recorder):
    return Outbox(app, recorder)


@pytest.fixture
def log(monkeypatch):
    """The lines that the flusher writes."""
    lines = []

    class Log:
        def warning(self, event, **fields):
            lines.append((event, fields))

    monkeypatch.setattr(flusher, "log", Log())
    return lines


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(flusher, "monotonic", lambda: now[0])
    return now


def stored():
    rows = db.session.execute(select(MetricDelta.seq, MetricDelta.payload).order_by(MetricDelta.seq))
    found = [(seq, sum(row["sketch"]["bins"][1] for row in payload["requests"])) for seq, payload in rows]
    end_read()
    return found


def add_request(recorder):
    recorder.add_request("GET", "/a", "2xx", 0.01)


def test_what_was_counted_is_stored_once(outbox, recorder):
    assert outbox.send()
    assert stored() == []
    add_request(recorder)
    assert outbox.send()
    assert outbox.send()
    assert stored() == [(1, 1)]


def test_a_delta_that_failed_is_tried_again_under_its_key_before_the_next_one(outbox, recorder, monkeypatch, log):
    failing = Failing()
    monkeypatch.setattr(flusher.services, "store_delta", failing)
    add_request(recorder)
    assert not outbox.send()
    add_request(recorder)
    add_request(recorder)
    assert not outbox.send()
    failing.fails = False
    assert outbox.send()
    assert stored() == [(1, 1)]
    assert outbox.send()
    assert stored() == [(1, 1), (2, 2)]
    assert len({process for process, _ in failing.tried}) == 1
    assert [seq for _, seq in failing.tried] == [1, 1, 1, 2]


def test_a_delta_stored_without_an_answer_counts_once(outbox, recorder, monkeypatch, log):
    failing = Failing(after_storing=True)
    monkeypatch.setattr(flusher.services, "store_delta", failing)
    add_request(recorder)
    assert not outbox.send()
    failing.fails = False
    assert outbox.send()
    assert stored() == [(1, 1)]


def test_a_failing_database_is_logged_once_a_minute(outbox, recorder, monkeypatch, log, clock):
    monkeypatch.setattr(flusher.services, "store_delta", Failing())
    add_request(recorder)
    for seconds in (0, 2, 57, 1):
        clock[0] += seconds
        outbox.send()
    assert log == [("metrics_not_stored", {"error_type": "ConnectionError"})] * 2


def test_a_delta_is_given_up_and_counted_before_its_key_could_be_forgotten(outbox, recorder, monkeypatch, log, clock):
    failing = Failing()
    monkeypatch.setattr(flusher.services, "store_delta", failing)
    add_request(recorder)
    for seconds in (0, flusher.services.RETRY_SECONDS, 1):
        clock[0] += seconds
        outbox.send()
    failing.fails = False
    outbox.send()
    assert [seq for _, seq in failing.tried] == [1, 1, 1, 2]
    assert db.session.scalar(select(MetricDelta.payload)) == {"requests": [], "errors": [], "dropped": 1}
    end_read()


@pytest.fixture
def at_exit(monkeypatch):
    registered = []
    monkeypatch.setattr(flusher.atexit, "register", registered.append)
    return registered


@pytest.fixture
def thread(app, recorder, monkeypatch, at_exit):
    """Start the flusher on `recorder`; a stopped one is joined at the end."""
    monkeypatch.setattr(flusher, "this_process", recorder)
    stop = threading.Event()
    thread = threading.Thread(target=flush_forever, args=(app, stop))
    thread.stop = stop.set
    yield thread
    stop.set()
    if thread.ident is not None:
        thread.join(10)


def test_the_thread_stores_by_itself(thread, recorder, monkeypatch):
    monkeypatch.setattr(flusher, "FLUSH_SECONDS", 0.01)
    arrived = threading.Event()
    store = flusher.services.store_delta
    monkeypatch.setattr(flusher.services, "store_delta", lambda delta: (store(delta), arrived.set()))
    thread.start()
    add_request(recorder)
    assert arrived.wait(10)
    assert stored() == [(1, 1)]


def test_the_thread_stores_what_is_left_when_it_is_stopped(thread, recorder, monkeypatch):
    monkeypatch.setattr(flusher, "FLUSH_SECONDS", 3600)
    thread.start()
    add_request(recorder)
    thread.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert stored() == [(1, 1)]


def test_the_end_of_the_process_stores_what_is_left_and_the_end_of_a_fork_does_not(
    thread, recorder, at_exit, monkeypatch
):
    thread.stop()
    thread.start()
    thread.join(10)
    (last,) = at_exit
    add_request(recorder)
    with monkeypatch.context() as patch:
        patch.setattr(flusher.os, "getpid", lambda: -1)
        last()
    assert stored() == []
    last()
    assert stored() == [(1, 1)]
