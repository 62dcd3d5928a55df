"""Mailed links: single use, one purpose, a lifetime, shown by GET and used by POST, and in no table or log."""

import pytest

from app.database import db, utc_now
from app.jobs import QueuedJob
from blueprints.auth.models import MailedToken, User
from tests.blueprints.auth.support import NEW_PASSWORD, at_once, change, count, dump, let_pass, only, refuses
from tests.clients import Browser, Program
from tests.people import PASSWORD, token_in, work
from tests.services.smtp import smtp

EMAIL, NEW_EMAIL = "ada@example.com", "lovelace@example.com"
PURPOSES = {
    "verify-email": "/auth/verify-email",
    "reset-password": "/auth/reset-password",
    "change-email": "/auth/change-email/confirm",
    "undo-change-email": "/auth/change-email/undo",
    "not-me": "/auth/not-me",
}
SUPERSEDED = ["verify-email", "reset-password", "change-email"]  # by a newer one; the others protect
HOURS = {"verify-email": 24, "reset-password": 1, "change-email": 24, "undo-change-email": 72, "not-me": 72}
NEXT_STEPS = {
    "verify-email": "/auth/resend-verification",
    "reset-password": "/auth/forgot-password",
    "change-email": "/auth/change-email",
    "undo-change-email": "/auth/forgot-password",
    "not-me": "/auth/forgot-password",
}
each_purpose = pytest.mark.parametrize("purpose", PURPOSES)


def use(client, purpose, token):
    more = {"newPassword": NEW_PASSWORD} if purpose == "reset-password" else {}
    page = f"{PURPOSES[purpose]}?token={token}"
    return client.submit(PURPOSES[purpose], _page=page, token=token, **more)


def ask(client, purpose):
    """Have a link that a newer one supersedes mailed: to Ada, or for her new address."""
    if purpose == "change-email":
        return client.submit("/auth/change-email", newEmail=NEW_EMAIL, password=PASSWORD)
    path = {"verify-email": "/auth/resend-verification", "reset-password": "/auth/forgot-password"}[purpose]
    return client.submit(path, email=EMAIL)


@pytest.fixture
def ada(app, people):
    """Ada's program: `ada("not-me")` has signed up, and verified her address unless it is about that."""

    def ada(purpose):
        if purpose != "verify-email":
            return people.verified(EMAIL)
        Program(app).submit("/auth/sign-up", email=EMAIL, password=PASSWORD)
        return Program(app)

    return ada


@pytest.fixture
def link(ada, outbox):
    """Makes Ada's account, has a link mailed, and returns its token: `link("not-me")`."""

    def link(purpose):
        program = ada(purpose)
        if purpose in SUPERSEDED:
            ask(program, purpose)
        elif purpose == "not-me":
            program.submit("/auth/change-password", currentPassword=PASSWORD, newPassword=PASSWORD)
        else:
            ask(program, "change-email")
            use(program, "change-email", token_in(outbox()[-1]))
        return token_in(outbox()[-1])

    return link


def is_dead(answer):
    return answer.status == 400 and answer.code in ("INVALID_TOKEN", None)


@each_purpose
def test_of_ten_at_once_one_succeeds(app, link, purpose):
    token = link(purpose)
    statuses = at_once(10, lambda number: use(Program(app), purpose, token).status)
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 400, 503}


@each_purpose
def test_a_link_works_once(either, link, purpose):
    token = link(purpose)
    assert use(either, purpose, token).status in (200, 303)
    again = use(either, purpose, token)
    assert is_dead(again)
    if either.is_browser:
        assert f'href="{NEXT_STEPS[purpose]}"' in again.text


@each_purpose
def test_looking_at_a_link_changes_nothing(app, link, purpose):
    token = link(purpose)
    before = dump(app)
    for method in ("GET", "HEAD"):
        answer = Browser(app).client.open(f"{PURPOSES[purpose]}?token={token}", method=method)
        assert answer.status_code == 200
        assert (answer.headers["Cache-Control"], answer.headers["Referrer-Policy"]) == ("no-store", "strict-origin")
        assert "?token=" not in answer.text
    assert Program(app).get(f"{PURPOSES[purpose]}?token={token}").status == 405
    assert dump(app) == before
    assert use(Browser(app), purpose, token).status == 303


@each_purpose
def test_a_link_for_something_else_does_not_work(either, link, purpose):
    token = link(purpose)
    for other in PURPOSES.keys() - {purpose}:
        assert is_dead(use(either, other, token))
    assert use(either, purpose, token).status in (200, 303)


@each_purpose
def test_made_up_tokens_do_not_work(either, purpose):
    for token in ("unknown", "a" * 43, "x" * 300, "\u00e4\u00df\u20ac", " "):
        assert is_dead(use(either, purpose, token))
    without = either.submit(PURPOSES[purpose], _page=f"{PURPOSES[purpose]}?token=x", token="")
    assert without.status == refuses(either)


@each_purpose
@pytest.mark.parametrize("late", [False, True])
def test_a_link_expires(app, link, purpose, late):
    token = link(purpose)
    let_pass(MailedToken, hours=HOURS[purpose], minutes=0 if late else -1)
    assert use(Program(app), purpose, token).status == (400 if late else 200)


@each_purpose
def test_the_links_of_a_disabled_account_are_dead(app, either, link, purpose):
    token = link(purpose)
    change(User, disabled_at=utc_now())
    before = dump(app, "limit_hits")
    assert is_dead(use(either, purpose, token))
    assert dump(app, "limit_hits") == before


@each_purpose
def test_another_site_cannot_use_a_link(app, people, link, purpose):
    token = link(purpose)
    bob = people.verified("bob@example.com")
    browser, evil = people.browser("bob@example.com"), {"Origin": "https://evil.test"}
    data = {"token": token, "newPassword": NEW_PASSWORD}
    assert bob.post(PURPOSES[purpose], json=data, headers=evil).code == "CSRF_FAILED"
    assert browser.post(PURPOSES[purpose], data=data).status == 403
    data["csrf_token"] = browser.token(PURPOSES[purpose])
    assert browser.post(PURPOSES[purpose], data=data, headers=evil).status == 403
    assert use(Program(app), purpose, token).status == 200


@each_purpose
def test_neither_token_nor_address_is_in_a_log_line(app, link, capsys, purpose):
    token = link(purpose)
    for client in (Browser(app), Program(app), Program(app)):
        client.get(f"{PURPOSES[purpose]}?token={token}")
        use(client, purpose, token)
    work(app)
    lines = capsys.readouterr().out
    assert f'"route":"{PURPOSES[purpose]}"' in lines
    for secret in (token, EMAIL, NEW_EMAIL, PASSWORD, NEW_PASSWORD):
        assert secret not in lines


@pytest.mark.parametrize("purpose", SUPERSEDED)
def test_only_the_newest_link_works(either, ada, outbox, purpose):
    program, tokens = ada(purpose), []
    for _ in range(2):
        ask(program, purpose)
        tokens.append(token_in(outbox()[-1]))
    assert is_dead(use(either, purpose, tokens[0]))
    assert use(either, purpose, tokens[1]).status in (200, 303)


@pytest.mark.parametrize("purpose", SUPERSEDED)
def test_of_links_asked_for_at_once_one_is_open(app, ada, purpose):
    program = ada(purpose)
    held = program.client.get_cookie("session")

    def ask_once(number):
        another = Program(app)
        if held:
            another.client.set_cookie("session", held.value)
        return ask(another, purpose).status

    assert set(at_once(4, ask_once)) <= {200, 503}
    work(app)
    assert count(MailedToken, MailedToken.purpose == purpose, MailedToken.ended_at.is_(None)) == 1


@pytest.mark.parametrize("purpose", ["verify-email", "reset-password"])
def test_a_link_proves_no_mailbox_but_the_one_it_went_to(either, link, purpose):
    token = link(purpose)
    change(User, email=NEW_EMAIL, email_key=NEW_EMAIL)
    assert is_dead(use(either, purpose, token))
    change(User, email="ADA@example.com", email_key=EMAIL)
    assert use(either, purpose, token).status in (200, 303)


def test_using_and_voiding_at_once_never_wait_for_each_other(app, ada, mails):
    program = ada("reset-password")
    for _ in range(4):
        ask(program, "reset-password")
        token = token_in(mails()[-1])
        acts = [
            lambda token=token: use(Program(app), "reset-password", token),
            lambda: Program(app).submit("/auth/sign-in", email=EMAIL, password=NEW_PASSWORD),
            lambda: Program(app).submit("/auth/sign-in", email=EMAIL, password=NEW_PASSWORD),
        ]
        statuses = at_once(3, lambda number, acts=acts: acts[number]().status)
        assert 503 not in statuses


def test_a_link_stays_the_same_when_its_mail_is_sent_again(app, mails, link):
    token = link("reset-password")
    job = only(QueuedJob, QueuedJob.name == "mail.reset_password")
    change(QueuedJob, QueuedJob.id == job.id, state="queued", finished_at=None)
    assert [token_in(mail) for mail in mails()].count(token) == 1  # one row a job: it was rendered anew
    assert use(Program(app), "reset-password", token).status == 200


def test_a_superseded_mail_is_not_sent(app, mails, ada):
    program = ada("change-email")
    for _ in range(3):
        ask(program, "change-email")
    assert len(mails(NEW_EMAIL)) == 1


def test_mails_go_to_the_stored_address_alone(app, ada, outbox):
    ada("reset-password")
    for spelling in (EMAIL, "ADA@EXAMPLE.COM"):
        Program(app).submit("/auth/forgot-password", email=spelling)
    assert {mail.recipient for mail in outbox()} == {EMAIL}


def test_links_lead_to_the_configured_address(app, ada, outbox):
    ada("reset-password")
    Program(app).post("/auth/forgot-password", json={"email": EMAIL}, base_url="http://127.0.0.1:9999")
    assert "http://localhost:8000/auth/reset-password?token=" in outbox()[-1].text


def test_no_token_stands_in_the_database(make_app):
    """As in production, where no mail is kept: what was mailed, and the passwords and cookies, are not found."""
    with smtp() as mailbox:
        app = make_app(
            ENVIRONMENT="production",
            BASE_URL="http://localhost:8000",
            PASSWORD_PEPPER="a pepper for the tests",
            BCRYPT_COST="10",
            MAIL_SERVER=mailbox.host,
            MAIL_PORT=str(mailbox.port),
            MAIL_USE_TLS="false",
            MAIL_DEFAULT_SENDER="team@example.com",
        )
        program, tokens, written = Program(app), [], ""

        def newest():
            nonlocal written
            written += dump(app)  # before sending, too
            work(app)
            text = mailbox.messages[-1].get_body(("plain",)).get_content()
            tokens.append(text.partition("token=")[2].split()[0])
            return tokens[-1]

        program.submit("/auth/sign-up", email=EMAIL, password=NEW_PASSWORD)
        assert program.submit("/auth/verify-email", token=newest()).status == 200
        value = program.submit("/auth/tokens", name="Export").data["value"]
        assert program.submit("/auth/change-email", newEmail=NEW_EMAIL, password=NEW_PASSWORD).status == 200
        assert use(program, "change-email", newest()).status == 200
        assert use(program, "undo-change-email", newest()).status == 200
        assert use(program, "reset-password", newest()).status == 200
        newest()  # the notice, with "this was not me"
        written += dump(app)
    assert [len(token) for token in tokens] == [43] * 5
    held = [item.value for item in program.client._cookies.values()]
    assert EMAIL in written
    for secret in [*tokens, value, value.removeprefix("pat_"), NEW_PASSWORD, *held]:
        assert secret not in written


def test_a_job_stores_ids_and_no_text(app, link):
    link("undo-change-email")
    for job in db.session.query(QueuedJob).where(QueuedJob.name.like("mail.%")):
        assert set(job.args) <= {"to", "token_id", "user_id", "at", "ip", "browser"}
