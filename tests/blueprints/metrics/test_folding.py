from datetime import timedelta
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
from blueprints.metrics.recorder import Recorder
from blueprints.metrics.services import folding, prometheus_text, report
from blueprints.metrics.services.folding import fold_deltas, store_delta
from blueprints.metrics.sketch import Sketch
from blueprints.metrics.tally import Tally

NOTHING = {"requests": [], "errors": [], "dropped": 0}
ROLLUPS = (MetricMinute, MetricHour, MetricDay)


def rows_of(model):
    rows = db.session.scalars(select(model).order_by(*model.__table__.primary_key)).all()
    end_read()
    return rows


def counted(model):
    return [(row.start_at, row.method, row.route, row.status_class, row.count) for row in rows_of(model)]


def totals():
    return {(row.name, row.labels): row.value for row in rows_of(MetricTotal)}


def unfolded_count():
    found = db.session.scalar(select(func.count()).where(MetricDelta.folded_at.is_(None)))
    end_read()
    return found


def test_a_delta_is_folded_into_its_minute_hour_and_day(app, recorder, clock):
    clock.back(minutes=1)
    recorder.add_request("GET", "/a", "2xx", 0.010, 0.2)
    recorder.add_request("GET", "/a", "2xx", 0.030)
    store_delta(recorder.drain())

    assert fold_deltas() == 1

    for model, start in zip(ROLLUPS, ("11:59", "11:00", "00:00"), strict=True):
        (row,) = rows_of(model)
        assert f"{row.start_at:%Y-%m-%d %H:%M}" == f"2027-06-15 {start}"
        assert (row.method, row.route, row.status_class) == ("GET", "/a", "2xx")
        assert (row.count, row.max_ms) == (2, 30)
        assert row.sum_ms == pytest.approx(40)
        assert (row.queue_count, row.queue_sum_ms, row.queue_max_ms) == (1, 200, 200)
        assert Sketch.from_json(row.sketch).count == 2


def test_deltas_of_many_processes_add_up_exactly(app, clock):
    expected, total_ms = Sketch(), 0.0
    for number in range(4):
        recorder = Recorder()
        for step in range(1, 6):
            seconds = 0.001 * 3 ** (number + step % 3)
            recorder.add_request("GET", "/a", "2xx", seconds, seconds)
            expected.add(seconds * 1000)
            total_ms += seconds * 1000
            store_delta(recorder.drain())
        fold_deltas()

    for model in ROLLUPS:
        (row,) = rows_of(model)
        assert row.sketch == expected.to_json()
        assert (row.count, row.queue_count) == (20, 20)
        assert row.max_ms == row.queue_max_ms == expected.max_ms
        assert row.sum_ms == row.queue_sum_ms == pytest.approx(total_ms)


def test_minutes_of_one_hour_share_the_row_of_the_hour(app, recorder, clock):
    for minutes in (1, 2, 61):
        clock.back(minutes=minutes)
        recorder.add_request("GET", "/a", "2xx", 0.01)
    store_delta(recorder.drain())
    fold_deltas()
    assert [row.count for row in rows_of(MetricMinute)] == [1, 1, 1]
    assert [row.count for row in rows_of(MetricHour)] == [1, 2]
    assert [row.count for row in rows_of(MetricDay)] == [3]


def test_method_route_and_status_class_have_rows_of_their_own(app, recorder):
    for key in (("GET", "/a", "2xx"), ("GET", "/a", "5xx"), ("POST", "/a", "2xx"), ("GET", "/b", "2xx")):
        recorder.add_request(*key, 0.01)
    store_delta(recorder.drain())
    fold_deltas()
    assert len(rows_of(MetricMinute)) == len(rows_of(MetricDay)) == 4


def test_a_late_delta_goes_where_it_belongs(app, recorder, clock):
    clock.back(minutes=5)
    recorder.add_request("GET", "/a", "2xx", 0.01)
    late = recorder.drain()
    clock.back(minutes=5)
    recorder.add_request("GET", "/a", "2xx", 0.01)
    store_delta(recorder.drain())
    fold_deltas()
    store_delta(late)
    fold_deltas()
    assert [row.count for row in rows_of(MetricMinute)] == [2]


def test_a_delta_stored_again_counts_once_before_and_after_folding(app, recorder):
    recorder.add_request("GET", "/a", "2xx", 0.01)
    delta = recorder.drain()
    store_delta(delta)
    store_delta(delta)
    assert fold_deltas() == 1
    store_delta(delta)
    assert fold_deltas() == 0
    assert [row.count for row in rows_of(MetricMinute)] == [1]


def test_a_folded_delta_keeps_its_key_and_not_its_payload(app, recorder):
    recorder.add_request("GET", "/a", "2xx", 0.01)
    store_delta(recorder.drain())
    fold_deltas()
    (row,) = rows_of(MetricDelta)
    assert row.payload is None
    assert row.folded_at is not None


def test_folding_fails_as_a_whole(app, recorder, monkeypatch):
    recorder.add_request("GET", "/a", "2xx", 0.01)
    recorder.add_error(KeyError(), UUID(int=1))
    store_delta(recorder.drain())
    with monkeypatch.context() as patch:
        patch.setattr(folding, "fold_totals", lambda session, tally: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fold_deltas()

    for model in (*ROLLUPS, ErrorHour, ErrorUser, MetricTotal):
        assert rows_of(model) == []
    assert fold_deltas() == 1


def test_the_oldest_deltas_are_folded_first_and_the_rest_later(app, clock, monkeypatch):
    monkeypatch.setattr(folding, "DELTAS_AT_ONCE", 2)
    with transaction() as session:
        for seq, age_seconds in enumerate((1, 3, 2)):
            created_at = clock.now - timedelta(seconds=age_seconds)
            session.add(MetricDelta(process=UUID(int=1), seq=seq, created_at=created_at, payload=NOTHING))
    assert fold_deltas() == 2
    assert [row.seq for row in rows_of(MetricDelta) if row.folded_at is None] == [0]
    assert fold_deltas() == 1


def test_the_longest_wait_is_kept(app, recorder):
    for queue_seconds in (0.5, 0.4):
        recorder.add_request("GET", "/a", "2xx", 0.01, queue_seconds)
        store_delta(recorder.drain())
    fold_deltas()
    recorder.add_request("GET", "/a", "2xx", 0.01, 0.1)
    store_delta(recorder.drain())
    fold_deltas()
    assert [row.queue_max_ms for model in ROLLUPS for row in rows_of(model)] == [500, 500, 500]


def test_a_delta_without_payload_adds_nothing():
    assert Tally([None, NOTHING]).increments() == {}


def test_errors_add_up_and_users_are_counted_once(app, recorder, clock):
    for user in (1, 2, 1, None):
        recorder.add_error(KeyError(), UUID(int=user) if user else None)
        store_delta(recorder.drain())
        fold_deltas()
    clock.back(hours=1)
    recorder.add_error(KeyError(), UUID(int=1))
    recorder.add_error(ValueError())
    store_delta(recorder.drain())
    fold_deltas()

    found = [(f"{row.hour:%H}", row.error_type, row.count) for row in rows_of(ErrorHour)]
    assert found == [("11", "KeyError", 1), ("11", "ValueError", 1), ("12", "KeyError", 4)]
    found = [(f"{row.hour:%H}", row.error_type, row.user_id.int) for row in rows_of(ErrorUser)]
    assert found == [("11", "KeyError", 1), ("12", "KeyError", 1), ("12", "KeyError", 2)]


def test_totals_rise_with_every_delta(app, recorder):
    for seconds in (0.004, 0.004, 20.0):
        recorder.add_request("GET", "/a", "2xx", seconds, 0.05)
        recorder.add_error(KeyError())
        recorder.add_drop()
        store_delta(recorder.drain())
        fold_deltas()

    labels = '"method": "GET", "route": "/a", "status_class": "2xx"}'
    assert totals() == {
        ("http_server_request_duration_seconds_bucket", '{"le": "0.005", ' + labels): 2,
        ("http_server_request_duration_seconds_bucket", '{"le": "+Inf", ' + labels): 1,
        ("http_server_request_duration_seconds_sum_us", "{" + labels): 20_008_000,
        ("http_server_queue_seconds_bucket", '{"le": "0.05"}'): 3,
        ("http_server_queue_seconds_sum_us", "{}"): 150_000,
        ("app_errors_total", '{"type": "KeyError"}'): 3,
        ("monitor_dropped_total", "{}"): 3,
    }


def test_folding_changes_nothing_that_a_reader_sees(app, recorder, clock):
    for number in range(6):
        clock.back(minutes=number)
        recorder.add_request("GET", f"/{number % 2}", f"{2 + number % 4}xx", 0.01 * 2**number, 0.1)
        recorder.add_error(KeyError(), UUID(int=number % 3))
        store_delta(recorder.drain())
        if number == 2:
            fold_deltas()
    clock.back()
    before = report(clock.now), without_lag(prometheus_text())

    fold_deltas()

    assert unfolded_count() == 0
    assert (report(clock.now), without_lag(prometheus_text())) == before


def without_lag(text):
    return [line for line in text.splitlines() if not line.startswith("monitor_flush_lag_seconds")]
