"""Change of address: asked for with the password, and real once the link in the new mailbox is used."""

import re

import pytest

from app.database import utc_now
from blueprints.auth.models import MailedToken, User
from tests.blueprints.auth.support import (
    NEW_PASSWORD,
    TIME,
    at_once,
    change,
    cookies,
    count,
    let_limits_pass,
    only,
    refuses,
    statements,
    succeeds,
)
from tests.clients import Program
from tests.people import PASSWORD, link_in, token_in, work

EMAIL, NEW_EMAIL, BOB = "ada@example.com", "lovelace@example.com", "bob@example.com"
NOTHING = {"token": "unknown"}


@pytest.fixture
def signed_in(ada, either):
    """Either client, signed in as Ada, who has no other session."""
    ada.submit("/auth/sign-out")
    either.submit("/auth/sign-in", email=EMAIL, password=PASSWORD)
    return either


def ask(client, new=NEW_EMAIL, password=PASSWORD):
    return client.submit("/auth/change-email", newEmail=new, password=password)


def confirm(client, token):
    path = "/auth/change-email/confirm"
    return client.submit(path, _page=f"{path}?token={token}", token=token)


@pytest.fixture
def link(mails):
    """Asks for a change and returns the mailed token: `link(ada)`."""

    def link(client, new=NEW_EMAIL):
        assert ask(client, new).status == succeeds(client)
        return token_in(mails(new)[-1])

    return link


def sign_in(app, email, password=PASSWORD):
    return Program(app).submit("/auth/sign-in", email=email, password=password)


def open_links(purpose="change-email"):
    return count(MailedToken, MailedToken.purpose == purpose, MailedToken.ended_at.is_(None))


class TestAsking:
    def test_change_email(self, signed_in, mails):
        before = len(mails())
        answer = ask(signed_in)
        assert answer.status == succeeds(signed_in)
        if signed_in.is_browser:
            assert answer.location == "/auth/account"
            assert NEW_EMAIL in signed_in.get("/auth/account").text
        else:
            assert list(answer.data) == ["message"]
        (mail,) = mails(NEW_EMAIL)
        assert link_in(mail) == f"/auth/change-email/confirm?token={token_in(mail)}"
        assert token_in(mail) in mail.html
        assert len(mails()) == before
        assert only(User).email == EMAIL

    @pytest.mark.parametrize(
        "typed, stored",
        [
            (" Lovelace@EXAMPLE.org ", "Lovelace@example.org"),
            ("ada@bu\u0308cher.example", "ada@xn--bcher-kva.example"),
            ("ada@\uff45xample.org", "ada@example.org"),
        ],
    )
    def test_the_address_is_stored_as_everywhere(self, app, signed_in, outbox, typed, stored):
        ask(signed_in, typed)
        mail = outbox()[-1]
        assert mail.recipient == stored
        confirm(Program(app), token_in(mail))
        assert (only(User).email, only(User).email_key) == (stored, stored.lower())

    @pytest.mark.parametrize("same", [EMAIL, "ADA@example.com", " ada@EXAMPLE.com\u2003", "ada@\uff45xample.com"])
    def test_ones_own_address_is_refused(self, signed_in, same):
        for _ in range(6):  # and is no try of the password
            answer = ask(signed_in, same)
            assert answer.status == refuses(signed_in)
        assert "This is your address already." in answer.text
        if not signed_in.is_browser:
            assert (answer.code, answer.fields) == ("VALIDATION_ERROR", {"newEmail": ["This is your address already."]})
        assert ask(signed_in).status == succeeds(signed_in)

    @pytest.mark.parametrize("new", ["", None, "ada", f"{EMAIL},{BOB}", "m\u0131ke@example.com", "a\x00@example.com"])
    def test_what_is_refused(self, signed_in, outbox, new):
        before = len(outbox())
        answer = ask(signed_in, new)
        assert answer.status == refuses(signed_in)
        if signed_in.is_browser:
            assert 'id="change_email-newEmail-error"' in answer.text
            assert PASSWORD not in answer.text
        assert len(outbox()) == before
        assert open_links() == 0

    @pytest.mark.parametrize("value", [[NEW_EMAIL], [NEW_EMAIL, BOB], {"a": 1}, 1])
    def test_one_address_alone(self, ada, value):
        answer = ada.post("/auth/change-email", json={"newEmail": value, "password": PASSWORD})
        assert (answer.status, list(answer.fields)) == (400, ["newEmail"])

    def test_a_wrong_password(self, signed_in, mails):
        answer = ask(signed_in, password="not the password")
        assert answer.status == 401
        if signed_in.is_browser:
            assert 'id="change_email-password-error"' in answer.text
            assert f'value="{NEW_EMAIL}"' in answer.text
        else:
            error = answer.response.get_json()["error"]
            assert error == {"code": "UNAUTHORIZED", "message": "Current password is incorrect"}
        assert mails(NEW_EMAIL) == []

    def test_a_password_change_or_reset_voids_the_link(self, app, ada, either, link, mails):
        first = link(ada)
        ada.submit("/auth/change-password", currentPassword=PASSWORD, newPassword=PASSWORD)
        assert confirm(either, first).status == 400
        second = link(ada)
        Program(app).submit("/auth/forgot-password", email=EMAIL)
        either.submit(
            "/auth/reset-password",
            _page="/auth/reset-password?token=x",
            token=token_in(mails()[-1]),
            newPassword=NEW_PASSWORD,
        )
        assert confirm(either, second).status == 400
        assert only(User).email == EMAIL

    def test_a_password_change_at_the_same_moment_leaves_no_link(self, app, ada, people):
        other, path = people.program(EMAIL), "/auth/change-password"
        for old, new in [(PASSWORD, NEW_PASSWORD), (NEW_PASSWORD, PASSWORD)] * 2:
            acts = [
                lambda old=old: ask(ada, password=old),
                lambda old=old, new=new: other.submit(path, currentPassword=old, newPassword=new),
            ]
            statuses = at_once(2, lambda number, acts=acts: acts[number]().status)
            assert statuses[0] in (200, 401, 409)
            assert statuses[1] == 200
            assert open_links() == 0
            let_limits_pass(minutes=15)


class TestOrder:
    """Access, CSRF, schema, limit, current password."""

    def test_access_first(self, app, ada, browser, program):
        evil = {"Origin": "https://evil.test"}
        assert browser.post("/auth/change-email").location == "/auth/sign-in"
        assert program.post("/auth/change-email", json={}, headers=evil).status == 401
        bearer = Program(app, ada.submit("/auth/tokens", name="Export").data["value"])
        assert bearer.get("/auth/account").status == 200
        answer = bearer.post("/auth/change-email", json={}, headers=evil)
        assert (answer.status, answer.code) == (403, "FORBIDDEN")

    def test_csrf_before_schema(self, people, ada):
        evil = {"Origin": "https://evil.test"}
        assert ada.post("/auth/change-email", json={}, headers=evil).code == "CSRF_FAILED"
        browser = people.browser(EMAIL)
        assert browser.post("/auth/change-email", data={}).status == 403
        data = {"newEmail": NEW_EMAIL, "password": PASSWORD, "csrf_token": browser.token("/auth/change-email")}
        for origin in ("https://evil.test", "null"):
            assert browser.post("/auth/change-email", data=data, headers={"Origin": origin}).status == 403
        assert open_links() == 0

    def test_the_limit_after_the_schema_and_before_the_password(self, signed_in):
        for _ in range(5):
            assert ask(signed_in, password="not the password").status == 401
        assert ask(signed_in, "ada").status == refuses(signed_in)
        answer = ask(signed_in)
        assert answer.status == 429
        assert 0 < int(answer.response.headers["Retry-After"]) <= 15 * 60
        assert open_links() == 0
        let_limits_pass(minutes=15)
        assert ask(signed_in).status == succeeds(signed_in)

    def test_one_limit_for_everything_that_asks_for_the_password(self, people, ada):
        wrong, clients = "not the password", [ada, people.browser(EMAIL), people.program(EMAIL)]
        assert [ask(client, password=wrong).status for client in clients[:2]] == [401, 401]
        assert ada.submit("/auth/reauthenticate", password=wrong).status == 401
        assert ada.submit("/auth/account", verb="DELETE", password=wrong).status == 401
        assert ada.submit("/auth/change-password", currentPassword=wrong, newPassword=NEW_PASSWORD).status == 401
        assert [ask(client).status for client in clients] == [429, 429, 429]


class TestTakenAddresses:
    """A free and a taken address are told apart in their mailboxes alone."""

    KINDS = {"free": None, "taken": ["email_verified_at"], "never proved": [], "disabled": ["disabled_at"]}

    @pytest.fixture
    def addresses(self, app, people):
        """One address of each kind, all of one length."""
        found = {kind: f"person-{number}@example.com" for number, kind in enumerate(self.KINDS)}
        for kind, moments in self.KINDS.items():
            if moments is not None:
                Program(app).submit("/auth/sign-up", email=found[kind], password=PASSWORD)
                change(User, User.email == found[kind], **dict.fromkeys(moments, utc_now()))
        work(app)
        return found

    def test_the_answer_is_the_same_to_the_byte(self, app, people, ada, addresses):
        let_limits_pass(hours=1)
        for client in (ada, people.browser(EMAIL)):
            seen = set()
            for address in addresses.values():
                answer = ask(client, address)
                headers = [item for item in answer.response.headers if item[0] not in ("X-Request-ID", "Set-Cookie")]
                page = client.get("/auth/account").text if client.is_browser else answer.text
                page = re.sub(r'csrf_token" value="[^"]+"', "", TIME.sub("", page))
                page = page.replace(answer.response.headers["X-Request-ID"], "").replace(address, "somebody")
                seen.add((answer.status, str(headers), str(sorted(cookies(answer))), page))
                let_limits_pass(hours=1)
            assert len(seen) == 1

    def test_the_database_is_asked_the_same(self, app, ada, addresses):
        lists = []
        for address in addresses.values():
            with statements(app) as asked:
                assert ask(ada, address).status == 200
            lists.append(asked)
            let_limits_pass(hours=1)
        assert lists[0] == lists[1] == lists[2] == lists[3]
        assert any("INSERT INTO jobs" in statement for statement in lists[0])

    def test_the_mailbox_is_told(self, ada, addresses, outbox):
        for kind, address in addresses.items():
            before = len(outbox())
            ask(ada, address)
            (mail,) = outbox()[before:]
            assert mail.recipient == address
            assert ("token=" in mail.text) is (kind in ("free", "never proved"))
            let_limits_pass(hours=1)

    def test_mails_to_an_address_have_a_silent_limit(self, app, people, ada, mails):
        bob, answers = people.verified(BOB), []
        for number in range(7):
            answers.append(ask(bob if number % 2 else ada, "Lovelace@example.com" if number % 3 else NEW_EMAIL))
            mails()
        assert {(answer.status, answer.text.count("mailed a link")) for answer in answers} == {(200, 1)}
        assert len(mails(NEW_EMAIL)) == 5
        let_limits_pass(hours=1)
        ask(ada)
        assert len(mails(NEW_EMAIL)) == 6

    def test_beyond_the_limit_the_earlier_link_is_void_too(self, app, ada, link):
        """It may have gone to an address that was mistyped."""
        earlier = [link(ada, NEW_EMAIL) for _ in range(5)][-1]
        let_limits_pass(minutes=15)
        assert ask(ada).status == 200
        assert confirm(Program(app), earlier).code == "INVALID_TOKEN"
