"""Durable jobs: exactly once or at least once, whoever dies, and nothing from what was rolled back."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from app.database import db, end_read, transaction, utc_now
from app.jobs import KEPT, KEPT_PERIODIC, LEASE, Hopeless, Job, QueuedJob, Worker, clean, enqueue, retry_failed, states


class Crash(Exception):
    pass


@pytest.fixture
def make_worker(app: Flask) -> Callable[..., Worker]:
    """Makes the worker of a process, with jobs of the test."""
    return lambda *jobs: Worker(app, jobs)


def queue(job: Job, **args: Any) -> UUID:
    with transaction():
        return enqueue(job, **args)


def row(job_id: UUID) -> QueuedJob:
    end_read()
    db.session.expire_all()
    return db.session.get_one(QueuedJob, job_id)


def change(job_id: UUID, **values: Any) -> None:
    with transaction() as session:
        session.execute(update(QueuedJob).where(QueuedJob.id == job_id).values(values))


def count(name: str) -> int:
    end_read()
    return db.session.scalar(select(func.count()).select_from(QueuedJob).where(QueuedJob.name == name)) or 0


def effect(**_: Any) -> None:
    """An effect in the database: one more row called `effect`."""
    with transaction() as session:
        session.add(QueuedJob(id=uuid4(), name="effect", run_at=utc_now() + timedelta(days=1)))


@pytest.mark.parametrize("atomic", [True, False])
def test_a_job_runs_once_with_its_arguments(make_worker, atomic):
    seen = []
    job = Job("greet", lambda **args: seen.append(args), atomic=atomic)
    job_id = queue(job, name="ada", times=2)
    worker = make_worker(job)
    assert worker.run_due() == 1
    assert worker.run_due() == 0
    assert seen == [{"name": "ada", "times": 2}]
    assert (row(job_id).state, row(job_id).attempts) == ("done", 1)


def test_a_job_may_want_its_id(make_worker):
    seen = []
    job = Job("greet", lambda job_id: seen.append(job_id), wants_id=True)
    job_id = queue(job)
    make_worker(job).run_due()
    assert seen == [job_id]


def test_nothing_comes_of_a_rolled_back_enqueue(make_worker):
    job = Job("effect", effect)
    with pytest.raises(Crash), transaction():
        enqueue(job)
        raise Crash
    with transaction(), pytest.raises(Crash), transaction():
        enqueue(job)
        raise Crash
    assert make_worker(job).run_due() == 0


def test_a_job_needs_a_transaction(app):
    with pytest.raises(RuntimeError, match="Not inside"):
        enqueue(Job("effect", effect))


def test_the_worker_is_woken_after_the_commit(app):
    wake = app.extensions["jobs"].wake
    wake.clear()
    with transaction():
        enqueue(Job("effect", effect))
        assert not wake.is_set()
    assert wake.is_set()
    wake.clear()


@pytest.mark.parametrize("atomic, effects", [(True, 0), (False, 1)])
def test_what_a_failing_atomic_job_did_is_undone(make_worker, atomic, effects):
    def fails() -> None:
        effect()
        raise Crash

    job = Job("fails", fails, atomic=atomic)
    job_id = queue(job)
    make_worker(job).run_due()
    assert count("effect") == effects
    assert (row(job_id).state, row(job_id).last_error) == ("queued", "Crash")


def test_an_atomic_job_is_finished_in_the_transaction_of_its_effect(make_worker, monkeypatch):
    """The moment between effect and completion does not exist: what ends there ends both."""
    job = Job("effect-once", effect, atomic=True)
    job_id = queue(job)
    worker = make_worker(job)

    def dies(*_: Any) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(worker, "_finish", dies)
        worker.run_due()
    assert count("effect") == 0
    change(job_id, run_at=utc_now())
    worker.run_due()
    assert (count("effect"), row(job_id).state) == (1, "done")


def test_a_job_is_tried_later_each_time_and_fails_in_the_end(make_worker):
    job = Job("fails", lambda: 1 / 0, max_attempts=3)
    job_id = queue(job)
    worker = make_worker(job)
    for delay in (timedelta(seconds=2), timedelta(seconds=4)):
        before = utc_now()
        worker.run_due()
        assert before + delay <= row(job_id).run_at <= utc_now() + delay
        assert worker.run_due() == 0, "not at once"
        change(job_id, run_at=utc_now())
    worker.run_due()
    assert (row(job_id).state, row(job_id).attempts, row(job_id).last_error) == ("failed", 3, "ZeroDivisionError")
    assert worker.run_due() == 0


def test_a_hopeless_job_fails_at_once_and_can_be_tried_anew(make_worker):
    answers = iter([Hopeless, None])

    def runs() -> None:
        if answer := next(answers):
            raise answer

    job = Job("hopeless", runs)
    job_id = queue(job)
    worker = make_worker(job)
    worker.run_due()
    assert (row(job_id).state, row(job_id).attempts, row(job_id).last_error) == ("failed", 1, "Hopeless")
    assert retry_failed() == 1
    worker.run_due()
    assert row(job_id).state == "done"


def test_failed_jobs_are_queued_again(make_worker):
    answers = iter([Crash, None])

    def sometimes() -> None:
        answer = next(answers)
        if answer:
            raise answer

    job = Job("sometimes", sometimes, max_attempts=1)
    job_id = queue(job)
    worker = make_worker(job)
    worker.run_due()
    assert row(job_id).state == "failed"
    assert retry_failed() == 1
    assert (row(job_id).state, row(job_id).attempts) == ("queued", 0)
    worker.run_due()
    assert (row(job_id).state, row(job_id).last_error) == ("done", None)
    assert retry_failed() == 0


def test_a_failure_is_logged_without_its_secrets(make_worker, lines):
    def fails() -> None:
        raise Crash("ada@example.com pat_0123456789")

    job = Job("fails", fails)
    queue(job)
    make_worker(job).run_due()
    (line,) = [line for line in lines() if line["event"] == "job_failed"]
    assert (line["job"], line["attempts"], line["error_type"]) == ("fails", 1, "Crash")
    assert "ada@" not in line["traceback"]
    assert "pat_0" not in line["traceback"]


def test_a_job_whose_lease_ran_out_is_taken_again(make_worker):
    job = Job("effect-once", effect, atomic=True)
    job_id = queue(job)
    first, second = make_worker(job), make_worker(job)
    held = first._claim()
    assert second.run_due() == 0, "while the lease holds"
    change(job_id, lease_until=utc_now() - timedelta(seconds=1))
    assert second.run_due() == 1
    assert count("effect") == 1
    first._run(job, held)
    assert count("effect") == 1, "the old holder's fence is void: it does nothing"


def test_an_old_holder_does_not_finish_what_another_one_does_in_a_transaction(make_worker):
    job = Job("effect-once", lambda: None, atomic=True)
    job_id = queue(job)
    first, second = make_worker(job), make_worker(job)
    old = first._claim()
    change(job_id, lease_until=utc_now() - timedelta(seconds=1))
    new = second._claim()
    assert new.fence != old.fence
    first._run(job, old)
    assert row(job_id).state == "queued"
    first._failed(job, old, Crash())
    assert (row(job_id).fence, row(job_id).last_error) == (new.fence, None)
    second._run(job, new)
    assert row(job_id).state == "done"


def test_a_mail_that_takes_longer_than_its_lease_is_sent_twice_and_not_for_ever(make_worker):
    sent = []
    job = Job("mail", lambda: sent.append(1))
    job_id = queue(job)
    first, second = make_worker(job), make_worker(job)
    old = first._claim()
    change(job_id, lease_until=utc_now() - timedelta(seconds=1))
    new = second._claim()
    first._run(job, old)
    assert row(job_id).state == "done"
    second._failed(job, new, Crash())
    change(job_id, run_at=utc_now(), lease_until=None)
    assert (row(job_id).state, second.run_due()) == ("done", 0)
    assert len(sent) == 1


def test_a_lease_is_a_minute(make_worker):
    job = Job("mail", lambda: None)
    job_id = queue(job)
    make_worker(job)._claim()
    assert utc_now() < row(job_id).lease_until <= utc_now() + LEASE


def test_a_job_that_kills_its_workers_fails_in_the_end(make_worker):
    job = Job("kills", lambda: None, max_attempts=2)
    job_id = queue(job)
    for _ in range(2):
        assert make_worker(job)._claim() is not None  # and then the process is gone
        change(job_id, lease_until=utc_now() - timedelta(seconds=1))
    make_worker(job).run_due()
    assert (row(job_id).state, row(job_id).last_error) == ("failed", "Abandoned")


def in_threads(app: Flask, workers: list[Worker], act: Callable[[Worker], Any]) -> None:
    barrier = threading.Barrier(len(workers))

    def run(worker: Worker) -> None:
        with app.app_context():
            barrier.wait()
            act(worker)

    threads = [threading.Thread(target=run, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_four_workers_do_each_job_once(app, make_worker):
    seen: list[int] = []
    jobs = (Job("note", lambda number: seen.append(number)), Job("effect-once", effect, atomic=True))
    for number in range(20):
        queue(jobs[0], number=number)
        queue(jobs[1])
    in_threads(app, [make_worker(*jobs) for _ in range(4)], lambda worker: worker.run_due())
    while make_worker(*jobs).run_due():
        pass
    assert sorted(seen) == list(range(20))
    assert count("effect") == 20


def test_a_periodic_job_runs_once_for_the_fleet(app, make_worker):
    seen = []
    job = Job("tick", lambda: seen.append(1), every_seconds=10**9)
    in_threads(app, [make_worker(job) for _ in range(4)], lambda worker: worker.run_due())
    make_worker(job).run_due()
    assert (len(seen), count("tick")) == (1, 1)


def test_a_periodic_job_runs_in_every_slot(make_worker, monkeypatch):
    now = [1_000_000.0]
    monkeypatch.setattr("app.jobs.time.time", lambda: now[0])
    seen = []
    worker = make_worker(Job("tick", lambda: seen.append(now[0]), every_seconds=60))
    for _ in range(5):
        worker.run_due()
        now[0] += 30
    assert len(seen) == 3


def test_a_job_of_an_absent_plugin_waits(make_worker):
    job = Job("gone", lambda: None)
    job_id = queue(job)
    assert make_worker().run_due() == 0
    assert (row(job_id).state, row(job_id).attempts) == ("queued", 0)
    assert make_worker(job).run_due() == 1


def test_a_job_that_is_not_ready_waits_without_being_tried(make_worker):
    ready = []
    job = Job("mail", lambda: None, ready=lambda app: bool(ready))
    job_id = queue(job)
    assert make_worker(job).run_due() == 0
    assert row(job_id).attempts == 0
    ready.append(True)
    assert make_worker(job).run_due() == 1


def test_states(make_worker):
    job = Job("mail", lambda: None)
    first, second = queue(job), queue(Job("other", lambda: None))
    make_worker(job).run_due()
    end_read()
    assert states([first, second, uuid4()]) == {first: "done", second: "queued"}
    assert states([]) == {}


def test_finished_jobs_are_forgotten_and_failed_ones_are_not(app):
    with transaction() as session:
        for name, state, key, age in (
            ("kept", "done", None, KEPT / 2),
            ("old", "done", None, KEPT * 2),
            ("failed", "failed", None, KEPT * 2),
            ("periodic", "done", "periodic@1", KEPT_PERIODIC * 2),
            ("fresh periodic", "done", "periodic@2", KEPT_PERIODIC / 2),
        ):
            session.add(QueuedJob(id=uuid4(), name=name, state=state, key=key, finished_at=utc_now() - age))
        session.add(QueuedJob(id=uuid4(), name="queued", run_at=utc_now() - KEPT * 2))
    clean()
    assert set(db.session.scalars(select(QueuedJob.name))) == {"kept", "failed", "fresh periodic", "queued"}


def test_a_worker_waits_for_a_database_and_stops_when_told(make_app, lines):
    app = make_app(DATABASE_URL="sqlite:////nowhere/at/all.db")
    stop, worker = threading.Event(), app.extensions["jobs"]
    thread = threading.Thread(target=worker.run_forever, args=(stop,))
    thread.start()
    try:
        seen: list[Any] = []
        for _ in range(1000):
            seen += [line["event"] for line in lines()]
            if "worker_waits" in seen or stop.wait(0.02):
                break
    finally:
        stop.set()
        worker.wake.set()
        thread.join()
    assert "worker_waits" in seen
    assert not thread.is_alive()


@pytest.fixture
def running(app: Flask, make_worker: Callable[..., Worker]) -> Iterator[list[int]]:
    """A worker thread as a web process has it; what its job saw."""
    seen: list[int] = []
    worker, stop = make_worker(Job("note", lambda number: seen.append(number))), threading.Event()
    thread = threading.Thread(target=worker.run_forever, args=(stop,))
    thread.start()
    yield seen
    stop.set()
    worker.wake.set()
    thread.join()


def test_a_running_worker_does_what_comes(running):
    for number in range(3):
        queue(Job("note", lambda: None), number=number)
    never = threading.Event()
    for _ in range(1000):
        if len(running) == 3 or never.wait(0.02):
            break
    assert sorted(running) == [0, 1, 2]
