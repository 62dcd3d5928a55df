"""“This wasn't me”: one mailed link ends everything in an account, and only its owner's mailbox opens it again."""

import pytest

from app.database import db, utc_now
from blueprints.auth.models import AccessToken, Device, MailedToken, User, UserSession
from tests.blueprints.auth.support import (
    NEW_PASSWORD,
    at_once,
    change,
    cookie,
    cookies,
    count,
    let_limits_pass,
    let_pass,
    only,
    succeeds,
    with_cookie,
)
from tests.clients import Program
from tests.people import PASSWORD, link_in, token_in

EMAIL, EVE, BOB = "ada@example.com", "eve@example.com", "bob@example.com"


def not_me(client, token):
    return client.submit("/auth/not-me", _page=f"/auth/not-me?token={token}", token=token)


def sign_in(app, email=EMAIL, password=PASSWORD):
    return Program(app).submit("/auth/sign-in", email=email, password=password)


def change_password(client):
    assert client.submit("/auth/change-password", currentPassword=PASSWORD, newPassword=PASSWORD).status == 200


@pytest.fixture
def newest(mails):
    """The token of the newest mail to an address: `newest(EVE)`."""
    return lambda address=EMAIL: token_in(mails(address)[-1])


@pytest.fixture
def eve(ada, people):
    """Eve, who knows Ada's password and has a session of her account."""
    return people.program(EMAIL)


@pytest.fixture
def notice(ada, eve, newest):
    """The token of a notice to Ada: Eve has changed the password."""
    change_password(eve)
    return newest()


@pytest.fixture
def move(app, newest):
    """Gives the account a new address: `move(eve, EVE)`."""

    def move(client, new):
        assert client.submit("/auth/change-email", newEmail=new, password=PASSWORD).status == 200
        assert Program(app).submit("/auth/change-email/confirm", token=newest(new)).status == 200

    return move


@pytest.fixture
def is_hers(app, newest):
    """Whether the account is Ada's alone: nothing opens it but the link that she was mailed, and that does."""

    def is_hers(*sessions):
        assert (only(User).email, only(User).email_key) == (EMAIL, EMAIL)
        assert {client.get("/auth/account").status for client in sessions} <= {401}
        assert sign_in(app).code == sign_in(app, EVE).code == "INVALID_CREDENTIALS"
        answer = Program(app).submit("/auth/reset-password", token=newest(), newPassword=NEW_PASSWORD)
        return answer.status == sign_in(app, password=NEW_PASSWORD).status == 200

    return is_hers


def test_not_me(app, ada, eve, either, notice, is_hers, mails):
    bearer = Program(app, eve.submit("/auth/tokens", name="Export").data["value"])
    answer = not_me(either, notice)
    assert answer.status == succeeds(either)
    if either.is_browser:
        assert answer.location == "/auth/check-mail"
        assert either.get("/auth/check-mail").status == 200
    else:
        assert list(answer.data) == ["message"]
    assert count(UserSession, UserSession.ended_by.is_distinct_from("not me")) == 0
    assert {(row.ended_ip, bool(row.ended_user_agent)) for row in db.session.query(UserSession)} == {
        ("127.0.0.1", True)
    }
    assert count(AccessToken) == count(Device) == 0
    assert link_in(mails()[-1]).startswith("/auth/reset-password?token=")
    assert is_hers(ada, eve, bearer)


class TestNotices:
    """Every notice that somebody may have got in holds the link."""

    def notices(self, mails):
        return [mail for mail in mails() if "/auth/not-me?token=" in mail.text + mail.html]

    def test_a_new_password(self, ada, mails, either):
        change_password(ada)
        (mail,) = self.notices(mails)
        assert token_in(mail) in mail.html
        assert not_me(either, token_in(mail)).status == succeeds(either)

    def test_a_password_that_was_reset(self, app, ada, mails, newest, either):
        Program(app).submit("/auth/forgot-password", email=EMAIL)
        Program(app).submit("/auth/reset-password", token=newest(), newPassword=NEW_PASSWORD)
        (mail,) = self.notices(mails)
        assert not_me(either, token_in(mail)).status == succeeds(either)
        assert sign_in(app, password=NEW_PASSWORD).status == 401

    def test_a_sign_in_with_a_new_device(self, app, ada, mails, either):
        stranger = Program(app)
        stranger.client.environ_base["REMOTE_ADDR"] = "203.0.113.7"
        stranger.submit("/auth/sign-in", email=EMAIL, password=PASSWORD)
        (mail,) = self.notices(mails)
        assert not_me(either, token_in(mail)).status == succeeds(either)
        assert stranger.get("/auth/account").status == 401


class TestTheCookie:
    def test_the_session_cookie_is_deleted(self, ada, either, notice):
        either.submit("/auth/sign-in", email=EMAIL, password=PASSWORD)
        answer = not_me(either, notice)
        sent = cookies(answer)["session"]
        assert (sent.value, sent["max-age"], sent["path"]) == ("", "0", "/")
        assert cookie(either) is None
        assert cookie(either, "device") is not None  # it is no credential, and forgotten on our side

    def test_it_is_deleted_from_a_browser_of_someone_else(self, people, either, notice):
        """Whoever presses is done here; the other account is left alone."""
        people.verified(BOB)
        either.submit("/auth/sign-in", email=BOB, password=PASSWORD)
        held = cookie(either)
        not_me(either, notice)
        assert cookie(either) is None
        bob = with_cookie(Program(either.client.application), held)
        assert bob.get("/auth/account").data["user"]["email"] == BOB

    def test_a_refused_one_deletes_nothing(self, people, either, notice):
        people.verified(BOB)
        either.submit("/auth/sign-in", email=BOB, password=PASSWORD)
        answer = not_me(either, f"{notice}x")
        assert (answer.status, "session" in cookies(answer)) == (400, False)
        assert either.get("/auth/account").status == 200

    def test_forms_of_the_browser_get_a_new_secret(self, browser, notice):
        before = browser.token("/auth/sign-in")
        not_me(browser, notice)
        data = {"email": EMAIL, "password": PASSWORD, "csrf_token": before}
        assert browser.post("/auth/sign-in", data=data).status == 403


def test_a_known_device_is_known_no_more(app, ada, eve, notice, newest):
    not_me(Program(app), notice)
    Program(app).submit("/auth/reset-password", token=newest(), newPassword=NEW_PASSWORD)
    known = with_cookie(Program(app), cookie(ada, "device"), "device")
    let_limits_pass(hours=1)
    statuses = [known.submit("/auth/sign-in", email=EMAIL, password=PASSWORD).status for _ in range(11)]
    assert statuses == [401] * 10 + [429]


def test_no_password_fits_until_the_mailed_link_is_used(app, either, notice):
    not_me(Program(app), notice)
    for password in (PASSWORD, NEW_PASSWORD, " ", EMAIL):
        answer = either.submit("/auth/sign-in", email=EMAIL, password=password)
        assert answer.status == 401
    assert count(UserSession, UserSession.ended_at.is_(None)) == 0


def test_the_owner_can_ask_for_another_link(app, notice, newest, is_hers):
    not_me(Program(app), notice)
    mailed = newest()
    let_pass(MailedToken, hours=1)
    assert Program(app).submit("/auth/reset-password", token=mailed, newPassword=NEW_PASSWORD).status == 400
    Program(app).submit("/auth/forgot-password", email=EMAIL)
    assert is_hers()


def test_all_links_of_the_account_die_with_it(app, ada, eve, either, notice, newest, mails):
    change_password(eve)
    change_password(eve)
    others = [token_in(mail) for mail in mails()[-2:]]
    eve.submit("/auth/change-email", newEmail=EVE, password=PASSWORD)
    Program(app).submit("/auth/forgot-password", email=EMAIL)
    reset = newest()
    assert not_me(either, others[0]).status == succeeds(either)
    assert [not_me(either, token).status for token in (notice, *others)] == [400, 400, 400]
    assert Program(app).submit("/auth/change-email/confirm", token=newest(EVE)).code == "INVALID_TOKEN"
    answer = Program(app).submit("/auth/reset-password", token=reset, newPassword=NEW_PASSWORD)
    assert answer.code == "INVALID_TOKEN"
    assert count(MailedToken, MailedToken.ended_at.is_(None)) == 1


def test_a_newer_notice_does_not_void_it(app, eve, either, notice, is_hers):
    """Eve could otherwise take Ada's link away with another change of the password."""
    for _ in range(3):
        change_password(eve)
    assert not_me(either, notice).status == succeeds(either)
    assert is_hers(eve)


class TestAfterTheAddressWasChanged:
    @pytest.mark.parametrize("moves", [[EVE], [EVE, "eve.too@example.com"]])
    def test_it_goes_back_to_where_the_notice_went(self, eve, either, notice, move, is_hers, mails, moves):
        for new in moves:
            move(eve, new)
        before = [len(mails(new)) for new in moves]
        assert not_me(either, notice).status == succeeds(either)
        assert [len(mails(new)) for new in moves] == before
        assert is_hers(eve)

    def test_a_notice_to_the_intruder_does_not_outrank_it(self, app, eve, either, notice, move, newest, is_hers):
        move(eve, EVE)
        change_password(eve)
        assert not_me(Program(app), newest(EVE)).status == 200
        assert only(User).email == EVE
        assert not_me(either, notice).status == succeeds(either)
        assert is_hers(eve)

    def test_what_the_intruder_was_sent_is_void(self, app, eve, notice, move, newest):
        move(eve, EVE)
        change_password(eve)
        kept = newest(EVE)
        not_me(Program(app), notice)
        assert not_me(Program(app), kept).code == "INVALID_TOKEN"
        assert only(User).email == EMAIL

    def test_someone_who_has_proved_the_address_since_keeps_it(
        self, app, people, eve, either, notice, move, is_hers, mails
    ):
        """The link for a new password would go to Eve's address: nothing happens, and the link stays good."""
        move(eve, EVE)
        another = people.verified(EMAIL)
        before = len(mails(EVE))
        answer = not_me(either, notice)
        assert answer.status == 409
        assert notice in answer.text if either.is_browser else answer.code == "CONFLICT"  # the form again
        assert "session" not in cookies(answer)
        assert len(mails(EVE)) == before
        assert another.get("/auth/account").data["user"]["email"] == EMAIL
        another.submit("/auth/account", verb="DELETE", password=PASSWORD)
        assert not_me(either, notice).status == succeeds(either)
        assert is_hers(eve)

    def test_a_squatter_makes_room(self, app, eve, either, notice, move, is_hers):
        move(eve, EVE)
        Program(app).submit("/auth/sign-up", email=EMAIL, password=PASSWORD)
        assert not_me(either, notice).status == succeeds(either)
        assert is_hers(eve)

    def test_a_move_at_the_same_moment(self, app, eve, notice, newest, is_hers):
        eve.submit("/auth/change-email", newEmail=EVE, password=PASSWORD)
        token = newest(EVE)
        acts = [
            lambda: not_me(Program(app), notice),
            lambda: Program(app).submit("/auth/change-email/confirm", token=token),
        ]
        statuses = at_once(2, lambda number: acts[number]().status)
        assert statuses[0] == 200
        assert statuses[1] in (200, 400)
        assert is_hers(eve)


def test_a_disabled_account_stays_so(app, either, notice):
    change(User, disabled_at=utc_now())
    assert not_me(either, notice).status == 400
    assert count(UserSession, UserSession.ended_at.is_(None)) > 0
