"""`flask users sessions`."""

import pytest
from sqlalchemy import select

from app.database import db
from blueprints.auth.cli import users
from blueprints.auth.cli.accounts import browser
from blueprints.auth.models import AccessToken, UserSession
from tests.blueprints.auth.support import change, count, let_pass
from tests.clients import Program
from tests.people import PASSWORD

EMAIL = "ada@example.com"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


@pytest.fixture
def flask_users(app):
    """Runs a command: `flask_users("sessions", "ada@example.com")`."""
    return lambda *words: app.test_cli_runner().invoke(users, words)


def test_the_running_sessions_newest_first(app, people, ada, flask_users):
    let_pass(UserSession, days=-1)
    change(UserSession, ip_address="2001:db8::1", user_agent=FIREFOX)
    people.verified("bob@example.com")
    remembered = Program(app)
    remembered.submit("/auth/sign-in", email=EMAIL, password=PASSWORD, rememberMe=True)
    people.program(EMAIL).submit("/auth/sign-out")
    rows = {row["id"]: row for row in remembered.get("/auth/sessions").data["sessions"]}
    assert len(rows) == 2
    result = flask_users("sessions", "ADA@example.com")
    header, *lines = result.stdout.splitlines()
    assert (result.exit_code, result.stderr) == (0, "")
    assert header.split("  ")[0] == "Id"
    assert [line.split("  ")[0] for line in lines] == list(rows)
    for line, row in zip(lines, rows.values(), strict=True):
        for name in ("createdAt", "lastSeenAt", "expiresAt"):
            assert row[name][:16].replace("T", " ") in line
    assert "2001:db8::1  Firefox on Linux  " in lines[0] + lines[1]


def test_a_browser_is_named_as_on_the_pages(app):
    assert browser(FIREFOX) == "Firefox on Linux"
    assert browser("") == "Unknown browser"
    assert browser("a <b> & 'c'") == "a <b> & 'c'"


def test_what_a_terminal_would_obey_is_not_printed(ada, flask_users):
    change(UserSession, user_agent="\x1b[31mred\x9b31m\u202etxet")
    assert "\\x1b[31mred\\x9b31m\\u202etxet" in flask_users("sessions", EMAIL).stdout


def test_no_session(ada, flask_users):
    ada.submit("/auth/sign-out")
    result = flask_users("sessions", EMAIL)
    assert (result.exit_code, result.stdout) == (0, f"{EMAIL} has no running session.\n")


def test_end_ends_them_all(app, people, ada, flask_users):
    other = people.browser(EMAIL)
    bob = people.verified("bob@example.com")
    value = ada.submit("/auth/tokens", name="Export").data["value"]
    result = flask_users("sessions", EMAIL, "--end")
    assert (result.exit_code, result.output) == (0, f"{EMAIL}: 2 sessions ended.\n")
    assert ada.get("/auth/session").status == 401
    assert other.get("/auth/account").status == 303
    assert bob.get("/auth/session").status == 200
    assert Program(app, value).get("/auth/session").status == 200
    ended = UserSession.ended_at.is_not(None)
    assert set(db.session.scalars(select(UserSession.ended_by).where(ended))) == {"an operator"}
    people.program(EMAIL)


def test_end_with_tokens(app, ada, people, flask_users):
    bob = people.verified("bob@example.com")
    bob.submit("/auth/tokens", name="Export")
    value = ada.submit("/auth/tokens", name="Export").data["value"]
    result = flask_users("sessions", EMAIL, "--end", "--tokens")
    assert (result.exit_code, result.output) == (0, f"{EMAIL}: 1 session and 1 token ended.\n")
    assert Program(app, value).get("/auth/session").status == 401
    assert count(AccessToken) == 1
    assert flask_users("sessions", EMAIL, "--end", "--tokens").output == f"{EMAIL}: 0 sessions and 0 tokens ended.\n"


def test_tokens_go_with_end(ada, flask_users):
    result = flask_users("sessions", EMAIL, "--tokens")
    assert (result.exit_code, "--tokens goes with --end." in result.stderr) == (2, True)
    assert ada.get("/auth/session").status == 200
