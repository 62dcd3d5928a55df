"""What ended a session: written with who did it, listed for its owner, told to the browser that had it."""

from datetime import timedelta
from secrets import token_hex
from uuid import uuid4

import pytest
from sqlalchemy import insert

from app import hooks
from app.database import transaction, utc_now
from app.mailed_tokens import digest
from blueprints import auth
from blueprints.auth.models import User, UserSession
from blueprints.auth.services import sessions
from blueprints.auth.services.sessions import End
from tests.blueprints.auth.support import (
    NEW_PASSWORD,
    change,
    cookie,
    let_limits_pass,
    let_pass,
    only,
    statements,
    with_cookie,
)
from tests.clients import Browser, Program
from tests.people import PASSWORD, link_in, token_in

EMAIL = "ada@example.com"
BY = ("203.0.113.7", "Lynx/2.8")


def at(client):
    """The client, at the address and with the name that end sessions here."""
    client.client.environ_base |= {"REMOTE_ADDR": BY[0], "HTTP_USER_AGENT": BY[1]}
    return client


def sign_in(client, **more):
    answer = client.submit("/auth/sign-in", email=EMAIL, password=PASSWORD, **more)
    assert answer.status in (200, 303)
    return client


def follow(client, mail, **values):
    """Use the link of a mail."""
    link = link_in(mail)
    answer = client.submit(link.partition("?")[0], _page=link, token=token_in(mail), **values)
    assert answer.status in (200, 303)


def ended(value):
    """What is written of the end of the session of a cookie: the reason, the address, the browser."""
    row = only(UserSession, UserSession.token_hash == digest(value))
    assert (row.ended_at is None) is (row.ended_by is None)
    return row.ended_by, row.ended_ip, row.ended_user_agent


@pytest.fixture
def either(app, ada, either):
    """Either client, signed in as Ada, at the address that ends sessions here."""
    return sign_in(at(either))


@pytest.fixture
def first(ada):
    """The cookie of Ada's first session, which others end."""
    return cookie(ada)


class TestReasons:
    def test_sign_out(self, either):
        value = cookie(either)
        either.submit("/auth/sign-out", _page="/auth/account")
        assert ended(value) == (End.SIGN_OUT, *BY)

    def test_sign_in(self, either):
        value = cookie(either)
        either.submit("/auth/sign-in", _page="/auth/account", email=EMAIL, password=PASSWORD)
        assert ended(value) == (End.SIGN_IN, *BY)

    def test_verification_in_a_browser_that_is_signed_in(self, either, mails):
        value = cookie(either)
        either.client.post("/api/auth/sign-up", json={"email": "bob@example.com", "password": PASSWORD})
        follow(either, mails("bob@example.com")[-1])
        assert ended(value) == (End.SIGN_IN, *BY)

    def test_too_many(self, app, first, either):
        for _ in range(18):
            sign_in(Program(app))
            let_limits_pass(minutes=5)
        assert ended(first) == (None, None, None)
        sign_in(at(type(either)(app)))
        assert ended(first) == (End.TOO_MANY, *BY)

    def test_you(self, first, either):
        session_id = only(UserSession, UserSession.token_hash == digest(first)).id
        either.submit(f"/auth/sessions/{session_id}", verb="DELETE", _page="/auth/account")
        assert ended(first) == (End.YOU, *BY)

    def test_you_all_others(self, first, either):
        either.submit("/auth/sessions/revoke-others", _page="/auth/account")
        assert (ended(first), ended(cookie(either))) == ((End.YOU, *BY), (None, None, None))

    def test_password_change(self, first, either):
        values = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD, "revokeOtherSessions": True}
        either.submit("/auth/change-password", **values)
        assert (ended(first), ended(cookie(either))) == ((End.PASSWORD_CHANGE, *BY), (None, None, None))

    def test_password_reset(self, first, either, mails):
        own = cookie(either)
        either.submit("/auth/forgot-password", email=EMAIL)
        follow(either, mails()[-1], newPassword=NEW_PASSWORD)
        assert ended(first) == ended(own) == (End.PASSWORD_RESET, *BY)

    def test_not_me(self, first, either, mails):
        either.submit("/auth/change-password", currentPassword=PASSWORD, newPassword=NEW_PASSWORD)
        own = cookie(either)
        follow(either, mails()[-1])
        assert ended(first) == ended(own) == (End.NOT_ME, *BY)

    def test_address_restored(self, first, either, mails):
        own = cookie(either)
        either.submit("/auth/change-email", newEmail="ada@example.org", password=PASSWORD)
        follow(either, mails("ada@example.org")[-1])
        follow(either, mails()[-1])
        assert ended(first) == ended(own) == (End.ADDRESS_RESTORED, *BY)

    def test_an_operator(self, people, first):
        people.admin(EMAIL, NEW_PASSWORD)
        assert ended(first) == (End.OPERATOR, None, None)

    def test_a_new_owner_of_the_mailbox(self, first):
        change(User, email_verified_at=None)
        with transaction() as session:
            auth.open_verified_account(session, EMAIL, "a hash", None)
        assert ended(first) == (End.NEW_OWNER, None, None)

    def test_the_first_end_stays(self, ada, first, either, mails):
        ada.submit("/auth/sign-out")
        before = only(UserSession, UserSession.token_hash == digest(first)).ended_at
        either.submit("/auth/forgot-password", email=EMAIL)
        follow(either, mails()[-1], newPassword=NEW_PASSWORD)
        assert ended(first)[0] == End.SIGN_OUT
        assert only(UserSession, UserSession.token_hash == digest(first)).ended_at == before

    def test_one_that_expired_is_not_ended_anew(self, first, either):
        let_pass(UserSession, UserSession.token_hash == digest(first), hours=13)
        either.submit("/auth/sessions/revoke-others", _page="/auth/account")
        assert ended(first) == (None, None, None)


class TestList:
    @pytest.fixture
    def listed(self, app, ada):
        """What Ada's list of ended sessions says."""
        return lambda: sessions.list_ended(hooks.ask("identify", cookie(ada), None))

    def add(self, number=1, **values):
        """Write sessions of Ada's, `expires_at` and more given in days before now."""
        now, user = utc_now(), only(User, User.email == EMAIL)
        days = {name: now - timedelta(days=value) for name, value in values.items() if name.endswith("_at")}
        others = {name: value for name, value in values.items() if not name.endswith("_at")}
        row = {"user_id": user.id, "ip_address": "127.0.0.1", "user_agent": "", "remember": False} | others
        row = {"created_at": now, "last_seen_at": now} | row | days
        with transaction() as session:
            rows = [row | {"id": uuid4(), "token_hash": token_hex(32)} for _ in range(number)]
            session.execute(insert(UserSession), rows)

    def test_who_and_when(self, app, ada, listed):
        assert listed() == []
        other = cookie(sign_in(Program(app)))
        at(ada).submit("/auth/sessions/revoke-others")
        (row,) = listed()
        assert (row.reason, row.by_ip_address, row.by_user_agent) == (End.YOU, *BY)
        assert row.ip_address == "127.0.0.1"
        assert row.user_agent.startswith("Werkzeug")
        assert row.ended_at == only(UserSession, UserSession.token_hash == digest(other)).ended_at

    def test_what_expired_has_its_time_of_expiry(self, ada, listed):
        now = utc_now()
        self.add(expires_at=2)
        self.add(expires_at=-10, last_seen_at=15, remember=True)  # idle for 14 days, a day ago
        self.add(expires_at=3, last_seen_at=10, remember=True)
        self.add(expires_at=-10, last_seen_at=13, remember=True)  # runs
        self.add(expires_at=-10, last_seen_at=15)  # idling does not end it
        rows = listed()
        assert [round((now - row.ended_at) / timedelta(days=1), 2) for row in rows] == [1, 2, 3]
        assert {(row.reason, row.by_ip_address, row.by_user_agent) for row in rows} == {(End.EXPIRED, None, None)}

    def test_the_latest_end_first_whatever_ended_it(self, ada, listed):
        self.add(expires_at=4)
        self.add(expires_at=-1, ended_at=3, ended_by=End.SIGN_OUT)
        self.add(expires_at=-15, last_seen_at=16, remember=True)
        self.add(expires_at=-20, ended_at=1, ended_by=End.YOU)
        reasons = [row.reason for row in listed()]
        assert reasons == [End.YOU, End.EXPIRED, End.SIGN_OUT, End.EXPIRED]

    def test_the_last_ten_of_thirty_days(self, ada, listed):
        for day in (30, 29.9):
            self.add(expires_at=day)
            self.add(expires_at=-1, ended_at=day, ended_by=End.SIGN_OUT)
            self.add(expires_at=day - 15, last_seen_at=day + 14, remember=True)
        assert len(listed()) == 3
        for day in range(1, 11):
            self.add(expires_at=day)
        now = utc_now()
        assert [round((now - row.ended_at) / timedelta(days=1)) for row in listed()] == list(range(1, 11))

    def test_remembered_ones_that_idled_out_hide_none(self, ada, listed):
        """As many as there can be end by themselves later than they idled out."""
        self.add(62, expires_at=-1, last_seen_at=34, remember=True)
        self.add(3, expires_at=0.5)
        assert [row.reason for row in listed()] == [End.EXPIRED] * 10
        assert len([row for row in listed() if utc_now() - row.ended_at < timedelta(days=1)]) == 3

    def test_ten_thousand_are_not_read(self, app, ada, listed):
        self.add(10_000, expires_at=0.1, ended_at=0.1, ended_by=End.SIGN_OUT)
        with statements(app) as asked:
            assert len(listed()) == 10
        (query,) = [statement for statement in asked if "ended_at DESC" in statement or "ORDER BY" in statement]
        assert "LIMIT" in query

    def test_only_ones_own(self, people, ada, listed):
        people.verified("bob@example.com").submit("/auth/sign-out")
        assert listed() == []

    def test_the_account_page_lists_them(self, app, people, ada):
        sign_in(Program(app)).submit("/auth/sign-out")
        assert len(people.browser(EMAIL).get("/auth/account").text.split("by signing out")) == 2


class TestSignInPage:
    def page(self, client):
        return client.get("/auth/sign-in").text

    def test_without_a_cookie_nothing_is_asked(self, app, ada):
        with statements(app) as asked:
            assert "Your session ended" not in self.page(Browser(app))
        assert asked == []

    def test_it_says_what_ended_the_session(self, app, ada):
        browser = sign_in(Browser(app))
        at(ada).submit("/auth/sessions/revoke-others")
        assert "Your session ended" in self.page(browser)
        assert "Your session ended" not in self.page(Browser(app))

    def test_one_that_expired(self, app, ada):
        browser = sign_in(Browser(app))
        let_pass(UserSession, hours=12)
        assert "its time was up" in self.page(browser)
        assert sessions.find_ended(cookie(browser)).reason == End.EXPIRED

    @pytest.mark.parametrize("reason", [End.SIGN_OUT, End.SIGN_IN])
    def test_what_its_owner_did_here_needs_no_word(self, ada, reason):
        change(UserSession, ended_at=utc_now(), ended_by=reason)
        assert sessions.find_ended(cookie(ada)) is None

    @pytest.mark.parametrize("reason", sorted(set(End) - {End.SIGN_OUT, End.SIGN_IN, End.EXPIRED}))
    def test_every_other_end_is_told(self, app, ada, reason):
        change(UserSession, ended_at=utc_now(), ended_by=reason)
        assert sessions.find_ended(cookie(ada)).reason == reason
        assert "Your session ended" in self.page(with_cookie(Browser(app), cookie(ada)))

    def test_a_running_one_says_nothing(self, ada):
        assert sessions.find_ended(cookie(ada)) is None

    @pytest.mark.parametrize("junk", ["", "junk", "a" * 43, "ä", "a" * 4000])
    def test_junk_says_nothing(self, app, ada, junk):
        assert sessions.find_ended(junk) is None
        assert "Your session ended" not in self.page(with_cookie(Browser(app), junk))

    def test_after_a_rotation_the_old_value_says_nothing(self, app, either):
        old = cookie(either)
        either.submit("/auth/reauthenticate", password=PASSWORD)
        assert cookie(either) != old
        change(UserSession, ended_at=utc_now(), ended_by=End.YOU)
        assert sessions.find_ended(old) is None
        assert sessions.find_ended(cookie(either)).reason == End.YOU
