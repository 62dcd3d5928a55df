"""`flask worker` as a real process: killed in the middle of a job, and told to stop."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from app.database import db, end_read, transaction, utc_now
from app.jobs import Job, QueuedJob, enqueue
from config.settings import ROOT
from tests.live import PROGRAMS, surroundings
from tests.plugins.slow import mailing, noting

SECONDS = 30


@contextmanager
def worker(environ: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A running `flask worker`."""
    values = surroundings(environ | {"BLUEPRINTS": "health,tests.plugins.slow"})
    process = subprocess.Popen([PROGRAMS / "flask", "worker"], cwd=ROOT, env=values, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def count(*where: object) -> int:
    end_read()
    return db.session.scalar(select(func.count()).select_from(QueuedJob).where(*where)) or 0


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@pytest.mark.parametrize("job", [mailing, noting], ids=lambda job: job.name)
def test_another_worker_finishes_what_a_killed_one_began(app, environ, tmp_path, job: Job):
    with transaction():
        job_id = enqueue(job, folder=str(tmp_path))
    with worker(environ) as first:
        wait_until(lambda: size_of(tmp_path / "begun") == 1)
        first.send_signal(signal.SIGKILL)
        first.wait(SECONDS)
    assert count(QueuedJob.id == job_id, QueuedJob.state == "queued", QueuedJob.attempts == 1) == 1
    with transaction() as session:  # as if its minute were over
        session.execute(update(QueuedJob).values(lease_until=utc_now() - timedelta(seconds=1)))
    (tmp_path / "may-end").touch()
    with worker(environ):
        wait_until(lambda: count(QueuedJob.id == job_id, QueuedJob.state == "done", QueuedJob.attempts == 2) == 1)
    if job is noting:
        assert count(QueuedJob.name == "effect") == 1, "exactly once"
    else:
        assert size_of(tmp_path / "sent") == 2, "at least once"


def test_a_worker_that_is_told_to_stop_finishes_its_job(app, environ, tmp_path):
    with transaction():
        job_id = enqueue(mailing, folder=str(tmp_path))
        other = enqueue(mailing, folder=str(tmp_path))
    with worker(environ) as process:
        wait_until(lambda: size_of(tmp_path / "begun") == 1)
        process.send_signal(signal.SIGTERM)
        (tmp_path / "may-end").touch()
        assert process.wait(SECONDS) == 0
    assert count(QueuedJob.id == job_id, QueuedJob.state == "done") == 1
    assert count(QueuedJob.id == other, QueuedJob.state == "queued", QueuedJob.attempts == 0) == 1, "no new claims"
