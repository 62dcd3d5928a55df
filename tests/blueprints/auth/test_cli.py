"""`flask users create-admin`."""

import pytest

from app.database import utc_now
from blueprints.auth.cli import users
from blueprints.auth.cli.accounts import ask_password
from blueprints.auth.models import AccessToken, User, UserSession
from tests.blueprints.auth.support import NEW_PASSWORD, change, count, only
from tests.clients import Program
from tests.people import PASSWORD, token_in

EMAIL = "root@example.com"


@pytest.fixture
def create_admin(app):
    """Runs the command: `create_admin("root@example.com", "a password")`."""

    def create_admin(email, password, end="\n"):
        return app.test_cli_runner().invoke(users, ["create-admin", email], input=password + end)

    return create_admin


def test_create_admin(people, create_admin):
    result = create_admin(EMAIL, PASSWORD)
    assert (result.exit_code, result.output) == (0, f"{EMAIL} is a new administrator.\n")
    user = people.program(EMAIL).get("/auth/session").data["user"]
    assert (user["isAdmin"], user["emailVerified"], user["userType"]) == (True, True, "creator")


@pytest.mark.parametrize("end", ["", "\r\n", "\nanother line\n"])
def test_the_password_is_one_line(people, create_admin, end):
    assert create_admin(EMAIL, PASSWORD, end).exit_code == 0
    people.program(EMAIL)


def test_blanks_belong_to_the_password(people, create_admin):
    create_admin(EMAIL, "  with blanks ")
    people.program(EMAIL, "  with blanks ")


def test_an_account_becomes_an_administrator(app, people, create_admin, outbox):
    ada = people.verified(EMAIL, name="Ada")
    value = ada.submit("/auth/tokens", name="Export").data["value"]
    ada.submit("/auth/forgot-password", email=EMAIL)
    link = token_in(outbox()[-1])
    result = create_admin("ROOT@example.com", NEW_PASSWORD)
    assert (result.exit_code, result.output) == (0, "ROOT@example.com is now an administrator.\n")
    assert count(User) == 1
    user = people.program(EMAIL, NEW_PASSWORD).get("/auth/session").data["user"]
    assert (user["isAdmin"], user["name"]) == (True, "Ada")
    # Whoever had the account before has nothing of it left.
    assert ada.get("/auth/session").status == 401
    assert Program(app, value).get("/auth/session").status == 401
    assert ada.submit("/auth/reset-password", token=link, newPassword=PASSWORD).code == "INVALID_TOKEN"
    assert (count(AccessToken), count(UserSession, UserSession.ended_at.is_(None))) == (0, 1)


def test_a_sign_up_before_it_is_void(app, create_admin, outbox):
    squatter = Program(app)
    squatter.submit("/auth/sign-up", email=EMAIL, password=PASSWORD)
    link = token_in(outbox()[-1])
    create_admin(EMAIL, NEW_PASSWORD)
    assert squatter.submit("/auth/verify-email", token=link).code == "INVALID_TOKEN"
    assert squatter.submit("/auth/sign-in", email=EMAIL, password=PASSWORD).code == "INVALID_CREDENTIALS"


@pytest.mark.parametrize(
    "email, password, words",
    [
        ("root", PASSWORD, "Enter an email address like name@example.com."),
        (EMAIL, "short", "Use at least 8 characters."),
        (EMAIL, "", "This field is required."),
        (EMAIL, "x" * 129, "Use at most 128 characters."),
        (EMAIL, EMAIL, "Choose something other than your address or the product's name."),
        (EMAIL, "with a \x07 inside", "This contains characters that are not allowed."),
    ],
)
def test_what_is_refused(create_admin, email, password, words):
    result = create_admin(email, password)
    assert (result.exit_code, result.output) == (1, f"Error: {words}\n")
    assert count(User) == 0


def test_on_a_terminal_it_asks_twice(app, monkeypatch, people):
    asked = []
    monkeypatch.setattr("blueprints.auth.cli.accounts.sys.stdin", type("Terminal", (), {"isatty": lambda self: True})())
    monkeypatch.setattr(
        "blueprints.auth.cli.accounts.click.prompt", lambda text, **how: asked.append((text, how)) or PASSWORD
    )
    assert ask_password() == PASSWORD
    assert asked == [("Password", {"hide_input": True, "confirmation_prompt": True})]


def test_a_disabled_account_is_enabled(people, create_admin):
    people.verified(EMAIL)
    change(User, disabled_at=utc_now())
    create_admin(EMAIL, NEW_PASSWORD)
    assert only(User).disabled_at is None
    people.program(EMAIL, NEW_PASSWORD)
