"""The link in the new mailbox: what it changes, what it leaves, and who gets an address that several want."""

from uuid import UUID

import pytest
from sqlalchemy import delete

from app.database import transaction, utc_now
from blueprints.auth.models import MailedToken, User
from tests.blueprints.auth.support import (
    at_once,
    change,
    cookie,
    cookies,
    count,
    let_limits_pass,
    only,
    succeeds,
)
from tests.clients import Browser, Program
from tests.people import PASSWORD, link_in, token_in, work

EMAIL, NEW_EMAIL, BOB = "ada@example.com", "lovelace@example.com", "bob@example.com"


def confirm(client, token):
    path = "/auth/change-email/confirm"
    return client.submit(path, _page=f"{path}?token={token}", token=token)


def ada_id(ada):
    return UUID(ada.get("/auth/account").data["user"]["id"])


def sign_in(app, email, password=PASSWORD):
    return Program(app).submit("/auth/sign-in", email=email, password=password)


@pytest.fixture
def link(mails):
    """Asks for a change of address, and returns the mailed token: `link(ada)`."""

    def link(client, new=NEW_EMAIL):
        assert client.submit("/auth/change-email", newEmail=new, password=PASSWORD).status == 200
        return token_in(mails(new)[-1])

    return link


def test_confirm_email_change(app, people, ada, either, link, mails):
    before = only(User).id, only(User).password_hash
    browser = people.browser(EMAIL)
    bearer = Program(app, ada.submit("/auth/tokens", name="Export").data["value"])
    answer = confirm(either, link(ada))
    assert answer.status == succeeds(either)
    if either.is_browser:
        assert answer.location == "/auth/account"
    else:
        assert list(answer.data) == ["message"]
    assert (only(User).id, only(User).password_hash) == before
    for client in (ada, bearer):
        user = client.get("/auth/account").data["user"]
        assert (user["email"], user["emailVerified"]) == (NEW_EMAIL, True)
    assert NEW_EMAIL in browser.get("/auth/account").text


def test_it_signs_nobody_in(app, ada, either, link):
    answer = confirm(either, link(ada))
    assert "session" not in cookies(answer)
    assert either.get("/auth/account").status != 200


def test_the_new_address_signs_in_and_the_old_one_is_unknown(app, ada, link, mails, outbox):
    confirm(Program(app), link(ada))
    assert sign_in(app, NEW_EMAIL).status == 200
    old, nobody = sign_in(app, EMAIL), sign_in(app, "nobody@example.com")
    assert (old.status, old.code) == (nobody.status, nobody.code) == (401, "INVALID_CREDENTIALS")
    before = len(mails())
    Program(app).submit("/auth/forgot-password", email=EMAIL)
    Program(app).submit("/auth/forgot-password", email=NEW_EMAIL)
    reset = outbox()[-1]
    assert (reset.recipient, len(mails())) == (NEW_EMAIL, before)
    assert Program(app).submit("/auth/reset-password", token=token_in(reset), newPassword=PASSWORD).status == 200


def test_the_old_address_gets_the_way_back(app, ada, either, link, mails):
    confirm(either, link(ada))
    notice = mails()[-1]
    assert link_in(notice) == f"/auth/change-email/undo?token={token_in(notice)}"
    assert NEW_EMAIL not in notice.text + notice.html  # its masked form is enough to know one's own
    assert len(mails(NEW_EMAIL)) == 1


def test_links_to_the_old_address_are_void(app, ada, either, link, mails):
    change(User, email_verified_at=None)
    tokens = []
    for path in ("verify-email", "reset-password"):
        asking = {"verify-email": "resend-verification", "reset-password": "forgot-password"}[path]
        Program(app).submit(f"/auth/{asking}", email=EMAIL)
        tokens.append((path, token_in(mails()[-1])))
    confirm(either, link(ada))
    for path, token in tokens:
        assert Program(app).submit(f"/auth/{path}", token=token, newPassword=PASSWORD).code == "INVALID_TOKEN"
    open_ones = MailedToken.ended_at.is_(None), MailedToken.purpose != "undo-change-email"
    assert count(MailedToken, *open_ones) == 0


def test_a_reset_mail_that_waits_to_be_sent_is_not(app, ada, link, mails):
    token = link(ada)
    Program(app).submit("/auth/forgot-password", email=EMAIL)
    confirm(Program(app), token)
    assert all("reset-password" not in mail.text for mail in mails())


def test_someone_else_who_is_signed_in_is_left_alone(app, people, ada, either, link):
    people.verified(BOB)
    either.submit("/auth/sign-in", email=BOB, password=PASSWORD)
    held, token = cookie(either), link(ada)
    assert confirm(either, token).status == succeeds(either)
    assert cookie(either) == held
    assert people.program(BOB).get("/auth/account").data["user"]["email"] == BOB
    assert ada.get("/auth/account").data["user"]["email"] == NEW_EMAIL
    assert count(User) == 2


class TestAnAddressThatOthersHave:
    def test_an_account_that_never_proved_it_makes_room(self, app, ada, either, link, mails):
        squatter = Program(app)
        squatter.submit("/auth/sign-up", email="LOVELACE@example.com", password=PASSWORD, username="squatter")
        verification = token_in(mails(NEW_EMAIL)[-1])
        assert confirm(either, link(ada)).status == succeeds(either)
        assert (only(User).email, only(User).username) == (NEW_EMAIL, None)
        assert squatter.submit("/auth/verify-email", token=verification).code == "INVALID_TOKEN"
        assert sign_in(app, NEW_EMAIL).data["user"]["id"] == str(only(User).id)

    def test_its_waiting_jobs_do_no_harm(self, app, ada, link, mails):
        token = link(ada)
        Program(app).submit("/auth/sign-up", email=NEW_EMAIL, password=PASSWORD)
        Program(app).submit("/auth/resend-verification", email=NEW_EMAIL)
        confirm(Program(app), token)
        assert len(mails(NEW_EMAIL)) == 1  # the sign-up is gone, and with it what it was to be mailed

    @pytest.mark.parametrize("moment", ["email_verified_at", "disabled_at"])
    def test_one_that_has_proved_it_since_or_is_disabled_keeps_it(self, app, ada, either, link, moment):
        token = link(ada)
        Program(app).submit("/auth/sign-up", email=NEW_EMAIL, password=PASSWORD)
        change(User, User.email == NEW_EMAIL, **{moment: utc_now()})
        answer = confirm(either, token)
        assert answer.status == 409
        assert token in answer.text if either.is_browser else answer.code == "CONFLICT"  # the form again
        assert ada.get("/auth/account").data["user"]["email"] == EMAIL
        change(User, User.email == NEW_EMAIL, email=BOB, email_key=BOB)  # it moves away: the link is still good
        assert confirm(either, token).status == succeeds(either)

    @pytest.mark.parametrize("squatted", [False, True])
    def test_of_two_that_confirm_at_once_one_gets_it(self, app, people, ada, link, squatted):
        bob = people.verified(BOB)
        for _ in range(3):
            tokens = [link(ada), link(bob)]
            if squatted:
                Program(app).submit("/auth/sign-up", email=NEW_EMAIL, password=PASSWORD)
            answers = at_once(2, lambda number, tokens=tokens: confirm(Program(app), tokens[number]))
            assert sorted(answer.status for answer in answers) == [200, 409]
            assert count(User) == 2
            winner, loser = (ada, bob) if answers[0].status == 200 else (bob, ada)
            assert winner.get("/auth/account").data["user"]["email"] == NEW_EMAIL
            old = EMAIL if winner is ada else BOB
            assert loser.get("/auth/account").data["user"]["email"] == (BOB if winner is ada else EMAIL)
            change(User, User.email == NEW_EMAIL, email=old, email_key=old)
            let_limits_pass(hours=1)

    def test_two_that_want_each_others_never_wait_for_each_other(self, app, people, ada, link, mails):
        bob, ways_back = people.verified(BOB), []
        for client, new, old in ((bob, NEW_EMAIL, BOB), (ada, BOB, EMAIL), (bob, EMAIL, NEW_EMAIL)):
            confirm(Program(app), link(client, new))
            ways_back.append(token_in(mails(old)[-1]))
        undo = "/auth/change-email/undo"
        answers = at_once(8, lambda number: Program(app).submit(undo, token=ways_back[number % 2]))
        assert [answer.code for answer in answers] == ["CONFLICT"] * 8

    def test_its_proof_at_the_same_moment(self, app, ada, link, mails):
        for _ in range(3):
            token, squatter = link(ada), Program(app)
            squatter.submit("/auth/sign-up", email=NEW_EMAIL, password=PASSWORD)
            proof = token_in(mails(NEW_EMAIL)[-1])
            acts = [
                lambda token=token: confirm(Program(app), token),
                lambda proof=proof: Program(app).submit("/auth/verify-email", token=proof),
            ]
            statuses = at_once(2, lambda number, acts=acts: acts[number]().status)
            assert statuses in ([200, 400], [409, 200])
            assert count(User) == (1 if statuses[0] == 200 else 2)
            with transaction() as session:
                session.execute(delete(User).where(User.id != ada_id(ada)))
            change(User, email=EMAIL, email_key=EMAIL)
            let_limits_pass(hours=1)

    def test_a_sign_up_at_the_same_moment_makes_no_second_account(self, app, ada, link):
        token = link(ada)
        acts = [
            lambda: confirm(Program(app), token),
            lambda: Program(app).submit("/auth/sign-up", email=NEW_EMAIL, password=PASSWORD),
        ]
        statuses = at_once(2, lambda number: acts[number]().status)
        assert statuses in ([200, 202], [409, 202])
        work(app)
        assert count(User, User.email_key == NEW_EMAIL) == 1


def test_it_counts_as_a_sign_up(app, either):
    for number in range(19):
        client = Browser(app) if number % 2 else Program(app)
        assert confirm(client, "unknown").status == 400
    assert Program(app).submit("/auth/sign-up", email=BOB, password=PASSWORD).status == 202
    answer = confirm(either, "unknown")
    assert answer.status == 429
    assert 0 < int(answer.response.headers["Retry-After"]) <= 3600
    assert Program(app).submit("/auth/sign-up", email=EMAIL, password=PASSWORD).status == 429
    let_limits_pass(hours=1)
    assert confirm(either, "unknown").status == 400
