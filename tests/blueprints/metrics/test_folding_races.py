import threading
from uuid import UUID

from sqlalchemy import select

from app.database import db
from blueprints.metrics.models import MetricDay, MetricHour, MetricMinute, MetricTotal
from blueprints.metrics.recorder import Recorder
from blueprints.metrics.services import fold_deltas, folding, prometheus_text, report, store_delta


def in_threads(app, *functions):
    """Run functions at once, each in a thread and context of its own; their failures fail the test."""
    failures = []

    def run(function):
        try:
            with app.app_context():
                function()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_folders_that_race_count_everything_once(app, clock, monkeypatch):
    monkeypatch.setattr(folding, "DELTAS_AT_ONCE", 3)

    def flush():
        recorder = Recorder()
        for _ in range(20):
            recorder.add_request("GET", "/a", "2xx", 0.01)
            store_delta(recorder.drain())

    def fold():
        for _ in range(20):
            fold_deltas()

    in_threads(app, flush, flush, fold, fold, fold)
    while fold_deltas():
        pass
    for model in (MetricMinute, MetricHour, MetricDay):
        assert db.session.scalars(select(model.count)).all() == [40]
    buckets = select(MetricTotal.value).where(MetricTotal.name.endswith("_bucket"))
    assert db.session.scalars(buckets).all() == [40]


def test_a_reader_sees_each_request_once_while_deltas_are_folded(app, clock, monkeypatch):
    monkeypatch.setattr(folding, "DELTAS_AT_ONCE", 1)
    recorder = Recorder()
    for _ in range(30):
        recorder.add_request("GET", "/a", "2xx", 0.01)
        recorder.add_error(KeyError(), UUID(int=1))
        store_delta(recorder.drain())
    seen, scraped = set(), set()
    folded = threading.Event()

    def fold():
        while fold_deltas():
            pass
        folded.set()

    def read():
        while not folded.is_set():
            found = report(clock.now)
            error = found.errors[0]
            seen.add((found.performance[0].request_count, error.error_count, error.affected_users))

    def scrape():
        while not folded.is_set():
            scraped.update(line for line in prometheus_text().splitlines() if line.startswith("app_errors"))

    in_threads(app, fold, read, scrape)
    assert seen == {(30, 30, 1)}
    assert scraped == {'app_errors_total{type="KeyError"} 30.0'}
