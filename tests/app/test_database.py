"""The one way to change anything, on both databases."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import exc, select, text

from app.database import UtcDateTime, db, end_read, on_commit, snapshot, sqlite_constraints, transaction, utc_now
from app.errors import Conflict
from app.jobs import QueuedJob

THREADS, TIMES = 8, 25


class KeyTaken(Conflict):
    pass


def new_row(**values: Any) -> QueuedJob:
    return QueuedJob(id=uuid4(), name="counter", **values)


@pytest.fixture
def row_id(app: Flask) -> UUID:
    """A stored row that counts."""
    with transaction() as session:
        row = new_row(attempts=0)
        session.add(row)
    return row.id


def stored(row_id: UUID) -> QueuedJob | None:
    """The row as the database has it now."""
    end_read()
    db.session.expire_all()
    return db.session.get(QueuedJob, row_id)


def in_threads(app: Flask, act: Callable[[], None], threads: int = THREADS) -> None:
    """Run `act` at the same moment in threads of their own, and raise what one of them raised."""
    barrier, errors = threading.Barrier(threads), []

    def run() -> None:
        try:
            with app.app_context():
                barrier.wait()
                act()
        except BaseException as error:
            errors.append(error)

    started = [threading.Thread(target=run) for _ in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    if errors:
        raise errors[0]


def count_up(row_id: UUID) -> None:
    """The shape of every service: look, decide, then change inside a transaction."""
    for _ in range(TIMES):
        seen = db.session.get(QueuedJob, row_id)
        assert seen is not None
        with transaction() as session:
            row = session.get(QueuedJob, row_id, with_for_update=True)
            assert row is not None
            row.attempts += 1


def test_no_update_is_lost(app, row_id):
    in_threads(app, lambda: count_up(row_id))
    assert stored(row_id).attempts == THREADS * TIMES


def test_it_is_expiring_that_keeps_updates(app, row_id, monkeypatch):
    """A locked row that the session knows is not read again: the trap that transaction() stands against."""
    monkeypatch.setattr("sqlalchemy.orm.Session.expire_all", lambda self: None)
    in_threads(app, lambda: count_up(row_id))
    monkeypatch.undo()
    assert stored(row_id).attempts < THREADS * TIMES


def test_all_is_committed_or_nothing(row_id):
    with pytest.raises(ZeroDivisionError), transaction() as session:
        session.get_one(QueuedJob, row_id).attempts = 5
        session.flush()
        raise ZeroDivisionError
    assert stored(row_id).attempts == 0


def test_an_inner_transaction_is_a_savepoint(row_id):
    other = uuid4()
    with transaction() as session:
        session.get_one(QueuedJob, row_id).attempts = 5
        with pytest.raises(ZeroDivisionError), transaction() as inner:
            inner.add(QueuedJob(id=other, name="inner"))
            inner.flush()
            raise ZeroDivisionError
    assert stored(row_id).attempts == 5
    assert stored(other) is None


def test_an_inner_transaction_is_not_committed_by_itself(row_id):
    with pytest.raises(ZeroDivisionError), transaction():
        with transaction() as inner:
            inner.get_one(QueuedJob, row_id).attempts = 5
        raise ZeroDivisionError
    assert stored(row_id).attempts == 0


def test_hooks_run_after_the_commit_only(app, row_id):
    seen = []
    with transaction() as session:
        session.get_one(QueuedJob, row_id).attempts = 5
        on_commit(lambda: seen.append(stored(row_id).attempts))
        assert seen == []
    assert seen == [5]


def test_hooks_never_run_after_a_rollback(row_id):
    seen = []
    with pytest.raises(ZeroDivisionError), transaction():
        on_commit(lambda: seen.append("outer"))
        raise ZeroDivisionError
    with transaction():
        pass
    assert seen == []


def test_a_rolled_back_inner_block_drops_its_own_hooks_only(row_id):
    seen = []
    with transaction():
        on_commit(lambda: seen.append("before"))
        with pytest.raises(ZeroDivisionError), transaction():
            on_commit(lambda: seen.append("inner"))
            raise ZeroDivisionError
        on_commit(lambda: seen.append("after"))
    assert seen == ["before", "after"]


def test_a_hook_needs_a_transaction(app):
    with pytest.raises(RuntimeError, match="Not inside"):
        on_commit(lambda: None)


@pytest.mark.parametrize("inner", [False, True])
def test_a_constraint_becomes_a_refusal(app, inner):
    def twice() -> None:
        with transaction(uq_jobs_key=KeyTaken) as session:
            session.add(new_row(key="one"))

    twice()
    with pytest.raises(KeyTaken) as refused:
        if inner:
            with transaction():
                twice()
        twice()
    assert isinstance(refused.value.__cause__, exc.IntegrityError)


def test_an_index_becomes_a_refusal(app):
    from blueprints.auth.models import User

    def user() -> User:
        return User(id=uuid4(), email="a@example.com", email_key="a@example.com", password_hash="-", sign_up_id="-")

    with transaction() as session:
        session.add(user())
    with pytest.raises(KeyTaken), transaction(idx_users_email=KeyTaken) as session:
        session.add(user())


def test_sqlite_tells_only_columns(app):
    """All of a constraint's columns and no other."""

    def names(*columns: str) -> set[str]:
        return sqlite_constraints(f"UNIQUE constraint failed: {', '.join(columns)}")

    assert names("users.email_key") == {"idx_users_email"}
    assert names("invitations.team_id", "invitations.email_key") == {"uq_invitations_pending"}
    assert names("invitations.team_id", "invitations.nonce") == set()
    assert "uq_invitations_pending" not in names("invitations.team_id")
    assert names() == set()
    assert sqlite_constraints("NOT NULL constraint failed: jobs.name") == set()


def test_another_constraint_stays_an_error(app, row_id):
    with pytest.raises(exc.IntegrityError), transaction(uq_jobs_key=KeyTaken) as session:
        session.execute(text("INSERT INTO jobs SELECT * FROM jobs"))  # the primary key
    with pytest.raises(exc.IntegrityError), transaction(uq_jobs_key=KeyTaken) as session:
        session.execute(text("UPDATE jobs SET name = NULL"))


def test_a_change_outside_is_an_error(row_id):
    db.session.get(QueuedJob, row_id).attempts = 5
    with pytest.raises(RuntimeError, match="outside"), transaction():
        pass
    db.session.rollback()
    assert stored(row_id).attempts == 0


def test_what_was_read_stays_usable_after_the_read_ended(row_id):
    row = db.session.get(QueuedJob, row_id)
    end_read()
    assert not db.session().in_transaction()
    assert row.name == "counter"


def test_end_read_does_not_end_a_transaction(row_id):
    with pytest.raises(ZeroDivisionError), transaction() as session:
        session.get_one(QueuedJob, row_id).attempts = 5
        end_read()
        raise ZeroDivisionError
    assert stored(row_id).attempts == 0


def test_a_snapshot_is_of_one_moment(app, row_id):
    def change() -> None:
        with transaction() as session:
            session.get_one(QueuedJob, row_id).attempts = 5

    query = select(QueuedJob.attempts).where(QueuedJob.id == row_id)
    with snapshot() as session:
        before = session.scalar(query)
        in_threads(app, change, threads=1)
        assert session.scalar(query) == before == 0
    assert stored(row_id).attempts == 5


def test_times_are_aware_and_utc(app):
    noon = datetime(2026, 1, 31, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    with transaction() as session:
        row = new_row(run_at=noon)
        session.add(row)
    found = stored(row.id).run_at
    assert found == noon
    assert found.utcoffset() == timedelta(0)
    assert utc_now().tzinfo is UTC


def test_a_naive_time_is_refused(app):
    with pytest.raises(ValueError, match="naive"):
        UtcDateTime().process_bind_param(datetime(2026, 1, 31), None)
    with pytest.raises(exc.StatementError, match="naive"), transaction() as session:
        session.add(new_row(run_at=datetime(2026, 1, 31)))
