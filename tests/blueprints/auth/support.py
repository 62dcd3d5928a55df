"""What the tests of accounts share: people who act at once, moved clocks, and looks into the database."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.cookies import Morsel, SimpleCookie
from threading import Barrier, Thread
from typing import Any

from flask import Flask
from sqlalchemy import event, func, select

from app.database import Base, UtcDateTime, db, transaction
from app.limits import LimitHit

NEW_PASSWORD = "eight more words nobody knows"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def succeeds(client: Any, status: int = 200) -> int:
    """The status of success: 303 for a browser."""
    return 303 if client.is_browser else status


def refuses(client: Any, status: int = 400) -> int:
    """The status of a refused field: 422 for a browser."""
    return 422 if client.is_browser else status


def cookies(answer: Any) -> dict[str, Morsel[str]]:
    """The cookies that an answer sets, with their attributes."""
    found: dict[str, Morsel[str]] = {}
    for line in answer.response.headers.getlist("Set-Cookie"):
        found |= SimpleCookie(line)
    return found


def cookie(client: Any, name: str = "session") -> str | None:
    """The value of a cookie that a client holds."""
    held = client.client.get_cookie(name)
    return held.value if held else None


def with_cookie(client: Any, value: str, name: str = "session") -> Any:
    """The client, holding a cookie."""
    client.client.set_cookie(name, value)
    return client


def count(model: Any, *where: Any) -> int:
    """How many rows there are."""
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model).where(*where)) or 0


def only(model: Any, *where: Any) -> Any:
    """The one row there is, as it is now."""
    db.session.rollback()
    db.session.expire_all()
    return db.session.scalars(select(model).where(*where)).one()


def change(model: Any, *where: Any, **values: Any) -> None:
    """Set columns of rows."""
    with transaction() as session:
        for row in session.scalars(select(model).where(*where)):
            for name, value in values.items():
                setattr(row, name, value)


def let_pass(model: Any, *where: Any, **time: float) -> None:
    """Let time pass for rows: every moment in them is moved back."""
    columns = [column.name for column in model.__table__.columns if isinstance(column.type, UtcDateTime)]
    with transaction() as session:
        for row in session.scalars(select(model).where(*where)):
            for name in columns:
                if getattr(row, name) is not None:
                    setattr(row, name, getattr(row, name) - timedelta(**time))


def let_limits_pass(**time: float) -> None:
    """Let time pass for what was counted."""
    seconds = timedelta(**time).total_seconds()
    with transaction() as session:
        for hit in session.scalars(select(LimitHit)):
            hit.at, hit.expires_at = hit.at - seconds, hit.expires_at - seconds


def at_once(times: int, act: Callable[[int], Any]) -> list[Any]:
    """What `act(0)`, `act(1)` … return, each called in a thread of its own at the same moment."""
    barrier, results = Barrier(times), [None] * times

    def run(number: int) -> None:
        barrier.wait(10)
        results[number] = act(number)

    threads = [Thread(target=run, args=(number,)) for number in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def dump(app: Flask, *without: str) -> str:
    """Everything that stands in the database, as text, raw."""
    lines = []
    with app.app_context(), db.engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            if table.name not in without:
                for row in connection.exec_driver_sql(f"SELECT * FROM {table.name}"):
                    lines.append(f"{table.name}: {tuple(row)!r}")
    return "\n".join(lines)


def row_counts(app: Flask) -> dict[str, int]:
    """How many rows each table has."""
    with app.app_context(), db.engine.connect() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in Base.metadata.sorted_tables
        }


@contextmanager
def statements(app: Flask) -> Iterator[list[str]]:
    """Collects what the database is asked meanwhile."""
    asked: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        asked.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", note)
