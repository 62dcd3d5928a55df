"""The monitor: cached, one refresh at a time, and never later than its deadline."""

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from app.plugins import Check
from blueprints.health import services
from blueprints.health.checks import checks as kernel_checks
from tests.blueprints.health.conftest import Counted


@pytest.fixture
def hang():
    """A check that does not come back until the test is over."""
    over = Event()
    yield Counted(lambda app: over.wait(30))
    over.set()


def grow_old(monitor, seconds):
    for name, result in monitor.results.items():
        monitor.results[name] = dataclasses.replace(result, checked_at=result.checked_at - seconds)


def at_once(times, act):
    barrier = Barrier(times)

    def run(_):
        barrier.wait(10)
        return act()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))


def test_results_are_cached(get, checks):
    database, storage = Counted(), Counted()
    monitor = checks(database=database, storage=storage)
    monitor.checks[1] = dataclasses.replace(monitor.checks[1], cached_seconds=30)
    for _ in range(3):
        get("/health")
    assert (database.runs, storage.runs) == (1, 1)
    grow_old(monitor, 5.1)
    get("/health")
    assert (database.runs, storage.runs) == (2, 1)
    grow_old(monitor, 30)
    get("/health")
    assert (database.runs, storage.runs) == (3, 2)


def test_how_long_the_kernels_own_are_cached():
    cached = {check.name: (check.cached_seconds, check.critical) for check in kernel_checks}
    assert cached == {"database": (5, True), "cache": (5, False), "storage": (30, False), "email": (60, False)}


def test_twenty_at_once_are_one_refresh(get, checks):
    release = Event()
    database = Counted(lambda app: release.wait(1) or True)
    checks(database=database)
    statuses = at_once(20, lambda: get("/health").status_code)
    assert statuses == [200] * 20
    assert database.runs == 1


def test_while_one_refreshes_the_others_get_the_last_result(get, checks):
    entered, release = Event(), Event()

    def slow_later(app):
        if database.runs > 1:
            entered.set()
            release.wait(10)
        return True

    database = Counted(slow_later)
    monitor = checks(database=database)
    get("/health")
    grow_old(monitor, 6)
    with ThreadPoolExecutor(1) as pool:
        refreshing = pool.submit(lambda: get("/health").status_code)
        assert entered.wait(10)
        assert [get("/health").status_code for _ in range(20)] == [200] * 20
        assert not refreshing.done()
        release.set()
        assert refreshing.result(10) == 200
    assert database.runs == 2


def test_checks_run_in_parallel(get, checks):
    """Each waits for the others: one after the other none would come back."""
    together = Barrier(3)
    checks(**{name: Counted(lambda app: together.wait(5) >= 0) for name in ("database", "cache", "storage")})
    assert get("/health").get_json()["status"] == "healthy"


def test_a_hanging_check_is_answered_for(get, checks, hang):
    checks(database=Counted(), slow=hang)
    began = time.monotonic()
    response = get("/health")
    assert time.monotonic() - began < 3
    assert (response.status_code, response.get_json()["checks"]["slow"]) == (200, "unhealthy")


def test_several_hanging_checks_keep_one_deadline(get, checks, hang):
    checks(database=hang, cache=hang, storage=hang, email=hang)
    began = time.monotonic()
    assert get("/health").status_code == 503
    assert time.monotonic() - began < 3


def test_whoever_waits_for_a_refresh_keeps_the_deadline_too(get, checks, hang):
    """A cold start: one asks for a part, and everyone else for all."""
    checks(database=hang, cache=hang)
    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(get, "/health/ready")
        time.sleep(0.2)
        rest = [pool.submit(get, "/health") for _ in range(3)]
        assert {answer.result().status_code for answer in (first, *rest)} == {503}
    assert time.monotonic() - began < 3.4  # the last one began 0.2 s later


def test_a_hanging_check_is_not_started_or_waited_for_again(get, checks, hang):
    monitor = checks(database=Counted(), slow=hang)
    get("/health")
    for _ in range(3):
        grow_old(monitor, 6)
        began = time.monotonic()
        assert get("/health").get_json()["checks"] == {"database": "healthy", "slow": "unhealthy"}
        assert time.monotonic() - began < services.CHECK_SECONDS
    assert hang.runs == 1


def test_a_check_that_comes_back_late_is_believed(app, get, checks):
    release = Event()
    monitor = checks(database=Counted(), slow=Counted(lambda app: release.wait(10)))
    assert get("/health").get_json()["status"] == "degraded"
    release.set()
    monitor.running["slow"].join(10)
    assert get("/health").get_json()["status"] == "healthy"


def test_a_new_check_is_one_of_a_plugin(app):
    monitor = services.monitor(app)
    names = [check.name for check in monitor.checks]
    assert names[:4] == ["database", "cache", "storage", "email"]
    assert len(names) == len(set(names))
    assert services.monitor(app) is monitor


@pytest.mark.parametrize(
    "found, status",
    [
        ({"database": "healthy", "cache": "unknown"}, "healthy"),
        ({"database": "healthy", "cache": "unhealthy"}, "degraded"),
        ({"database": "unhealthy", "cache": "healthy"}, "unhealthy"),
        ({"database": "unhealthy", "cache": "unhealthy"}, "unhealthy"),
        ({"database": "unknown", "cache": "unknown"}, "healthy"),
        ({}, "healthy"),
    ],
)
def test_overall(found, status):
    made = [Check(name, lambda app: True, critical=name == "database") for name in found]
    results = {name: services.Result(word, "", 0, 0) for name, word in found.items()}
    assert services.overall(made, results) == status
