from datetime import timedelta
from uuid import UUID

import pytest

from blueprints.metrics.recorder import Recorder
from blueprints.metrics.services import fold_deltas, report, reports, store_delta


@pytest.fixture(params=["folded", "not folded", "half folded"])
def store(request, app):
    """Store what a recorder counted; it is folded, not folded, or something before it was."""

    def store(recorder):
        delta = recorder.drain()
        if delta is not None:
            store_delta(delta)
        if request.param == "folded":
            fold_deltas()

    if request.param == "half folded":
        before = Recorder()
        before.add_request("TRACE", "/before", "2xx", 0.001)
        store_delta(before.drain())
        fold_deltas()
    return store


def performance(now):
    rows = [row for row in report(now).performance if row.method != "TRACE"]
    return [(row.endpoint, row.method, row.request_count) for row in rows]


def test_nothing_counted_is_an_empty_report(app, clock):
    found = report(clock.now)
    assert (found.errors, found.performance, found.timestamp) == ([], [], clock.now)


def test_performance_covers_sixty_whole_minutes_and_the_running_one(store, recorder, clock):
    now = clock.now + timedelta(seconds=30)
    for seconds in (0, 29, 60, 3600, 3601, 7200):
        clock.now = now - timedelta(seconds=seconds + 1)
        recorder.add_request("GET", f"/{seconds}", "2xx", 0.01)
    clock.now = now - timedelta(minutes=60, seconds=30)  # the first moment of the first whole minute
    recorder.add_request("GET", "/first", "2xx", 0.01)
    clock.now -= timedelta(seconds=1)
    recorder.add_request("GET", "/before", "2xx", 0.01)
    store(recorder)
    found = {endpoint for endpoint, _, _ in performance(now)}
    assert found == {"/0", "/29", "/60", "/3600", "/3601", "/first"}


def test_the_most_frequent_endpoint_comes_first_and_each_method_has_a_row(store, recorder, clock):
    for method, route, times in (("GET", "/b", 2), ("POST", "/a", 3), ("GET", "/a", 2), ("GET", "(unmatched)", 4)):
        for _ in range(times):
            recorder.add_request(method, route, "2xx", 0.01)
    store(recorder)
    assert performance(clock.now) == [
        ("(unmatched)", "GET", 4),
        ("/a", "POST", 3),
        ("/a", "GET", 2),
        ("/b", "GET", 2),
    ]


def test_minutes_and_status_classes_of_an_endpoint_are_one_row(store, recorder, clock):
    for minutes, status_class, seconds in ((0, "2xx", 0.1), (0, "5xx", 0.2), (7, "2xx", 0.3), (7, "5xx", 0.6)):
        clock.back(minutes=minutes)
        recorder.add_request("GET", "/a", status_class, seconds)
        store(recorder)
    clock.back()
    (row,) = [row for row in report(clock.now).performance if row.endpoint == "/a"]
    assert (row.request_count, row.error_count, row.avg_response_time) == (4, 2, 300.0)
    assert row.p95_response_time == pytest.approx(555, rel=0.02)  # 300 + 0.85 * 300
    assert row.p99_response_time == pytest.approx(591, rel=0.02)


def test_times_have_one_decimal(store, recorder, clock):
    for seconds in (0.0012345, 0.0012345, 0.0012345):
        recorder.add_request("GET", "/a", "2xx", seconds)
    store(recorder)
    (row,) = [row for row in report(clock.now).performance if row.endpoint == "/a"]
    assert (row.avg_response_time, row.p95_response_time, row.p99_response_time) == (1.2, 1.2, 1.2)


def test_errors_cover_the_last_day_newest_first(store, recorder, clock):
    now = clock.now + timedelta(minutes=30)
    for hours in (0, 1, 23, 24, 25):
        clock.now = now - timedelta(hours=hours)
        recorder.add_error(KeyError())
    for _ in range(2):
        clock.now = now
        recorder.add_error(ValueError())
    clock.now = now
    recorder.add_error(IndexError())
    store(recorder)
    assert [(f"{row.hour:%d %H:%M}", row.error_type, row.error_count) for row in report(now).errors] == [
        ("15 12:00", "ValueError", 2),
        ("15 12:00", "IndexError", 1),
        ("15 12:00", "KeyError", 1),
        ("15 11:00", "KeyError", 1),
        ("14 13:00", "KeyError", 1),
        ("14 12:00", "KeyError", 1),
    ]


def test_affected_users_are_distinct_over_processes(store, clock, monkeypatch):
    monkeypatch.setattr(reports, "USERS_AT_ONCE", 2)
    for users in ((1, 2, 3, 3), (3, 4), (None,)):
        recorder = Recorder()
        for user in users:
            recorder.add_error(KeyError(), UUID(int=user) if user else None)
        store(recorder)
    (row,) = report(clock.now).errors
    assert (row.error_count, row.affected_users) == (7, 4)


def test_users_known_and_new_are_counted_together(app, clock):
    for users in ((1, 2, 3), (3, 4)):
        recorder = Recorder()
        for user in users:
            recorder.add_error(KeyError(), UUID(int=user))
        store_delta(recorder.drain())
        if users == (1, 2, 3):
            fold_deltas()
    (row,) = report(clock.now).errors
    assert (row.error_count, row.affected_users) == (5, 4)


def test_the_outside_sees_the_names_of_the_contract(store, recorder, clock):
    recorder.add_request("GET", "/teams/<uuid:team_id>", "2xx", 0.5)
    recorder.add_error(KeyError(), UUID(int=1))
    store(recorder)
    found = report(clock.now).as_json()
    assert list(found) == ["errors", "performance", "timestamp"]
    assert found["timestamp"] == "2027-06-15T12:00:00.000Z"
    assert found["errors"] == [
        {
            "hour": "2027-06-15T12:00:00.000Z",
            "error_type": "KeyError",
            "error_count": 1,
            "affected_users": 1,
        }
    ]
    assert [row for row in found["performance"] if row["method"] != "TRACE"] == [
        {
            "endpoint": "/teams/<uuid:team_id>",
            "method": "GET",
            "request_count": 1,
            "avg_response_time": 500.0,
            "p95_response_time": 500.0,
            "p99_response_time": 500.0,
            "error_count": 0,
        }
    ]
