from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.database import db, end_read, transaction
from blueprints.metrics.models import (
    ErrorHour,
    ErrorUser,
    MetricDay,
    MetricDelta,
    MetricHour,
    MetricMinute,
    MetricTotal,
)
from blueprints.metrics.services import folding, prune_metrics, retention

NOW = datetime.fromisoformat("2027-06-15T12:00:00Z")
COUNTS = {
    "route": "/a",
    "method": "GET",
    "status_class": "2xx",
    "count": 1,
    "sum_ms": 1.0,
    "max_ms": 1.0,
    "queue_count": 0,
    "queue_sum_ms": 0.0,
    "queue_max_ms": 0.0,
    "sketch": {},
}
ROWS = {
    "delta": lambda at: MetricDelta(process=UUID(int=1), seq=int(at.timestamp()), folded_at=at),
    "minute": lambda at: MetricMinute(start_at=at, **COUNTS),
    "hour": lambda at: MetricHour(start_at=at, **COUNTS),
    "day": lambda at: MetricDay(start_at=at, **COUNTS),
    "error hour": lambda at: ErrorHour(hour=at, error_type="KeyError", count=1),
    "error user": lambda at: ErrorUser(hour=at, error_type="KeyError", user_id=UUID(int=1)),
}
KEPT = {
    "delta": timedelta(hours=6),
    "minute": timedelta(hours=48),
    "hour": timedelta(days=35),
    "day": timedelta(days=400),
    "error hour": timedelta(days=30),
    "error user": timedelta(days=30),
}


def add(*rows):
    with transaction() as session:
        session.add_all(rows)


def count(model):
    found = db.session.scalar(select(func.count()).select_from(model))
    end_read()
    return found


@pytest.mark.parametrize("kind", ROWS)
def test_a_row_is_kept_for_its_time_and_no_longer(app, kind):
    edge = NOW - KEPT[kind]
    make = ROWS[kind]
    add(make(edge - timedelta(seconds=1)), make(edge), make(edge + timedelta(seconds=1)))
    model = type(make(NOW))
    assert prune_metrics(NOW) == 1
    assert count(model) == 2


def test_a_delta_that_is_not_folded_is_never_deleted(app):
    long_ago = NOW - timedelta(days=1000)
    add(MetricDelta(process=UUID(int=1), seq=1, created_at=long_ago, payload={}))
    assert prune_metrics(NOW) == 0


def test_totals_stay_for_ever(app):
    add(MetricTotal(name="app_errors_total", labels="{}", value=1))
    prune_metrics(NOW + timedelta(days=10_000))
    assert count(MetricTotal) == 1


def test_many_rows_go_in_small_deletes_and_the_rest_waits_for_the_next_run(app, monkeypatch):
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 2)
    monkeypatch.setattr(retention, "DELETES_AT_ONCE", 3)
    monkeypatch.setattr(retention, "transaction", counting := Counting())
    add(*(ROWS["minute"](NOW - timedelta(days=3, minutes=minute)) for minute in range(9)))
    assert prune_metrics(NOW) == 6
    assert counting.times == 3 + 5  # the other tables are empty
    assert prune_metrics(NOW) == 3
    assert count(MetricMinute) == 0


class Counting:
    """transaction() that counts how often it was used."""

    def __init__(self):
        self.times = 0

    def __call__(self):
        self.times += 1
        return transaction()


def test_a_key_outlives_every_try_to_store_its_delta_again():
    kept = {column.class_: kept for column, kept in retention.KEPT}[MetricDelta]
    assert kept >= timedelta(seconds=folding.RETRY_SECONDS) + timedelta(hours=1)
