"""The lane: hashing is bounded, and everyone beyond it is told to come back."""

from threading import Event, Thread

import bcrypt
import pytest

from app.errors import ServiceUnavailable
from blueprints.auth import lane as lane_module
from blueprints.auth.lane import RUNNING, WAITING, lane, refuse_when_full
from blueprints.auth.models import User
from tests.blueprints.auth.support import count, row_counts
from tests.clients import Browser, Program
from tests.people import PASSWORD, token_in

EMAIL = "ada@example.com"


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """However slow this machine is: who waits in the lane waits until the test lets go."""
    monkeypatch.setattr(lane_module, "LONGEST_WAIT_SECONDS", 60)


def wait_until(condition):
    for _ in range(2000):
        if condition():
            return
        Event().wait(0.005)
    pytest.fail("It never came to that")


@pytest.fixture
def jam(patience):
    """Fills every place of the lane, and its queue, until the test is over."""
    inside, leave, threads = [Event() for _ in range(RUNNING)], Event(), []

    def stay(arrived):
        with lane():
            arrived.set()
            leave.wait(30)

    def jam():
        threads.extend(Thread(target=stay, args=(arrived,)) for arrived in inside)
        for thread in threads:
            thread.start()
        for arrived in inside:
            assert arrived.wait(10)
        waiting = [Thread(target=stay, args=(Event(),)) for _ in range(WAITING)]
        for thread in waiting:
            thread.start()
        threads.extend(waiting)
        wait_until(lambda: lane_module._waiting == WAITING)

    yield jam
    leave.set()
    for thread in threads:
        thread.join(10)


FORMS = {
    "sign-in": {"email": EMAIL, "password": PASSWORD},
    "sign-up": {"email": "bob@example.com", "password": PASSWORD},
    "reset-password": {"token": "unknown", "newPassword": PASSWORD},
    "change-password": {"currentPassword": PASSWORD, "newPassword": PASSWORD},
    "reauthenticate": {"password": PASSWORD},
    "change-email": {"newEmail": "ada@example.org", "password": PASSWORD},
}


@pytest.mark.parametrize("path", FORMS)
def test_a_full_lane_answers_503(app, people, jam, path, outbox):
    people.verified(EMAIL)
    program, browser = people.program(EMAIL), people.browser(EMAIL)
    values = FORMS[path]
    if path == "reset-password":
        program.submit("/auth/forgot-password", email=EMAIL)
        values = values | {"token": token_in(outbox()[-1])}
    jam()
    counted = {} if path == "sign-in" else {"limit_hits": None}  # a sign-in is refused before its try counts
    before = row_counts(app) | counted
    answer = program.submit(f"/auth/{path}", **values)
    assert (answer.status, answer.code) == (503, "SERVICE_UNAVAILABLE")
    assert int(answer.response.headers["Retry-After"]) >= 1
    page = "/auth/account" if path.startswith("sign") else f"/auth/{path}"
    answer = browser.submit(f"/auth/{path}", _page=page, **values)
    assert answer.status == 503
    assert int(answer.response.headers["Retry-After"]) >= 1
    assert row_counts(app) | counted == before
    assert program.get("/auth/session").status == 200  # everything else goes on


def test_a_sign_in_is_refused_before_it_is_read(app, jam):
    jam()
    answer = Program(app).submit("/auth/sign-in", email="not an address")
    assert (answer.status, answer.code) == (503, "SERVICE_UNAVAILABLE")
    assert Browser(app).submit("/auth/sign-in", _page="/auth/forgot-password").status == 503


def test_a_full_lane_refuses_at_its_door(jam):
    refuse_when_full()
    jam()
    with pytest.raises(ServiceUnavailable):
        refuse_when_full()


def test_a_place_that_comes_free_is_taken():
    for _ in range(3 * RUNNING):
        with lane():
            pass
    for _ in range(3 * RUNNING):
        with pytest.raises(RuntimeError), lane():
            raise RuntimeError


def test_whoever_waits_gets_a_turn():
    leave, entered = Event(), []

    def work(number):
        with lane():
            entered.append(number)
            leave.wait(10)

    threads = [Thread(target=work, args=(number,)) for number in range(RUNNING + WAITING)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: len(entered) == RUNNING and lane_module._waiting == WAITING)
        with pytest.raises(ServiceUnavailable), lane():
            pass
    finally:
        leave.set()
    for thread in threads:
        thread.join(10)
    assert sorted(entered) == list(range(RUNNING + WAITING))
    assert lane_module._waiting == 0


def test_nobody_waits_for_ever(jam, monkeypatch):
    jam()
    monkeypatch.setattr(lane_module, "LONGEST_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(lane_module, "WAITING", WAITING + 1)
    with pytest.raises(ServiceUnavailable), lane():
        pass


def test_no_more_hash_at_once_than_may(app, monkeypatch):
    """Far more sign-ups than places, each held inside bcrypt until all that can be there are."""
    go, inside, most, real = Event(), [], [0], bcrypt.hashpw

    def hashpw(password, salt):
        inside.append(1)
        most[0] = max(most[0], len(inside))
        try:
            go.wait(10)
            return real(password, salt)
        finally:
            inside.pop()

    monkeypatch.setattr(bcrypt, "hashpw", hashpw)
    many = 3 * (RUNNING + WAITING)
    statuses = [None] * many

    def sign_up(number):
        body = {"email": f"somebody{number}@example.com", "password": PASSWORD}
        client = Program(app)
        client.client.environ_base["REMOTE_ADDR"] = f"198.51.100.{number}"
        statuses[number] = client.submit("/auth/sign-up", **body).status

    threads = [Thread(target=sign_up, args=(number,)) for number in range(many)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: statuses.count(503) == many - RUNNING - WAITING)
    finally:
        go.set()
    for thread in threads:
        thread.join(30)
    assert most[0] == RUNNING
    assert statuses.count(202) == RUNNING + WAITING
    assert count(User) == RUNNING + WAITING
