"""The database: sessions, the one way to change anything, and what a failure of it means."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from weakref import WeakSet

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import DateTime, Engine, MetaData, event, exc
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

NAMING = {
    "ix": "idx_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
# PostgreSQL states that mean "not now": cancelled, lock not available, deadlock, serialization.
PASSING_STATES = ("57014", "55P03", "40P01", "40001", "25006")
PASSING_CLASSES = ("53", "08", "57P0")
PASSING_SQLITE = ("SQLITE_BUSY", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_LOCKED", "SQLITE_READONLY")

_engines: WeakSet[Engine] = WeakSet()


class Base(DeclarativeBase):
    """Mother of every model; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(naming_convention=NAMING)


db = SQLAlchemy(model_class=Base, session_options={"expire_on_commit": False})


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC on both databases; a naive one is an error."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def utc_now() -> datetime:
    """The time, aware and in UTC."""
    return datetime.now(UTC)


def init_app(app: Flask, settings: Any) -> None:
    """Set up the engine with every timeout; connects to nothing."""
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(settings)
    db.init_app(app)
    with app.app_context():
        engine = db.engine
    _engines.add(engine)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", set_up_sqlite)
        event.listen(engine, "begin", begin_sqlite)


def engine_options(settings: Any) -> dict[str, Any]:
    """Pool sizes and timeouts of the engine, in seconds unless a name says otherwise."""
    options: dict[str, Any] = {"hide_parameters": True, "pool_pre_ping": not settings.is_sqlite}
    options |= {"pool_size": settings.db_pool_size, "max_overflow": 0, "pool_timeout": 3}
    if settings.is_sqlite:
        return options | {"connect_args": {"timeout": 5, "check_same_thread": False}}
    timeouts = "-c statement_timeout=5000 -c lock_timeout=2000 -c idle_in_transaction_session_timeout=10000"
    return options | {
        "pool_recycle": 300,
        "connect_args": {
            "connect_timeout": 2,
            "options": timeouts,
            "keepalives": 1,
            "keepalives_idle": 5,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "application_name": "web",
        },
    }


def set_up_sqlite(connection: Any, record: Any) -> None:
    """Prepare a new connection: readers beside one writer, foreign keys, a patient wait for locks."""
    connection.isolation_level = None  # the `begin` event below says how a transaction begins
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def begin_sqlite(connection: Any) -> None:
    """Writers wait for each other at the start; readers never do.

    A deferred transaction that turns into a writer fails at once with BUSY_SNAPSHOT.
    """
    immediate = connection.get_execution_options().get("write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


@contextmanager
def transaction(**refusals: type[Exception]) -> Iterator[Session]:
    """The only way to change anything: all of it is committed at the end, or nothing.

    What was read before is expired, so read again inside what you decide on. Used inside another one it
    is a savepoint. `transaction(uq_users_email=EmailTaken)` raises EmailTaken when that unique constraint
    or index refuses the change.

    :raises RuntimeError: something was changed before the transaction began.
    """
    session = db.session()
    if session.info.get("in_transaction"):
        yield from savepoint(session, refusals)
        return
    if session.new or session.dirty or session.deleted:
        raise RuntimeError("Changed outside of transaction()")
    end_read()
    session.expire_all()
    session.info |= {"in_transaction": True, "after_commit": []}
    try:
        session.connection(execution_options={"write": True})
        yield session
        session.commit()
    except BaseException as error:
        session.rollback()
        refusal = refusal_for(error, refusals) if isinstance(error, exc.IntegrityError) else None
        if refusal is not None:
            raise refusal from error
        raise
    finally:
        session.info["in_transaction"] = False
        after_commit = session.info.pop("after_commit")
    for act in after_commit:
        act()


def savepoint(session: Session, refusals: dict[str, type[Exception]]) -> Iterator[Session]:
    """A transaction inside another: rolled back alone, with what was to happen after its commit."""
    waiting = len(session.info["after_commit"])
    try:
        with session.begin_nested():
            yield session
    except BaseException as error:
        del session.info["after_commit"][waiting:]
        refusal = refusal_for(error, refusals) if isinstance(error, exc.IntegrityError) else None
        if refusal is not None:
            raise refusal from error
        raise


def in_transaction() -> bool:
    """Whether a `transaction()` is open here."""
    return bool(db.session().info.get("in_transaction"))


def on_commit(act: Callable[[], Any]) -> None:
    """Run `act` after the current transaction has been committed; never after a rollback.

    :raises RuntimeError: there is no transaction.
    """
    session = db.session()
    if not session.info.get("in_transaction"):
        raise RuntimeError("Not inside transaction()")
    session.info["after_commit"].append(act)


def end_read() -> None:
    """Give the connection back after reading; what was read stays usable."""
    session = db.session()
    if not session.info.get("in_transaction"):
        session.commit()


@contextmanager
def snapshot() -> Iterator[Session]:
    """Read several things as they were at one moment."""
    end_read()
    session = db.session()
    if db.engine.dialect.name == "postgresql":
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    try:
        yield session
    finally:
        session.rollback()


def refusal_for(error: exc.IntegrityError, refusals: dict[str, type[Exception]]) -> Exception | None:
    """The refusal that the caller named for the constraint in `error`, or None."""
    diagnosis = getattr(error.orig, "diag", None)
    if diagnosis is not None:
        names = {diagnosis.constraint_name}
    else:
        names = sqlite_constraints(str(error.orig))
    for name, refusal in refusals.items():
        if name in names:
            return refusal()
    return None


def sqlite_constraints(message: str) -> set[str]:
    """Names of the unique constraints and indexes that SQLite means; it tells only `table.column, …`."""
    _, _, text = message.partition("UNIQUE constraint failed: ")
    columns = {part.strip() for part in text.split(",")}
    found: set[str] = set()
    for table in Base.metadata.tables.values():
        candidates = [*table.indexes, *table.constraints]
        for candidate in candidates:
            named = {f"{table.name}.{column.name}" for column in getattr(candidate, "columns", ())}
            if named and named == columns and candidate.name:
                found.add(str(candidate.name))
    return found


def is_unavailable(error: BaseException) -> bool:
    """Whether a failure of the database will pass, by its code: then the answer is 503, not 500."""
    if isinstance(error, exc.TimeoutError):
        return True
    if not isinstance(error, exc.DBAPIError):
        return False
    state = getattr(error.orig, "pgcode", None)
    if state:
        return state in PASSING_STATES or state.startswith(PASSING_CLASSES)
    sqlite_name = getattr(error.orig, "sqlite_errorname", "")
    if sqlite_name:
        return sqlite_name.startswith(PASSING_SQLITE)
    # No code at all: psycopg2 could not connect, or the connection was lost.
    return error.connection_invalidated or isinstance(error, exc.OperationalError)


def forget_inherited_connections() -> None:
    """In a forked child, drop the parent's connections without closing them: two processes on one mix answers."""
    for engine in list(_engines):
        engine.dispose(close=False)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_inherited_connections)
