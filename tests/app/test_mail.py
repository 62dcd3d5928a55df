"""Mail: queued with its cause, rendered anew at each try, sent over a verified connection."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import select, update

from app import mail
from app.database import db, end_read, transaction, utc_now
from app.jobs import QueuedJob
from app.mail import KeptMail
from tests.app.conftest import PRODUCTION, SAMPLE
from tests.clients import Browser, Program
from tests.live import serve
from tests.people import work
from tests.plugins.sample import greeting
from tests.services.smtp import smtp

TO = "ada@example.com"


def send(app: Flask, name: str = "Ada", to: str = TO) -> QueuedJob:
    """Queue a mail, let the worker run, and return its job."""
    with app.app_context():
        with transaction():
            job_id = mail.queue(greeting, to, name=name)
        work(app)
    return job(job_id)


def job(job_id) -> QueuedJob:
    end_read()
    db.session.expire_all()
    return db.session.get_one(QueuedJob, job_id)


def again(app: Flask) -> None:
    """Let the time of every next try have come, and let the worker run."""
    with transaction() as session:
        session.execute(update(QueuedJob).values(run_at=utc_now(), lease_until=None, state="queued"))
    work(app)


def kept() -> list[KeptMail]:
    end_read()
    return list(db.session.scalars(select(KeptMail).order_by(KeptMail.created_at)))


@pytest.fixture
def sending(make_app: Callable[..., Flask]) -> Callable[..., Flask]:
    """Makes applications that send to a mail server."""

    def make(server, **values: str) -> Flask:
        where = {"MAIL_SERVER": "localhost", "MAIL_PORT": str(server.port), "MAIL_USE_TLS": "false"}
        return make_app(**{"BLUEPRINTS": SAMPLE} | where | values)

    return make


def test_a_mail_is_rendered_from_its_three_templates(sample):
    assert send(sample).state == "done"
    (found,) = kept()
    assert found.recipient == TO
    assert found.subject == "Hello Ada, welcome to Pitchey"
    assert found.text == "Hello Ada.\n\nhttp://localhost:8000/sample/enter?token=secret-of-Ada\n"
    assert 'href="http://localhost:8000/sample/enter?token=secret-of-Ada"' in found.html


def test_css_is_inlined_and_what_cannot_be_stays(sample):
    send(sample)
    (found,) = kept()
    assert re.search(r'<p class="big" style="font-size: ?20px;?">', found.html)
    assert "prefers-color-scheme" in found.html


def test_html_is_escaped_and_text_is_not(sample):
    send(sample, "<b>Ada & Bob</b>")
    (found,) = kept()
    assert "Hello &lt;b&gt;Ada &amp; Bob&lt;/b&gt;." in found.html
    assert found.text.startswith("Hello <b>Ada & Bob</b>.")
    assert found.subject.startswith("Hello <b>Ada & Bob</b>,")


def test_it_arrives(sending):
    with smtp() as server:
        send(sending(server, PRODUCT_NAME="Größer"), "Jürgen")
    (message,) = server.messages
    assert message["Subject"] == "Hello Jürgen, welcome to Größer"
    assert message["From"] == "Größer <team@localhost>"
    assert message["To"] == TO
    assert message["Auto-Submitted"] == "auto-generated"
    assert (message.mail_from, message.rcpt_tos) == ("team@localhost", (TO,))
    assert "Hello Jürgen." in message.get_body(("plain",)).get_content()
    assert "Hello Jürgen." in message.get_body(("html",)).get_content()


def test_a_header_cannot_be_injected(sending):
    with smtp() as server:
        app = sending(server)
        send(app, "Ada\r\nBcc: evil@example.com\r\n\r\nbody")
        refused = send(app, to="ada@example.com\nBcc: evil@example.com")
    (message,) = server.messages
    assert message["Bcc"] is None
    assert message["Subject"] == "Hello Ada Bcc: evil@example.com body, welcome to Pitchey"
    assert message.rcpt_tos == (TO,)
    assert refused.state == "queued"


def test_a_subject_is_cut(sample):
    send(sample, "a" * 400)
    assert len(kept()[0].subject) == 300


def test_starttls_is_verified(sending, monkeypatch):
    with smtp(tls=True, auth=("user", "password")) as server:
        monkeypatch.setenv("SSL_CERT_FILE", server.ca_file)
        values = {"MAIL_USE_TLS": "true", "MAIL_USERNAME": "user", "MAIL_PASSWORD": "password"}
        assert send(sending(server, **values)).state == "done"
        assert send(sending(server, **values | {"MAIL_PASSWORD": "wrong"})).last_error == "SMTPAuthenticationError"
    assert len(server.messages) == 1


def test_an_unknown_certificate_is_refused_and_nothing_is_sent(sending):
    with smtp(tls=True) as server:
        tried = send(sending(server, MAIL_USE_TLS="true"))
    assert (tried.state, tried.last_error) == ("queued", "SSLCertVerificationError")
    assert server.messages == []
    assert kept() == []


def test_a_server_without_starttls_gets_nothing(sending):
    with smtp() as server:
        assert send(sending(server, MAIL_USE_TLS="true")).last_error == "SMTPNotSupportedError"
    assert server.messages == []


def test_message_id_and_link_stay_the_same_over_retries(sending, monkeypatch):
    """The server took it, and the worker died before it could write that down."""
    with smtp() as server:
        app = sending(server, MAIL_DEFAULT_SENDER="Team <team@mail.example.com>")
        first = send(app)
        again(app)
        send(app)
    ids = [message["Message-ID"] for message in server.messages]
    assert len(ids) == 3
    assert ids[0] == ids[1] == f"<{first.id}@mail.example.com>"
    assert ids[2] != ids[0]
    assert "secret-of-Ada" in server.messages[1].get_body(("plain",)).get_content()
    assert len(kept()) == 2


def test_a_lost_server_is_tried_again(sending):
    with smtp() as server:
        app = sending(server)
    lost = send(app)
    assert (lost.state, lost.attempts) == ("queued", 1)
    assert lost.last_error == "ConnectionRefusedError"


@pytest.mark.parametrize("answer", ["550 5.1.1 No such user", "551 User not local", "553 Mailbox name not allowed"])
def test_a_mail_to_nobody_fails_at_once(sending, answer):
    with smtp() as server:
        server.answers[TO] = answer
        refused = send(sending(server))
    assert (refused.state, refused.attempts, refused.last_error) == ("failed", 1, "RecipientRefused")


@pytest.mark.parametrize(
    "answer", ["450 Greylisted", "452 Mailbox full", "421 Closing", "550 5.7.1 Unable to relay", "552 Over quota"]
)
def test_a_refusal_that_may_pass_is_tried_again(sending, answer):
    with smtp() as server:
        app = sending(server)
        server.answers[TO] = answer
        refused = send(app)
        assert (refused.state, refused.last_error) == ("queued", "SMTPRecipientsRefused")
        server.answers.clear()
        again(app)
    assert (job(refused.id).state, len(server.messages)) == ("done", 1)


def test_a_server_that_hangs_up_has_the_mail_once(sending):
    with smtp() as server:
        server.hangs_up = True
        sent = send(sending(server))
    assert (sent.state, sent.last_error) == ("done", None)
    assert len(server.messages) == 1


def test_a_server_that_hangs_up_does_not_hide_why_it_refused(sending):
    with smtp() as server:
        server.hangs_up, server.answers[TO] = True, "550 5.1.1 No such user"
        assert send(sending(server)).last_error == "RecipientRefused"


def test_a_mail_is_queued_in_the_transaction_of_its_cause(sample):
    def fails() -> None:
        with transaction():
            mail.queue(greeting, TO, name="Ada")
            raise ZeroDivisionError

    with sample.app_context(), pytest.raises(ZeroDivisionError):
        fails()
    work(sample)
    assert kept() == []


def test_the_row_holds_no_secret(program, app):
    program.submit("/auth/sign-up", email=TO, password="correct horse battery")
    work(app)
    end_read()
    (row,) = db.session.scalars(select(QueuedJob).where(QueuedJob.name == "mail.verify_email"))
    (message,) = kept()
    token = re.search(r"token=([A-Za-z0-9_-]{43})", message.text).group(1)
    assert set(row.args) == {"to", "token_id"}
    assert token not in repr(row.args)


def test_a_mail_without_a_reason_is_not_sent(sample):
    assert send(sample, "nobody").state == "done"
    assert kept() == []


def test_in_production_mails_wait_for_a_transport(production, environ):
    silent = production(BLUEPRINTS=SAMPLE)
    waiting = send(silent)
    assert (waiting.state, waiting.attempts) == ("queued", 0)
    with smtp() as server:
        app = production(BLUEPRINTS=SAMPLE, MAIL_SERVER="localhost", MAIL_PORT=str(server.port), MAIL_USE_TLS="false")
        work(app)
    assert job(waiting.id).state == "done"
    assert server.messages[0]["From"] == "Pitchey <team@app.example.com>"
    assert kept() == [], "production keeps none"


@pytest.mark.parametrize("server, warnings", [("", 1), ("localhost", 0)])
def test_production_without_a_transport_starts_with_a_warning(environ, tmp_path, server, warnings):
    values = PRODUCTION | {"BASE_URL": "http://localhost:8000", "MAIL_SERVER": server, "WEB_CONCURRENCY": "2"}
    with serve(environ | values, tmp_path / "log") as running:
        assert running.log.read_text().count("Mails stay queued") == warnings


# --- the mailbox of development ---------------------------------------------------------------------


def test_the_mailbox_shows_the_newest_first(sample):
    for name in ("one", "two"):
        send(sample, name)
    messages = Program(sample).get("/dev/mailbox").data["messages"]
    assert [message["subject"].split(",")[0] for message in messages] == ["Hello two", "Hello one"]
    assert set(messages[0]) == {"id", "to", "subject", "text", "html", "createdAt"}
    page = Browser(sample).get("/dev/mailbox").text
    assert page.index("Hello two") < page.index("Hello one")


def test_a_mail_is_kept_also_when_it_is_sent(sending):
    with smtp() as server:
        app = sending(server, ENVIRONMENT="development")
        send(app)
    assert len(server.messages) == len(Program(app).get("/dev/mailbox").data["messages"]) == 1


def test_a_mail_is_shown_in_a_sandbox(sample):
    send(sample)
    browser = Browser(sample)
    (message,) = Program(sample).get("/dev/mailbox").data["messages"]
    page = browser.get(f"/dev/mailbox/{message['id']}")
    frame = re.search(r"<iframe[^>]*>", page.text).group(0)
    assert f'src="/dev/mailbox/{message["id"]}/html"' in frame
    assert re.search(r"\ssandbox(=\"\")?\s*>", frame)
    shown = browser.get(f"/dev/mailbox/{message['id']}/html")
    policy = shown.response.headers.getlist("Content-Security-Policy")
    assert len(policy) == 1
    assert "style-src 'unsafe-inline'" in policy[0]
    assert "sandbox" in policy[0]
    assert "script" not in policy[0]
    assert "unsafe" not in page.response.headers["Content-Security-Policy"]
    assert shown.text == message["html"]


def test_an_absent_mail_is_404(sample):
    absent = "00000000-0000-4000-8000-000000000001"
    assert Browser(sample).get(f"/dev/mailbox/{absent}").status == 404
    assert Browser(sample).get(f"/dev/mailbox/{absent}/html").status == 404


def test_there_is_no_mailbox_in_production(production):
    client = production().test_client()
    for path in ("/dev/mailbox", "/api/dev/mailbox", "/dev/mailbox/00000000-0000-4000-8000-000000000001/html"):
        assert client.get(path, base_url=PRODUCTION["BASE_URL"]).status_code == 404
