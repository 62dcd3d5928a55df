"""The way back to an address: for 72 hours, for its owner alone, and past everything an intruder can do."""

import pytest

from blueprints.auth.models import AccessToken, Device, MailedToken, User, UserSession
from tests.blueprints.auth.support import (
    NEW_PASSWORD,
    at_once,
    cookies,
    count,
    let_limits_pass,
    let_pass,
    only,
    succeeds,
)
from tests.clients import Browser, Program
from tests.people import PASSWORD, token_in

EMAIL, EVE, EVE_TOO = "ada@example.com", "eve@example.com", "eve.too@example.com"


def undo(client, token):
    path = "/auth/change-email/undo"
    return client.submit(path, _page=f"{path}?token={token}", token=token)


def not_me(client, token):
    return client.submit("/auth/not-me", _page=f"/auth/not-me?token={token}", token=token)


def sign_in(app, email, password=PASSWORD):
    return Program(app).submit("/auth/sign-in", email=email, password=password)


@pytest.fixture
def newest(mails):
    """The token in the newest mail to an address, None when it has no link: `newest(EVE)`."""

    def newest(address=EMAIL):
        mail = mails(address.lower())[-1]
        return token_in(mail) if "token=" in mail.text else None

    return newest


@pytest.fixture
def move(app, newest):
    """Gives the account a new address; returns the token that the old one is mailed: `move(eve, EVE)`."""

    def move(client, new):
        old = client.get("/auth/account").data["user"]["email"]
        assert client.submit("/auth/change-email", newEmail=new, password=PASSWORD).status == 200
        assert Program(app).submit("/auth/change-email/confirm", token=newest(new)).status == 200
        return newest(old)

    return move


@pytest.fixture
def eve(ada, people):
    """Eve, who knows Ada's password and has a session of her account."""
    return people.program(EMAIL)


@pytest.fixture
def is_back(app, newest):
    """Whether the account is Ada's again: nothing opens it but the link that she was mailed, and that does."""

    def is_back(*sessions):
        assert (only(User).email, only(User).email_key) == (EMAIL, EMAIL)
        assert {client.get("/auth/account").status for client in sessions} <= {401}
        for email in (EMAIL, EVE, EVE_TOO):
            assert sign_in(app, email).code == "INVALID_CREDENTIALS"
        answer = Program(app).submit("/auth/reset-password", token=newest(), newPassword=NEW_PASSWORD)
        return answer.status == sign_in(app, EMAIL, NEW_PASSWORD).status == 200

    return is_back


def test_undo_email_change(app, ada, eve, either, move, is_back, mails):
    eve.submit("/auth/tokens", name="Export")
    token = move(eve, EVE)
    answer = undo(either, token)
    assert answer.status == succeeds(either)
    if either.is_browser:
        assert answer.location == "/auth/account"
    else:
        assert list(answer.data) == ["message"]
    assert count(UserSession, UserSession.ended_by.is_distinct_from("address restored")) == 0
    assert count(AccessToken) == count(Device) == 0
    assert only(User).email_verified_at is not None
    assert is_back(ada, eve)
    assert len(mails(EVE)) == 1


def test_it_leaves_the_cookies_of_the_browser_alone(people, ada, either, move, eve):
    people.verified("bob@example.com")
    either.submit("/auth/sign-in", email="bob@example.com", password=PASSWORD)
    answer = undo(either, move(eve, EVE))
    assert answer.status == succeeds(either)
    assert "session" not in cookies(answer)
    assert either.get("/auth/account").status == 200


def test_no_password_fits(app, ada, eve, move, either):
    """It is void, not only the sessions: what Eve has learnt does not let her in again."""
    token = move(eve, EVE)
    eve.submit("/auth/change-password", currentPassword=PASSWORD, newPassword=NEW_PASSWORD)
    undo(Program(app), token)
    for password in (PASSWORD, NEW_PASSWORD, " ", EMAIL):
        assert either.submit("/auth/sign-in", email=EMAIL, password=password).status == 401
    assert count(UserSession, UserSession.ended_at.is_(None)) == 0


class TestWhatAnIntruderTries:
    def test_two_moves(self, app, ada, eve, either, move, is_back):
        first = move(eve, EVE)
        move(eve, EVE_TOO)
        assert undo(either, first).status == succeeds(either)
        assert is_back(ada, eve)

    def test_the_way_back_from_a_later_move(self, app, ada, eve, either, move, is_back, newest):
        """Eve undoes her own second move: that gives her the account, but must not end Ada's link."""
        first = move(eve, EVE)
        assert undo(Program(app), move(eve, EVE_TOO)).status == 200
        assert only(User).email == EVE
        Program(app).submit("/auth/reset-password", token=newest(EVE), newPassword=PASSWORD)
        eve = Program(app)
        eve.submit("/auth/sign-in", email=EVE, password=PASSWORD)
        assert undo(either, first).status == succeeds(either)
        assert is_back(eve)

    def test_a_notice_to_the_new_address(self, app, ada, eve, either, move, is_back, newest):
        first = move(eve, EVE)
        eve.submit("/auth/change-password", currentPassword=PASSWORD, newPassword=PASSWORD)
        assert not_me(Program(app), newest(EVE)).status == 200
        assert undo(either, first).status == succeeds(either)
        assert is_back(eve)

    def test_links_that_she_keeps_for_later(self, app, ada, eve, either, move, newest, mails):
        first = move(eve, EVE)
        eve.submit("/auth/change-password", currentPassword=PASSWORD, newPassword=PASSWORD)
        kept = [(not_me, newest(EVE))]
        kept.append((undo, move(eve, EVE_TOO)))
        eve.submit("/auth/change-email", newEmail=EVE, password=PASSWORD)
        kept.append((lambda client, token: client.submit("/auth/change-email/confirm", token=token), newest(EVE)))
        Program(app).submit("/auth/forgot-password", email=EVE_TOO)
        reset = newest(EVE_TOO)
        kept.append(
            (lambda client, token: client.submit("/auth/reset-password", token=token, newPassword=PASSWORD), reset)
        )
        undo(either, first)
        for use, token in kept:
            assert use(Program(app), token).code == "INVALID_TOKEN"
        assert only(User).email == EMAIL

    def test_more_notices_and_a_new_password(self, app, ada, eve, either, move, is_back, newest):
        first = move(eve, EVE)
        for _ in range(3):
            eve.submit("/auth/change-password", currentPassword=PASSWORD, newPassword=PASSWORD)
        Program(app).submit("/auth/forgot-password", email=EVE)
        Program(app).submit("/auth/reset-password", token=newest(EVE), newPassword=PASSWORD)
        assert undo(either, first).status == succeeds(either)
        assert is_back(eve)

    def test_a_sign_up_with_the_old_address(self, app, ada, eve, either, move, is_back):
        first = move(eve, EVE)
        Program(app).submit("/auth/sign-up", email=EMAIL, password=PASSWORD)
        assert undo(either, first).status == succeeds(either)
        assert is_back(eve)

    def test_the_next_move_at_the_same_moment(self, app, ada, eve, move, newest, is_back):
        first = move(eve, EVE)
        eve.submit("/auth/change-email", newEmail=EVE_TOO, password=PASSWORD)
        token = newest(EVE_TOO)
        acts = [
            lambda: undo(Program(app), first),
            lambda: Program(app).submit("/auth/change-email/confirm", token=token),
            lambda: eve.submit("/auth/change-email", newEmail=EVE_TOO, password=PASSWORD),
        ]
        statuses = at_once(3, lambda number: acts[number]().status)
        assert statuses[0] == 200
        assert set(statuses) <= {200, 400, 401, 409}
        assert count(MailedToken, MailedToken.ended_at.is_(None)) == 1
        assert is_back(eve)


class TestGoingBackWithoutTheLink:
    """Ada still has the password, and changes the address back herself."""

    def test_the_one_in_between_is_told_without_a_link(self, app, ada, eve, move, mails):
        move(eve, EVE)
        assert move(ada, EMAIL) is None
        assert [mail.subject for mail in mails(EVE)][1:] == ["Your Pitchey address was changed"]

    def test_its_links_are_void(self, app, ada, eve, either, move, newest):
        first = move(eve, EVE)
        eve.submit("/auth/change-password", currentPassword=PASSWORD, newPassword=PASSWORD)
        kept = newest(EVE)
        move(ada, "ADA@example.com")
        assert not_me(either, kept).status == 400
        assert only(User).email == "ADA@example.com"
        assert undo(either, first).status == succeeds(either)  # and this one shuts Eve out


class TestAnAddressThatOthersHave:
    def test_it_stays_with_who_has_proved_it(self, app, people, ada, eve, either, move, mails, is_back):
        token = move(eve, EVE)
        another = people.verified(EMAIL)
        before = len(mails(EVE))
        answer = undo(either, token)
        assert answer.status == 409
        assert token in answer.text if either.is_browser else answer.code == "CONFLICT"  # the form again
        assert another.get("/auth/account").data["user"]["email"] == EMAIL
        assert len(mails(EVE)) == before
        another.submit("/auth/account", verb="DELETE", password=PASSWORD)
        assert undo(either, token).status == succeeds(either)
        assert is_back(eve)


def test_the_older_link_outlives_newer_ones(app, people, ada, either, move, mails):
    first = move(ada, EVE)
    second = move(ada, EVE_TOO)
    let_pass(MailedToken, hours=71)
    assert undo(either, second).status == succeeds(either)
    assert only(User).email == EVE
    let_pass(MailedToken, MailedToken.address == EMAIL, hours=1)
    assert undo(either, first).status == 400


def test_the_limit_is_shared_with_resets(app, either):
    for number in range(18):
        assert undo(Browser(app) if number % 2 else Program(app), "unknown").status == 400
    assert not_me(Program(app), "unknown").status == 400
    reset = {"token": "unknown", "newPassword": PASSWORD}
    assert Program(app).submit("/auth/reset-password", **reset).status == 400
    assert [undo(either, "unknown").status, not_me(either, "unknown").status] == [429, 429]
    let_limits_pass(hours=1)
    assert undo(either, "unknown").status == 400
