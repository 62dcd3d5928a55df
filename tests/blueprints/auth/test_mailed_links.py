"""Mailed links: single use, newest only, one purpose, and in no table."""

import pytest

from app.database import db
from app.jobs import QueuedJob
from blueprints.auth.models import MailedToken, User
from tests.blueprints.auth.support import NEW_PASSWORD, at_once, change, count, dump, let_pass, only
from tests.clients import Program
from tests.people import PASSWORD, token_in, work
from tests.services.smtp import smtp

EMAIL = "ada@example.com"
PURPOSES = ["verify-email", "reset-password"]


def ask(client, purpose):
    """Have a link for a purpose mailed to Ada, who has signed up."""
    path = {"verify-email": "/auth/resend-verification", "reset-password": "/auth/forgot-password"}[purpose]
    assert client.submit(path, email=EMAIL).status in (200, 303)


def use(client, purpose, token):
    more = {"newPassword": NEW_PASSWORD} if purpose == "reset-password" else {}
    return client.submit(f"/auth/{purpose}", token=token, **more)


@pytest.fixture(autouse=True)
def ada_signed_up(app):
    Program(app).submit("/auth/sign-up", email=EMAIL, password=PASSWORD)


@pytest.fixture
def link(mails, app):
    """Has a link mailed, and returns its token: `link("reset-password")`."""

    def link(purpose):
        ask(Program(app), purpose)
        return token_in(mails()[-1])

    return link


@pytest.mark.parametrize("purpose", PURPOSES)
def test_of_ten_at_once_one_succeeds(app, link, purpose):
    token = link(purpose)
    statuses = at_once(10, lambda number: use(Program(app), purpose, token).status)
    assert statuses.count(200) == 1
    assert set(statuses) <= {200, 400, 503}


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_link_works_once(either, link, purpose):
    token = link(purpose)
    assert use(either, purpose, token).status in (200, 303)
    again = use(either, purpose, token)
    assert again.status == 400
    if not either.is_browser:
        assert again.code == "INVALID_TOKEN"


@pytest.mark.parametrize("purpose", PURPOSES)
def test_only_the_newest_link_works(either, link, purpose):
    older, newer = link(purpose), link(purpose)
    assert use(either, purpose, older).status == 400
    assert use(either, purpose, newer).status in (200, 303)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_of_links_asked_for_at_once_one_is_open(app, purpose):
    at_once(4, lambda number: ask(Program(app), purpose))
    assert count(MailedToken, MailedToken.purpose == purpose, MailedToken.ended_at.is_(None)) == 1


@pytest.mark.parametrize("purpose, hours", [("verify-email", 24), ("reset-password", 1)])
def test_a_link_expires(app, link, purpose, hours):
    first = link(purpose)
    let_pass(MailedToken, hours=hours, minutes=-1)
    assert use(Program(app), purpose, first).status == 200
    change(User, email_verified_at=None)
    second = link(purpose)
    let_pass(MailedToken, hours=hours)
    assert use(Program(app), purpose, second).code == "INVALID_TOKEN"


@pytest.mark.parametrize("purpose, other", [PURPOSES, PURPOSES[::-1]])
def test_a_link_for_something_else_does_not_work(either, link, purpose, other):
    token = link(purpose)
    assert use(either, other, token).status == 400
    assert use(either, purpose, token).status in (200, 303)


def test_using_and_voiding_at_once_never_wait_for_each_other(app, link):
    for _ in range(4):
        token = link("reset-password")
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


def test_a_superseded_mail_is_not_sent(app, mails):
    for _ in range(3):
        ask(Program(app), "reset-password")
    assert [mail.subject for mail in mails()][1:] == ["Reset your Pitchey password"]


def test_mails_go_to_the_stored_address_alone(app, mails, outbox):
    ask(Program(app), "reset-password")
    Program(app).submit("/auth/forgot-password", email="ADA@EXAMPLE.COM")
    assert {mail.recipient for mail in outbox()} == {EMAIL}


def test_links_lead_to_the_configured_address(app, outbox):
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
        program = Program(app)
        program.submit("/auth/sign-up", email="bob@example.com", password=NEW_PASSWORD)
        program.submit("/auth/forgot-password", email="bob@example.com")
        before_sending = dump(app)
        work(app)
        mails = [message for message in mailbox.messages if message.rcpt_tos == ("bob@example.com",)]
    texts = [mail.get_body(("plain",)).get_content() for mail in mails]
    tokens = [text.partition("token=")[2].split()[0] for text in texts]
    assert len(tokens) == 2
    assert all(len(token) == 43 for token in tokens)
    assert program.submit("/auth/verify-email", token=tokens[0]).status == 200
    value = program.submit("/auth/tokens", name="Export").data["value"]
    held = [item.value for item in program.client._cookies.values()]
    written = before_sending + dump(app)
    assert "bob@example.com" in written
    for secret in [*tokens, value, value.removeprefix("pat_"), NEW_PASSWORD, *held]:
        assert secret not in written


def test_a_job_stores_ids_and_no_text(app):
    ask(Program(app), "reset-password")
    for job in db.session.query(QueuedJob).where(QueuedJob.name.like("mail.%")):
        assert set(job.args) <= {"to", "token_id", "user_id"}
