"""Takes deltas in and folds them into rollups, errors and totals: each exactly once, however late."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.database import transaction, utc_now
from blueprints.metrics.models import (
    ErrorHour,
    ErrorUser,
    MetricDay,
    MetricDelta,
    MetricHour,
    MetricMinute,
    MetricTotal,
    Rollup,
)
from blueprints.metrics.recorder import Delta
from blueprints.metrics.series import Series
from blueprints.metrics.sketch import Sketch
from blueprints.metrics.tally import Key, Tally

RETRY_SECONDS = 5 * 3600  # how long a process tries to store a delta; less than its key is kept
DELTAS_AT_ONCE = 500
FOLDING_LOCK = 6_512_001  # of pg_try_advisory_xact_lock; any number no one else uses
SPANS: tuple[tuple[type[Rollup], int], ...] = ((MetricMinute, 60), (MetricHour, 3600), (MetricDay, 86_400))


def store_delta(delta: Delta) -> None:
    """Keep a delta until it is folded; the same one again, even after it was folded, changes nothing."""
    with transaction() as session:
        if session.get(MetricDelta, (delta.process, delta.seq)) is None:
            session.add(MetricDelta(process=delta.process, seq=delta.seq, payload=delta.payload))


def unfolded(session: Session) -> Tally:
    """The sum of the deltas that are in no rollup yet."""
    return Tally(session.scalars(select(MetricDelta.payload).where(MetricDelta.folded_at.is_(None))))


def fold_deltas() -> int:
    """Fold the oldest deltas, 500 at most, all of it in one transaction; how many it were."""
    with transaction() as session:
        if not is_only_folder(session):
            return 0
        deltas = claim(session)
        tally = Tally(delta.payload for delta in deltas)
        for delta in deltas:
            delta.folded_at = utc_now()
            delta.payload = None
        for model, seconds in SPANS:
            fold_requests(session, model, tally.by(seconds))
        fold_errors(session, tally)
        fold_totals(session, tally)
        return len(deltas)


def is_only_folder(session: Session) -> bool:
    """Whether nobody else folds until this transaction ends; on SQLite a transaction that writes is alone."""
    if session.get_bind().dialect.name == "sqlite":
        return True
    return bool(session.scalar(select(func.pg_try_advisory_xact_lock(FOLDING_LOCK))))


def claim(session: Session) -> list[MetricDelta]:
    """The oldest deltas that wait to be folded, a bounded number at once."""
    oldest = select(MetricDelta).where(MetricDelta.folded_at.is_(None)).order_by(MetricDelta.created_at)
    return list(session.scalars(oldest.limit(DELTAS_AT_ONCE)))


def fold_requests(session: Session, model: type[Rollup], requests: dict[Key, Series]) -> None:
    """Add to the rows of one rollup. Nobody else writes them, so they may be read, merged and written."""
    starts = {start_at for start_at, *_ in requests}
    rows: dict[Key, Rollup] = {
        (row.start_at, row.method, row.route, row.status_class): row
        for row in session.scalars(select(model).where(model.start_at.in_(starts)))
    }
    for key, series in requests.items():
        if key in rows:
            add_to(rows[key], series)
        else:
            session.add(new_row(model, key, series))


def new_row(model: type[Rollup], key: Key, series: Series) -> Rollup:
    """The first row of a rollup for a key."""
    start_at, method, route, status_class = key
    return model(
        start_at=start_at,
        method=method,
        route=route,
        status_class=status_class,
        count=series.count,
        sum_ms=series.sum_us / 1000,
        max_ms=series.sketch.max_ms,
        queue_count=series.queue_count,
        queue_sum_ms=series.queue_sum_us / 1000,
        queue_max_ms=series.queue_max_ms,
        sketch=series.sketch.to_json(),
    )


def add_to(row: Rollup, series: Series) -> None:
    """Merge a series into the row that its key has already."""
    sketch = Sketch.from_json(row.sketch)
    sketch.merge(series.sketch)
    row.sketch = sketch.to_json()
    row.count = sketch.count
    row.max_ms = sketch.max_ms
    row.sum_ms += series.sum_us / 1000
    row.queue_count += series.queue_count
    row.queue_sum_ms += series.queue_sum_us / 1000
    row.queue_max_ms = max(row.queue_max_ms, series.queue_max_ms)


def fold_errors(session: Session, tally: Tally) -> None:
    """Add the errors and the users who met them to their hours."""
    counts = [
        {"hour": hour, "error_type": error_type, "count": count}
        for (hour, error_type), count in sorted(tally.errors.items())
    ]
    users = [
        {"hour": hour, "error_type": error_type, "user_id": user_id}
        for (hour, error_type), found in sorted(tally.users.items())
        for user_id in sorted(found)
    ]
    insert_or_add(session, ErrorHour, counts, adds="count")
    insert_or_add(session, ErrorUser, users)


def fold_totals(session: Session, tally: Tally) -> None:
    """Add to the counters that never fall."""
    rows = [
        {"name": name, "labels": labels, "value": value} for (name, labels), value in sorted(tally.increments().items())
    ]
    insert_or_add(session, MetricTotal, rows, adds="value")


def insert_or_add(session: Session, model: Any, rows: Iterable[dict[str, Any]], adds: str | None = None) -> None:
    """Insert rows; where one with the same key exists, add to its column `adds`, or leave it alone."""
    rows = list(rows)
    if not rows:
        return
    table = model.__table__
    if session.get_bind().dialect.name == "postgresql":  # each dialect takes 20 ms to import
        from sqlalchemy.dialects.postgresql import insert as insert_into
    else:
        from sqlalchemy.dialects.sqlite import insert as insert_into
    insert = insert_into(table)
    key = list(table.primary_key)
    if adds is None:
        statement = insert.on_conflict_do_nothing(index_elements=key)
    else:
        raised = {adds: table.c[adds] + insert.excluded[adds]}
        statement = insert.on_conflict_do_update(index_elements=key, set_=raised)
    session.execute(statement, rows)
