"""What went wrong elsewhere with log lines: nothing secret stands in one, whatever happens on the way."""

import json
import smtplib
from datetime import timedelta

import pytest
from sqlalchemy import insert

from app import log, mail
from app.addresses import parse_address
from app.database import db, end_read, transaction, utc_now
from app.jobs import QueuedJob
from app.mailed_tokens import derive
from blueprints.auth.models import MailedToken, User
from blueprints.auth.services import sign_ins
from tests.blueprints.auth.support import let_limits_pass
from tests.clients import Browser, Program
from tests.people import work

PASSWORDS = ["canary one two three", "canary four five six", "canary seven eight", "canary that never fitted"]
ADDRESSES = [
    "first.canary@example.com",
    "second.canary@example.org",
    "third.canary@example.net",
    "not.known@example.com",
]


@pytest.fixture(params=["INFO", "DEBUG"])
def failing(request, make_app, monkeypatch):
    """An application whose mail server refuses everyone by name, and that tells as much as it can."""

    def send(message):
        raise smtplib.SMTPRecipientsRefused(
            {to: (450, f"no {to} here: {message.body}".encode()) for to in message.send_to}
        )

    app = make_app(MAIL_SERVER="localhost", MAIL_USE_TLS="false", LOG_LEVEL=request.param)
    monkeypatch.setattr(mail.transport, "send", send)
    yield app
    log.init("INFO")


def try_again(app):
    """Let every job that failed be tried once more."""
    with transaction() as session:
        for job in session.query(QueuedJob).where(QueuedJob.state == "queued"):
            job.run_at, job.lease_until = utc_now() - timedelta(seconds=1), None
    work(app)


def mailed(app, purpose):
    """The token of the newest link for a purpose; its mail never arrives here."""
    try_again(app)
    end_read()
    query = db.session.query(MailedToken).where(MailedToken.purpose == purpose, MailedToken.ended_at.is_(None))
    row = query.order_by(MailedToken.created_at.desc()).first()
    assert row is not None, purpose
    return derive(row.purpose, row.id, row.nonce, row.key_id)


class Life:
    """Everything that an account can do, as either client; `secrets` is what was held and sent on the way."""

    def __init__(self, app, kind):
        self.app, self.client, self.stranger = app, kind(app), kind(app)
        self.secrets = {*PASSWORDS, *ADDRESSES}

    def submit(self, client, path, verb="POST", **values):
        answer = client.submit(path, verb, _page=None if path == "/auth/sign-up" else "/auth/forgot-password", **values)
        assert answer.status < 500, (path, answer.text)
        for browser in (self.client, self.stranger):
            self.secrets |= {held.value for held in browser.client._cookies.values() if len(held.value) > 20}
        return answer

    def follow(self, path, purpose, **more):
        token = mailed(self.app, purpose)
        self.secrets.add(token)
        self.stranger.client.get(f"{path}?token={token}")
        self.stranger.client.get(f"{path}/{token}?token={token}")
        return self.submit(self.client, path, token=token, **more)

    def run(self):
        one, two, three, never = PASSWORDS
        first, second, third, unknown = ADDRESSES
        self.submit(self.client, "/auth/sign-up", email=first, password=one, name="A Canary")
        self.submit(self.stranger, "/auth/sign-in", email=first, password=one)
        self.submit(self.stranger, "/auth/resend-verification", email=first)
        self.follow("/auth/verify-email", "verify-email")
        self.submit(self.stranger, "/auth/sign-up", email=first, password=never)
        self.submit(self.stranger, "/auth/sign-in", email=unknown, password=never)
        self.submit(self.stranger, "/auth/sign-in", email=first, password=never)
        self.submit(self.stranger, "/auth/sign-in", email=f"{first}\x00", password=never)
        made = self.submit(self.client, "/auth/tokens", name="Export")
        bearer = made.text.partition("pat_")[2][:43]
        self.secrets.add(bearer)
        Program(self.app, f"pat_{bearer}").get("/auth/session")
        Program(self.app, f"pat_{bearer}").submit("/auth/change-password", currentPassword=one, newPassword=two)
        self.submit(self.client, "/auth/change-password", currentPassword=never, newPassword=two)
        self.submit(self.client, "/auth/change-password", currentPassword=one, newPassword=two)
        self.submit(self.stranger, "/auth/forgot-password", email=first)
        self.follow("/auth/reset-password", "reset-password", newPassword=three)
        self.submit(self.client, "/auth/sign-in", email=first, password=three)
        for new in (third, second):
            self.submit(self.client, "/auth/change-email", newEmail=new, password=three)
            try_again(self.app)
        self.follow("/auth/change-email/confirm", "change-email")
        self.follow("/auth/change-email/undo", "undo-change-email")
        self.follow("/auth/reset-password", "reset-password", newPassword=two)
        let_limits_pass(hours=1)
        self.submit(self.client, "/auth/sign-in", email=first, password=two)
        self.submit(self.client, "/auth/change-password", currentPassword=two, newPassword=one)
        self.follow("/auth/not-me", "not-me")
        self.follow("/auth/reset-password", "reset-password", newPassword=two)
        self.submit(self.client, "/auth/sign-in", email=first, password=two)
        self.submit(self.client, "/auth/account", "DELETE", password=two)
        try_again(self.app)


@pytest.mark.parametrize("kind", [Browser, Program])
def test_nothing_secret_is_logged_in_a_whole_life(failing, capsys, kind):
    """allauth 0.63.4: a token that was turned into text stood in the log, for whoever reads logs."""
    life = Life(failing, kind)
    life.run()
    written = capsys.readouterr()
    said = written.out + written.err
    events = [json.loads(line)["event"] for line in written.out.splitlines() if line.startswith("{")]
    assert {"request", "job_failed", "sign_in_refused", "password_changed", "account_deleted"} <= set(events)
    assert "SMTPRecipientsRefused" in said
    assert len(life.secrets) > 25
    leaked = [secret for secret in life.secrets if secret in said or json.dumps(secret)[1:-1] in said]
    assert leaked == []
    assert "canary" not in said.lower()


@pytest.mark.parametrize("kind", [Browser, Program])
def test_nothing_secret_is_logged_when_it_breaks(failing, capsys, monkeypatch, kind):
    """Flask-AppBuilder CVE-2023-34110: an error of the database showed the row, with the hash of the password."""

    def breaks(*args):
        row = {"email": ADDRESSES[0], "name": "A Canary", "password_hash": PASSWORDS[0]}
        with transaction() as session:
            session.execute(insert(User.__table__).values({**row, "email_key": None}))

    monkeypatch.setattr(sign_ins, "verify_password", breaks)
    client = kind(failing)
    assert client.submit("/auth/sign-in", email=ADDRESSES[0], password=PASSWORDS[0]).status == 500
    said = capsys.readouterr().out
    assert "IntegrityError" in said
    assert "canary" not in said.lower()


def test_no_address_is_logged_however_it_is_written(app, capsys):
    """allauth 0.63.4, for the addresses that a pattern for usual ones does not know."""
    locals_ = ["o'hara", "canary!", "#canary", "{canary}", "a/b=canary?", "canary`^|~", "canary&$*", "%canary%"]
    for local in locals_:
        address = parse_address(f"{local}@example.com")
        for text in (f"no {address} here", f"to=<{address}>", f"({{'{address}': 550}})"):
            log.info("mail_refused", note=text)
    said = capsys.readouterr().out
    assert [local for local in locals_ if local in said] == []


def test_a_control_character_forges_no_line(app, capsys):
    """Django CVE-2025-48432: a line break, or an escape, in the path was written into the log as it came."""
    client = app.test_client()
    forged = '\r\n{"event":"forged"}\x1b[31m\x07\u2028'
    agent = {"User-Agent": 'Mozilla {"event":"forged"}\x1b[31m'}
    for path in (f"/auth/{forged}", f"/api/auth/{forged}", f"/auth/sessions/{forged}/delete"):
        environ = {"PATH_INFO": path.encode().decode("latin-1"), "QUERY_STRING": forged.encode().decode("latin-1")}
        assert client.get("/x", environ_overrides=environ, headers=agent).status_code == 404
    client.post("/api/auth/sign-in", json={"email": f"a{forged}@example.com", "password": forged}, headers=agent)
    client.post("/api/auth/sign-in", json={"email": "a@example.com", "password": 'x{"event":"forged"}'}, headers=agent)
    said = capsys.readouterr().out
    assert [json.loads(line)["event"] for line in said.splitlines()] == ["request"] * 4 + ["sign_in_refused", "request"]
    assert "forged" not in said
    assert "\x1b" not in said


def test_who_was_refused_is_not_written_down(app, people, capsys):
    """OWASP, Logging: somebody typed the password where the name goes, and both stood in the log."""
    people.verified(ADDRESSES[0], PASSWORDS[0])
    capsys.readouterr()
    program = Program(app)
    program.submit("/auth/sign-in", email=f"{PASSWORDS[0].replace(' ', '.')}@example.com", password=ADDRESSES[0])
    program.submit("/auth/sign-in", email=PASSWORDS[0], password=ADDRESSES[0])
    said = capsys.readouterr().out
    assert said.count('"sign_in_refused"') == 1
    assert "canary" not in said.lower()
