"""Forgets what is older than it is worth, in deletes small enough that nobody waits for them."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, tuple_

from app.database import transaction, utc_now
from blueprints.metrics.models import ErrorHour, ErrorUser, MetricDay, MetricDelta, MetricHour, MetricMinute

ROWS_AT_ONCE = 500
DELETES_AT_ONCE = 200  # of one table in one run; the next run goes on
# The column that is compared, and how long a row is kept. Deltas keep their keys for longer than a process
# tries to send one again.
KEPT: tuple[tuple[Any, timedelta], ...] = (
    (MetricDelta.folded_at, timedelta(hours=6)),
    (MetricMinute.start_at, timedelta(hours=48)),
    (MetricHour.start_at, timedelta(days=35)),
    (MetricDay.start_at, timedelta(days=400)),
    (ErrorUser.hour, timedelta(days=30)),
    (ErrorHour.hour, timedelta(days=30)),
)


def prune_metrics(now: datetime | None = None) -> int:
    """Delete everything past its retention; how many rows it was. Totals stay for ever."""
    now = now or utc_now()
    deleted = 0
    for column, kept in KEPT:
        for _ in range(DELETES_AT_ONCE):
            found = delete_some(column, now - kept)
            deleted += found
            if found < ROWS_AT_ONCE:
                break
    return deleted


def delete_some(column: Any, before: datetime) -> int:
    """Delete at most 500 rows whose `column` lies before a moment, in a transaction of their own."""
    table = column.class_.__table__
    key = list(table.primary_key)
    old = select(*key).where(column < before).limit(ROWS_AT_ONCE)
    with transaction() as session:
        found = session.execute(delete(table).where(tuple_(*key).in_(old)))
        return found.rowcount  # type: ignore[attr-defined]
