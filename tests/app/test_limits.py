"""How often something may be tried: exact over threads and processes, in the database and in Redis."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from limits import parse
from sqlalchemy import func, select, update

from app import limits
from app.database import db, end_read, transaction
from app.errors import RateLimited
from app.limits import Counter, LimitHit, count, ip_bucket, tried
from app.plugins import PluginError
from tests.clients import Program
from tests.services.redis_server import Redis, redis_server

THREADS = 20


def all_at_once(app: Flask, act: Callable[[], Any]) -> list[Any]:
    """What `act` answered in 20 threads that began together."""
    barrier, answers = threading.Barrier(THREADS), []

    def run() -> None:
        with app.app_context():
            barrier.wait()
            for _ in range(3):
                answers.append(act())

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == THREADS * 3
    return answers


def move_back(seconds: float) -> None:
    """Let every stored hit be older."""
    with transaction() as session:
        session.execute(update(LimitHit).values(at=LimitHit.at - seconds, expires_at=LimitHit.expires_at - seconds))


def test_the_database_counts_exactly(app):
    answers = all_at_once(app, lambda: tried("sign-in", "10/5 minutes", "ada"))
    assert answers.count(None) == 10
    assert all(1 <= wait <= 300 for wait in answers if wait is not None)


def test_names_and_identifiers_have_their_own_buckets(app):
    assert tried("sign-in", "1/minute", "ada") is None
    assert tried("sign-in", "1/minute", "ada") is not None
    assert tried("sign-in", "1/minute", "bob") is None
    assert tried("mail", "1/minute", "ada") is None


def test_the_window_moves(app):
    """Five tries, two of them a while ago: room comes back one by one, not at a full minute."""
    for _ in range(2):
        assert tried("x", "5/minute") is None
    move_back(40)
    for _ in range(3):
        assert tried("x", "5/minute") is None
    wait = tried("x", "5/minute")
    assert 15 <= wait <= 20
    move_back(20)
    assert [tried("x", "5/minute") for _ in range(2)] == [None, None]
    assert tried("x", "5/minute") is not None


def test_a_refused_try_does_not_count(app):
    for _ in range(5):
        tried("x", "2/minute")
    end_read()
    assert db.session.scalar(select(func.count()).select_from(LimitHit)) == 2


def test_several_limits_at_once(app):
    for _ in range(2):
        assert tried("x", "2/minute; 3/hour") is None
    assert tried("x", "2/minute; 3/hour") <= 60
    move_back(61)
    assert tried("x", "2/minute; 3/hour") is None
    assert 3000 < tried("x", "2/minute; 3/hour") <= 3600


def test_count_refuses_with_the_seconds_to_wait(app):
    count("x", "1/minute")
    with pytest.raises(RateLimited) as refused:
        count("x", "1/minute")
    assert 1 <= int(refused.value.headers["Retry-After"]) <= 60


def test_a_rollback_gives_no_try_back(app):
    def fails() -> None:
        count("x", "1/minute")
        with transaction():
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    with pytest.raises(RateLimited):
        fails()


def test_off_counts_nothing(app):
    for _ in range(5):
        count("x", "off")
    assert db.session.scalar(select(func.count()).select_from(LimitHit)) == 0


def test_no_address_is_stored(app):
    count("x", "5/minute", "ada@example.com")
    end_read()
    (key,) = db.session.scalars(select(LimitHit.key))
    assert len(key) == 64
    assert "ada" not in key


def test_old_hits_are_pruned(app):
    count("x", "1/minute")
    count("y", "1/hour")
    move_back(61)
    limits.prune()
    assert db.session.scalar(select(func.count()).select_from(LimitHit)) == 1


@pytest.mark.parametrize(
    "ip, bucket",
    [
        ("1.2.3.4", "1.2.3.4"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::2", "2001:db8:1:2::/64"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("", "unknown"),
        ("junk", "unknown"),
    ],
)
def test_an_address_counts_as(ip, bucket):
    assert ip_bucket(ip) == bucket


@pytest.mark.parametrize(
    "value", ["ten a minute", "10", "10/fortnight", "10/minute;", "-1/minute", "10/0 minutes", "0/day"]
)
def test_bad_syntax_is_refused_at_the_start(production, value):
    with pytest.raises(PluginError, match="LIMIT_SIGN_IN_IP: write it like 10/5 minutes"):
        production(LIMIT_SIGN_IN_IP=value)


@pytest.mark.parametrize(
    "value", ["", "10/5 minutes", "10 per minute", "10/5minutes", "1/second; 20/hour", "5/15 MINUTES"]
)
def test_good_syntax(production, value):
    production(LIMIT_SIGN_IN_IP=value)


def test_off_is_refused_in_production_only(production, make_app):
    make_app(LIMIT_SIGN_IN_IP="off")
    with pytest.raises(PluginError, match="LIMIT_SIGN_IN_IP: off is not allowed in production"):
        production(LIMIT_SIGN_IN_IP="off")


# --- Redis -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    """A real Redis."""
    with redis_server() as server:
        yield server


@pytest.fixture
def counters(redis, make_app) -> Callable[..., Counter]:
    """Makes the counter of a process."""
    return lambda **values: make_app(REDIS_URL=redis.url, **values).extensions["limits"]


def test_redis_counts_exactly_over_processes(app, counters):
    item, both, turns = parse("10/5 minutes"), (counters(), counters()), iter(range(1000))
    answers = all_at_once(app, lambda: both[next(turns) % 2].hit(item, "exact"))
    assert answers.count(None) == 10
    assert all(1 <= wait <= 300 for wait in answers if wait is not None)
    assert db.session.scalar(select(func.count()).select_from(LimitHit)) == 0


def test_redis_moves_the_window_too(counters):
    counter, item = counters(), parse("2/2 seconds")
    assert [counter.hit(item, "moves") for _ in range(2)] == [None, None]
    wait = counter.hit(item, "moves")
    assert wait in (1, 2)
    time.sleep(2.05)
    assert counter.hit(item, "moves") is None


def test_without_redis_each_process_counts_its_share_and_comes_back(make_app, lines):
    with redis_server() as server:
        port = int(server.url.rpartition(":")[2].split("/")[0])
        counter = make_app(REDIS_URL=server.url, WEB_CONCURRENCY="4").extensions["limits"]
        few, many = parse("3/minute"), parse("9/minute")
        assert counter.hit(few, "before") is None
    assert [counter.hit(many, "many") for _ in range(3)][:2] == [None, None], "9 divided by 4 processes is 2"
    assert counter.hit(many, "many") is not None
    assert counter.hit(few, "few") is None, "never below 1"
    assert counter.hit(few, "few") is not None
    assert [line["event"] for line in lines()].count("limits_fall_back") == 1
    with redis_server(port=port):
        assert counter.hit(few, "few") is not None, "it is asked again after a while only"
        counter.shared_again_at = 0
        assert [counter.hit(few, "few") for _ in range(3)] == [None] * 3
        assert counter.hit(few, "few") is not None


def test_a_redis_that_hangs_is_left_alone_until_it_is_back(make_app):
    """Stopped by a signal it takes connections and answers nothing: the tries are counted here meanwhile."""
    with redis_server() as server:
        app = make_app(REDIS_URL=server.url, LIMIT_SIGN_IN_ACCOUNT="2/minute", WEB_CONCURRENCY="1")
        if server.process is None:
            pytest.skip("TEST_REDIS_URL names a Redis that is not ours to stop")
        server.process.send_signal(signal.SIGSTOP)
        try:
            program = Program(app)
            statuses = [program.submit("/auth/sign-in", email="ada@example.com", password="x").status for _ in range(3)]
        finally:
            server.process.send_signal(signal.SIGCONT)
        assert statuses == [401, 401, 429]
        app.extensions["limits"].shared_again_at = 0
        assert program.submit("/auth/sign-in", email="ada@example.com", password="x").status == 401, "shared again"


def test_a_lost_redis_does_not_fail_a_request(make_app):
    app = make_app(REDIS_URL="redis://127.0.0.1:1/0", LIMIT_SIGN_IN_ACCOUNT="2/minute", WEB_CONCURRENCY="1")
    program = Program(app)
    statuses = [program.submit("/auth/sign-in", email="ada@example.com", password="x").status for _ in range(3)]
    assert statuses == [401, 401, 429]


def test_building_an_application_connects_to_nothing_and_starts_no_thread(make_app):
    before = set(threading.enumerate())
    make_app(REDIS_URL="redis://127.0.0.1:1/0")
    make_app()
    assert set(threading.enumerate()) <= before


def test_no_address_stands_in_the_keys_of_redis(make_app):
    import redis

    with redis_server() as server, redis.Redis.from_url(server.url) as client:
        app = make_app(REDIS_URL=server.url)
        Program(app).submit("/auth/sign-in", email="nobody@example.com", password="x")
        keys = [key.decode() for key in client.keys("*")]
    assert any("sign-in-account" in key for key in keys)
    assert not any("nobody" in key for key in keys)
