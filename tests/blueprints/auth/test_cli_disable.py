"""`flask users disable` and `enable`, and what goes wrong in any of these commands."""

import pytest
from sqlalchemy import select

from app.database import db, utc_now
from blueprints.auth.cli import users
from blueprints.auth.models import AccessToken, MailedToken, User, UserSession
from tests.blueprints.auth.support import NEW_PASSWORD, change, count, only
from tests.clients import Program
from tests.live import flask
from tests.people import PASSWORD, token_in

EMAIL = "ada@example.com"


@pytest.fixture
def flask_users(app):
    """Runs a command: `flask_users("disable", "ada@example.com")`."""
    return lambda *words: app.test_cli_runner().invoke(users, words)


def said(result):
    """Exit code, standard output and standard error of a command."""
    return result.exit_code, result.stdout, result.stderr


def test_disable_ends_everything(app, people, ada, mails, flask_users):
    browser = people.browser(EMAIL)
    value = ada.submit("/auth/tokens", name="Export").data["value"]
    ada.submit("/auth/forgot-password", email=EMAIL)
    link = token_in(mails()[-1])
    assert Program(app, value).get("/auth/session").status == 200
    assert said(flask_users("disable", "ADA@example.com")) == (
        0,
        f"{EMAIL} is disabled; 2 sessions and 1 token ended.\n",
        "",
    )
    assert ada.get("/auth/session").status == 401
    assert browser.get("/auth/account").status == 303
    assert Program(app, value).get("/auth/session").status == 401
    assert ada.submit("/auth/sign-in", email=EMAIL, password=PASSWORD).code == "INVALID_CREDENTIALS"
    assert ada.submit("/auth/reset-password", token=link, newPassword=NEW_PASSWORD).code == "INVALID_TOKEN"
    assert only(User).disabled_at is not None
    assert {row.ended_by for row in db.session.scalars(select(UserSession))} == {"an operator"}
    assert (count(AccessToken), count(MailedToken, MailedToken.ended_at.is_(None))) == (0, 0)


def test_disable_leaves_the_others_alone(people, ada, flask_users):
    bob = people.verified("bob@example.com")
    bob.submit("/auth/tokens", name="Export")
    flask_users("disable", EMAIL)
    assert bob.get("/auth/session").status == 200
    assert count(AccessToken) == 1


def test_disable_twice(ada, flask_users):
    flask_users("disable", EMAIL)
    before = only(User).disabled_at
    assert said(flask_users("disable", EMAIL)) == (0, f"{EMAIL} is disabled already.\n", "")
    assert only(User).disabled_at == before


def test_enable_opens_the_account_and_what_ended_stays_ended(app, people, ada, flask_users):
    value = ada.submit("/auth/tokens", name="Export").data["value"]
    flask_users("disable", EMAIL)
    assert said(flask_users("enable", "ADA@example.com")) == (0, f"{EMAIL} is enabled.\n", "")
    assert only(User).disabled_at is None
    assert ada.get("/auth/session").status == 401
    assert Program(app, value).get("/auth/session").status == 401
    people.program(EMAIL)


def test_enable_ends_what_was_only_hidden(app, ada, flask_users):
    value = ada.submit("/auth/tokens", name="Export").data["value"]
    change(User, disabled_at=utc_now())  # by hand, in the database
    flask_users("enable", EMAIL)
    assert ada.get("/auth/session").status == 401
    assert Program(app, value).get("/auth/session").status == 401


def test_enable_an_open_account(ada, flask_users):
    assert said(flask_users("enable", EMAIL)) == (0, f"{EMAIL} is enabled already.\n", "")
    assert ada.get("/auth/session").status == 200


def test_the_last_administrator_is_warned_of_and_disabled(people, flask_users):
    people.admin("root@example.com")
    people.admin("other@example.com")
    people.verified(EMAIL)
    assert flask_users("disable", "other@example.com").stderr == ""
    result = flask_users("disable", "root@example.com")
    assert said(result) == (
        0,
        "root@example.com is disabled; 1 session and 0 tokens ended.\n",
        "Warning: this was the last administrator. Make another: flask users create-admin EMAIL\n",
    )
    assert count(User, User.disabled_at.is_not(None)) == 2
    assert flask_users("disable", EMAIL).stderr == "", "nobody is left, but Ada was no administrator"


@pytest.mark.parametrize("command", ["disable", "enable", "sessions"])
@pytest.mark.parametrize(
    "typed, words",
    [
        ("nobody@example.com", "There is no account with the address nobody@example.com."),
        ("nobody", "Enter an email address like name@example.com."),
        ("\udcff@example.com", "Enter an email address like name@example.com."),
    ],
)
def test_an_address_that_has_no_account(flask_users, command, typed, words):
    assert said(flask_users(command, typed)) == (1, "", f"Error: {words}\n")


def test_disable_from_another_process(ada, environ):
    assert flask(environ, "users", "disable", EMAIL) == f"{EMAIL} is disabled; 1 session and 0 tokens ended.\n"
    assert ada.get("/auth/session").status == 401


def test_nothing_of_it_is_done_when_the_end_fails(ada, flask_users, monkeypatch):
    def fail(*_):
        raise RuntimeError("the last step")

    monkeypatch.setattr("blueprints.auth.services.operators.delete_tokens", fail)
    assert isinstance(flask_users("disable", EMAIL).exception, RuntimeError)
    assert only(User).disabled_at is None
    assert ada.get("/auth/session").status == 200


@pytest.mark.parametrize("words", [("list",), ("disable", EMAIL), ("sessions", EMAIL)], ids=lambda words: words[0])
@pytest.mark.parametrize(
    "url, line",
    [
        ("sqlite:////no/such/folder/app.db", "The database is not available: unable to open database file"),
        ("postgresql://nobody:secret@127.0.0.1:1/app", "The database is not available: connection to server at"),
    ],
)
def test_a_database_that_is_away_is_one_line(make_app, words, url, line):
    other = make_app(DATABASE_URL=url)
    with other.app_context():
        code, out, err = said(other.test_cli_runner().invoke(users, words))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"Error: {line}")
    assert "secret" not in err


def test_a_database_without_tables_is_one_line(make_app, new_database):
    other = make_app(DATABASE_URL=new_database())
    with other.app_context():
        result = other.test_cli_runner().invoke(users, ["list"])
    line = "Error: The database is not up to date. Bring it there with: flask db upgrade heads\n"
    assert said(result) == (1, "", line)
