"""Which failures of the database pass, and are 503 then: by their code, and never our own mistakes."""

import sqlite3
from collections.abc import Callable, Iterator
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import create_engine, event, exc, make_url, text

from app.database import db, is_unavailable, transaction
from app.jobs import QueuedJob
from tests.app.conftest import SAMPLE
from tests.clients import Program


@pytest.fixture
def row_id(app: Flask) -> UUID:
    """A stored row to lock."""
    with transaction() as session:
        row = QueuedJob(id=uuid4(), name="locked")
        session.add(row)
    return row.id


@pytest.fixture
def impatient(make_app: Callable[..., Flask]) -> Iterator[Flask]:
    """An application whose SQLite waits for a lock for a moment only."""
    app = make_app(BLUEPRINTS=SAMPLE)
    with app.app_context():
        event.listen(db.engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=50"))
        yield app


@pytest.mark.sqlite_only("a PostgreSQL database has no lock that every writer needs")
def test_a_locked_file_is_503(impatient, environ):
    locker = sqlite3.connect(make_url(environ["DATABASE_URL"]).database, isolation_level=None)
    locker.execute("BEGIN IMMEDIATE")
    try:
        answer = Program(impatient).post("/sample/write")
        assert (answer.status, answer.code) == (503, "SERVICE_UNAVAILABLE")
        assert int(answer.response.headers["Retry-After"]) > 0
        assert Program(impatient).get("/auth/session").status == 401, "readers do not wait for a writer"
    finally:
        locker.execute("ROLLBACK")
        locker.close()
    assert Program(impatient).post("/sample/write").status == 200


@pytest.mark.postgresql_only("SQLite has no statement timeout")
@pytest.mark.parametrize(
    "setting, statement",
    [
        ("statement_timeout = 50", "SELECT pg_sleep(5)"),
        ("lock_timeout = 50", "SELECT attempts FROM jobs FOR UPDATE"),
    ],
)
def test_a_timeout_is_unavailable(app, row_id, setting, statement):
    with db.engine.connect() as holder:
        holder.execute(text("SELECT attempts FROM jobs FOR UPDATE"))
        with pytest.raises(exc.DBAPIError) as refused, transaction() as session:
            session.execute(text(f"SET LOCAL {setting}"))
            session.execute(text(statement))
    assert is_unavailable(refused.value)


@pytest.mark.postgresql_only("SQLite has no server")
def test_a_lost_connection_is_unavailable_and_the_next_one_works(app, row_id):
    with db.engine.connect() as other, pytest.raises(exc.DBAPIError) as lost, transaction() as session:
        process = session.scalar(text("SELECT pg_backend_pid()"))
        other.execute(text(f"SELECT pg_terminate_backend({process})"))
        session.execute(text("SELECT 1"))
    assert is_unavailable(lost.value)
    assert db.session.scalar(text("SELECT count(*) FROM jobs")) == 1


def test_no_server_is_unavailable():
    for url in ("postgresql+psycopg2://x@127.0.0.1:1/x", "sqlite:////nowhere/at/all.db"):
        with pytest.raises(exc.OperationalError) as refused:
            create_engine(url).connect()
        assert is_unavailable(refused.value)


def test_our_own_mistakes_are_not_unavailable(app):
    with pytest.raises(exc.DBAPIError) as mistake:
        db.session.execute(text("SELECT nothing FROM nowhere"))
    db.session.rollback()
    assert not is_unavailable(mistake.value)
    assert not is_unavailable(ZeroDivisionError())


def test_an_exhausted_pool_is_503(make_app):
    small = make_app(BLUEPRINTS=SAMPLE, DB_POOL_SIZE="1")
    with small.app_context():
        db.engine.pool._timeout = 0.05
        with db.engine.connect():
            assert Program(small).post("/sample/write").status == 503
        assert Program(small).post("/sample/write").status == 200
