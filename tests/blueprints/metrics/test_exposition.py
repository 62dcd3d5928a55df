import random
from datetime import timedelta
from uuid import UUID

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from app.database import transaction
from blueprints.metrics.models import MetricDelta
from blueprints.metrics.recorder import Recorder
from blueprints.metrics.services import fold_deltas, folding, prometheus_text, prune_metrics, store_delta


def samples(text, parse=parse_text):
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in parse(text)
        for sample in family.samples
    }


@pytest.fixture(params=["folded", "not folded"])
def store(request, app):
    def store(recorder):
        store_delta(recorder.drain())
        if request.param == "folded":
            fold_deltas()

    return store


NOTHING = {"requests": [], "errors": [], "dropped": 0}
KEY = (("method", "GET"), ("route", "/a"), ("status_class", "2xx"))


def test_nothing_counted_is_valid_in_both_formats(app, monkeypatch):
    monkeypatch.setitem(app.extensions["hooks"], "check_statuses", [])
    expected = {("monitor_dropped_total",): 0, ("monitor_flush_lag_seconds",): 0}
    assert samples(prometheus_text()) == expected
    assert samples(prometheus_text(openmetrics=True), parse_openmetrics) == expected


def test_the_histogram_of_requests_contains_the_buckets_below(store, recorder):
    for seconds in (0.004, 0.02, 0.02, 0.3, 30):
        recorder.add_request("GET", "/a", "2xx", seconds)
    store(recorder)
    found = samples(prometheus_text())
    buckets = {
        float(dict(labels)["le"]): value
        for (name, *labels), value in found.items()
        if name == "http_server_request_duration_seconds_bucket"
    }
    below = {0.005: 1, 0.01: 1, 0.025: 3, 0.05: 3, 0.075: 3, 0.1: 3, 0.25: 3}
    above = dict.fromkeys((0.5, 0.75, 1, 2.5, 5, 7.5, 10), 4)
    assert buckets == below | above | {float("inf"): 5}
    assert found["http_server_request_duration_seconds_count", *KEY] == 5
    assert found["http_server_request_duration_seconds_sum", *KEY] == pytest.approx(30.344)


def test_the_queue_is_one_histogram_over_all_routes(store, recorder):
    recorder.add_request("GET", "/a", "2xx", 0.01, 0.02)
    recorder.add_request("POST", "/b", "5xx", 0.01, 3.0)
    recorder.add_request("POST", "/b", "5xx", 0.01)
    store(recorder)
    found = samples(prometheus_text())
    assert found["http_server_queue_seconds_count",] == 2
    assert found["http_server_queue_seconds_sum",] == pytest.approx(3.02)
    assert found["http_server_queue_seconds_bucket", ("le", "2.5")] == 1


def test_durations_of_nothing_have_a_sum(store, recorder):
    recorder.add_request("GET", "/a", "2xx", 0.0, 0.0)
    store(recorder)
    found = samples(prometheus_text())
    assert found["http_server_request_duration_seconds_sum", *KEY] == 0
    assert found["http_server_queue_seconds_count",] == 1


def test_no_counter_depends_on_the_order_of_folding(app, monkeypatch, clock):
    monkeypatch.setattr(folding, "DELTAS_AT_ONCE", 3)
    rng = random.Random(1)
    for _ in range(31):
        recorder = Recorder()
        recorder.add_request("GET", "/a", "2xx", rng.lognormvariate(-3, 2), rng.random())
        store_delta(recorder.drain())
    before = without_lag(samples(prometheus_text()))
    while fold_deltas():
        assert without_lag(samples(prometheus_text())) == before


def test_errors_and_drops_are_counted(store, recorder):
    recorder.add_error(KeyError())
    recorder.add_error(KeyError())
    recorder.add_error(ValueError())
    recorder.add_drop()
    store(recorder)
    found = samples(prometheus_text())
    assert found["app_errors_total", ("type", "KeyError")] == 2
    assert found["app_errors_total", ("type", "ValueError")] == 1
    assert found["monitor_dropped_total",] == 1


def test_openmetrics_says_the_same_and_ends_as_it_must(store, recorder):
    recorder.add_request("GET", "/a", "2xx", 0.2, 0.1)
    recorder.add_error(KeyError())
    store(recorder)
    text = prometheus_text(openmetrics=True)
    assert text.endswith("# EOF\n")
    assert without_lag(samples(text, parse_openmetrics)) == without_lag(samples(prometheus_text()))


def without_lag(found):
    return {key: value for key, value in found.items() if key[0] != "monitor_flush_lag_seconds"}


def test_counters_never_fall_not_even_when_everything_else_is_forgotten(app, clock):
    before = {}
    for _ in range(3):
        recorder = Recorder()
        recorder.add_request("GET", "/a", "2xx", 0.2, 0.1)
        recorder.add_error(KeyError())
        store_delta(recorder.drain())
        for change in (lambda: None, fold_deltas, lambda: prune_metrics(clock.now + timedelta(days=10_000))):
            change()
            found = without_lag(samples(prometheus_text()))
            assert all(found[key] >= value for key, value in before.items())
            before = found
    assert before["http_server_request_duration_seconds_count", *KEY] == 3
    assert before["app_errors_total", ("type", "KeyError")] == 3


def test_lag_is_the_age_of_the_oldest_delta_that_is_not_folded(app, clock):
    assert samples(prometheus_text(now=clock.now))["monitor_flush_lag_seconds",] == 0
    with transaction() as session:
        for seq, age_seconds in enumerate((5, 90, 20)):
            created_at = clock.now - timedelta(seconds=age_seconds)
            session.add(MetricDelta(process=UUID(int=1), seq=seq, created_at=created_at, payload=NOTHING))
    assert samples(prometheus_text(now=clock.now))["monitor_flush_lag_seconds",] == 90
    fold_deltas()
    assert samples(prometheus_text(now=clock.now))["monitor_flush_lag_seconds",] == 0


def test_health_checks_are_one_or_zero_and_unknown_ones_are_absent(app, monkeypatch):
    statuses = {"database": "healthy", "email": "unhealthy", "cache": "unknown"}
    hooks = app.extensions.setdefault("hooks", {})
    monkeypatch.setitem(hooks, "check_statuses", [lambda: statuses])
    found = {key: value for key, value in samples(prometheus_text()).items() if key[0] == "health_check_status"}
    assert found == {
        ("health_check_status", ("check", "database")): 1,
        ("health_check_status", ("check", "email")): 0,
    }


@pytest.mark.needs("health", "its checks are what is shown")
def test_the_real_checks_are_shown(app):
    assert samples(prometheus_text())["health_check_status", ("check", "database")] == 1
