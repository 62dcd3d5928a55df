"""Durable jobs in the application's database: queued with their cause, run at least or exactly once."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from secrets import token_hex
from typing import Any
from uuid import UUID, uuid4

from flask import Flask, current_app
from sqlalchemy import JSON, Index, String, Uuid, delete, exists, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from app import log
from app.database import Base, UtcDateTime, db, end_read, on_commit, transaction, utc_now

LEASE = timedelta(seconds=60)
POLL_SECONDS = 0.5
KEPT = timedelta(days=7)
KEPT_FAILED = timedelta(days=30)
KEPT_PERIODIC = timedelta(hours=1)


class QueuedJob(Base):
    """One job to do, being done (leased), done or failed."""

    __tablename__ = "jobs"
    __table_args__ = (Index("idx_jobs_due", "state", "run_at"),)

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    name: Mapped[str] = mapped_column(String(100))
    key: Mapped[str | None] = mapped_column(String(200), unique=True)  # at most one job with a key
    args: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    state: Mapped[str] = mapped_column(String(10), default="queued")  # queued | done | failed
    run_at: Mapped[Any] = mapped_column(UtcDateTime, default=utc_now)
    attempts: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[Any | None] = mapped_column(UtcDateTime)
    fence: Mapped[str | None] = mapped_column(String(32))  # who holds the lease: fresh for every claim
    last_error: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[Any] = mapped_column(UtcDateTime, default=utc_now)
    finished_at: Mapped[Any | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class Job:
    """A kind of job.

    An `atomic` one runs inside the transaction that completes it, so its effect in the database happens
    exactly once; any other runs outside and at least once. With `every_seconds` it runs by the clock,
    once for the whole fleet. While `ready` says no, it waits without counting as tried.
    """

    name: str
    run: Callable[..., Any]
    atomic: bool = False
    every_seconds: int | None = None
    max_attempts: int = 10
    ready: Callable[[Flask], bool] = lambda app: True
    wants_id: bool = False  # run(job_id=…, **args)


def enqueue(job: Job, *, key: str | None = None, **args: Any) -> UUID:
    """Queue a job in the current transaction; it exists only if that commits. Returns its id."""
    queued = QueuedJob(id=uuid4(), name=job.name, args=args, key=key, run_at=utc_now())
    db.session.add(queued)
    db.session.flush()
    wake = current_app.extensions["jobs"].wake
    on_commit(wake.set)
    return queued.id


def states(ids: Iterable[UUID]) -> dict[UUID, str]:
    """`queued`, `done` or `failed` by job id; a job that has been cleaned away is absent."""
    wanted = set(ids)
    if not wanted:
        return {}
    rows = db.session.execute(select(QueuedJob.id, QueuedJob.state).where(QueuedJob.id.in_(wanted)))
    return {row.id: row.state for row in rows}


def retry_failed() -> int:
    """Queue every failed job anew; returns how many."""
    with transaction() as session:
        again = {"state": "queued", "attempts": 0, "run_at": utc_now(), "lease_until": None, "finished_at": None}
        found = session.execute(update(QueuedJob).where(QueuedJob.state == "failed").values(again))
        return found.rowcount  # type: ignore[attr-defined]


def retry_waiting() -> int:
    """Let the next try of every job that has failed before be now; returns how many. One being done goes on."""
    waiting = QueuedJob.state == "queued", QueuedJob.attempts > 0, QueuedJob.run_at > utc_now()
    with transaction() as session:
        found = session.execute(update(QueuedJob).where(*waiting).values(run_at=utc_now()))
        return found.rowcount  # type: ignore[attr-defined]


def clean() -> None:
    """Forget finished jobs: periodic ones after an hour, others after a week, failed ones after a month."""
    finished = QueuedJob.finished_at
    periodic = QueuedJob.key.is_not(None)
    with transaction() as session:
        session.execute(delete(QueuedJob).where(periodic, finished < utc_now() - KEPT_PERIODIC))
        session.execute(delete(QueuedJob).where(finished < utc_now() - KEPT, QueuedJob.state == "done"))
        session.execute(delete(QueuedJob).where(finished < utc_now() - KEPT_FAILED))


class Hopeless(Exception):
    """A job raises it when another try would change nothing: it fails at once, and only `retry` runs it again."""


class Abandoned(Exception):
    """Nobody who took the job lived to finish it, in as many tries as it has."""


cleaning = Job("jobs.clean", clean, every_seconds=3600)


class Worker:
    """Runs the jobs of an application; any number of them, in any process, agree through leases."""

    def __init__(self, app: Flask, jobs: Iterable[Job]) -> None:
        self.app = app
        self.jobs = {job.name: job for job in jobs}
        self.wake = threading.Event()
        self.slots: dict[str, int] = {}

    def run_forever(self, stop: threading.Event) -> None:
        """Work until `stop` is set; a failing database is waited for."""
        while not stop.is_set():
            self.wake.clear()
            try:
                busy = self.run_due(stop=stop)
            except Exception as error:
                busy = False
                log.warning("worker_waits", error_type=type(error).__name__)
                stop.wait(2)
            if not busy:
                self.wake.wait(POLL_SECONDS)

    def run_due(self, limit: int = 50, stop: threading.Event | None = None) -> int:
        """Run what is due now, at most `limit` jobs and none once `stop` is set; returns how many ran."""
        with self.app.app_context():
            self.queue_periodic()
            for done in range(limit):
                if (stop is not None and stop.is_set()) or not self.run_one():
                    return done
            return limit

    def queue_periodic(self) -> None:
        """Queue each periodic job whose slot has begun; the key `name@slot` makes it one for the fleet."""
        for job in self.jobs.values():
            if job.every_seconds is None:
                continue
            slot = int(time.time() // job.every_seconds)
            if self.slots.get(job.name) == slot:
                continue
            key = f"{job.name}@{slot}"
            if not db.session.scalar(select(exists().where(QueuedJob.key == key))):
                with transaction() as session:
                    if not session.scalar(select(exists().where(QueuedJob.key == key))):
                        self._insert_once(session, job, key)
            end_read()
            self.slots[job.name] = slot

    def _insert_once(self, session: Session, job: Job, key: str) -> None:
        values = {"id": uuid4(), "name": job.name, "key": key, "args": {}, "state": "queued", "attempts": 0}
        values |= {"run_at": utc_now(), "created_at": utc_now()}
        dialect = db.engine.dialect.name
        if dialect == "postgresql":
            from sqlalchemy.dialects.postgresql import insert
        else:
            from sqlalchemy.dialects.sqlite import insert
        session.execute(insert(QueuedJob).values(values).on_conflict_do_nothing(index_elements=["key"]))

    def run_one(self) -> bool:
        """Claim one job and run it; False when none is due."""
        due = db.session.scalar(self._due())
        end_read()
        if due is None:
            return False
        claimed = self._claim()
        if claimed is None:
            return False
        job = self.jobs[claimed.name]
        try:
            if claimed.attempts > job.max_attempts:
                raise Abandoned  # its last holder was killed, and perhaps by this job
            self._run(job, claimed)
        except Exception as error:
            db.session.rollback()
            self._failed(job, claimed, error)
        return True

    def _due(self) -> Any:
        """Select the id of the job to take next."""
        now = utc_now()
        names = [name for name, job in self.jobs.items() if job.ready(self.app)]
        free = or_(QueuedJob.lease_until.is_(None), QueuedJob.lease_until < now)
        return (
            select(QueuedJob.id)
            .where(QueuedJob.state == "queued", QueuedJob.run_at <= now, free, QueuedJob.name.in_(names))
            .order_by(QueuedJob.run_at)
            .limit(1)
        )

    def _claim(self) -> QueuedJob | None:
        with transaction() as session:
            pick = self._due().with_for_update(skip_locked=True).scalar_subquery()
            lease = {"lease_until": utc_now() + LEASE, "fence": token_hex(16), "attempts": QueuedJob.attempts + 1}
            claim = update(QueuedJob).where(QueuedJob.id == pick).values(lease).returning(QueuedJob)
            claimed = session.scalar(claim.execution_options(synchronize_session=False, populate_existing=True))
            if claimed is not None:
                session.expunge(claimed)
            return claimed

    def _run(self, job: Job, claimed: QueuedJob) -> None:
        args = dict(claimed.args) | ({"job_id": claimed.id} if job.wants_id else {})
        if not job.atomic:
            job.run(**args)
            end_read()
            with transaction() as session:
                # Also when the lease ran out meanwhile: a mail server too slow for it would get the mail again
                # and again, because whoever holds the job is never who finishes it.
                self._finish(session, QueuedJob.id == claimed.id)
            return
        with transaction() as session:
            held = QueuedJob.id == claimed.id, QueuedJob.fence == claimed.fence
            if session.scalar(select(QueuedJob.id).where(*held).with_for_update()) is None:
                return  # the lease ran out, and someone else took the job
            job.run(**args)
            self._finish(session, *held, args={})  # it never runs again, and its arguments may be an address

    def _finish(self, session: Session, *which: Any, **more: Any) -> None:
        done = {"state": "done", "finished_at": utc_now(), "lease_until": None, "last_error": None}
        finish = update(QueuedJob).where(*which).values(done | more)
        session.execute(finish.execution_options(synchronize_session=False))

    def _failed(self, job: Job, claimed: QueuedJob, error: Exception) -> None:
        """Try again later, later each time; after the last try the job is failed, and seen in `jobs list`."""
        exhausted = isinstance(error, Hopeless) or claimed.attempts >= job.max_attempts
        level = log.error if exhausted else log.warning
        level("job_failed", job=job.name, attempts=claimed.attempts, error_type=type(error).__name__, exc_info=error)
        delay = timedelta(seconds=min(2**claimed.attempts, 3600))
        values: dict[str, Any] = {"lease_until": None, "last_error": type(error).__name__[:200]}
        values |= {"state": "failed", "finished_at": utc_now()} if exhausted else {"run_at": utc_now() + delay}
        with transaction() as session:
            mine = QueuedJob.id == claimed.id, QueuedJob.fence == claimed.fence, QueuedJob.state == "queued"
            session.execute(update(QueuedJob).where(*mine).values(values).execution_options(synchronize_session=False))


def init_app(app: Flask) -> None:
    """Collect the jobs of the kernel and of every loaded plugin.

    :raises app.plugins.PluginError: two have one name.
    """
    from app import limits
    from app.plugins import PluginError

    jobs = [cleaning, limits.pruning]
    for plugin in app.extensions["plugins"]:
        jobs += plugin.jobs
    names = [job.name for job in jobs]
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise PluginError(f"Two jobs are called {', '.join(sorted(repeated))}")
    app.extensions["jobs"] = Worker(app, jobs)
