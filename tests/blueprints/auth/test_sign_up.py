"""Sign-up: one answer for a new and a taken address, and the mailbox decides who owns the account."""

import pytest
from sqlalchemy import select

from app.database import db
from blueprints.auth.models import MailedToken, User
from tests.blueprints.auth.support import (
    NEW_PASSWORD,
    at_once,
    cookies,
    count,
    dump,
    only,
    refuses,
    row_counts,
    succeeds,
)
from tests.clients import Browser, Program
from tests.people import PASSWORD, token_in, work

EMAIL = "ada@example.com"
MESSAGE = "If the address is right, a mail is on its way."


def test_sign_up(either, mails):
    answer = either.submit(
        "/auth/sign-up", email=EMAIL, password=PASSWORD, name=" Ada ", username="ada_1", userType="investor"
    )
    assert answer.status == succeeds(either, 202)
    if either.is_browser:
        assert answer.location == "/auth/check-mail"
        assert "a message with a link is on its way" in either.get("/auth/check-mail").text
    else:
        assert answer.data == {"message": MESSAGE}
    user = only(User)
    assert (user.email, user.name, user.username, user.user_type) == (EMAIL, "Ada", "ada_1", "investor")
    assert user.email_verified_at is None
    assert not user.is_admin
    (mail,) = mails()
    assert mail.subject == "Confirm your email for Pitchey"
    assert f"http://localhost:8000/auth/verify-email?token={token_in(mail)}" in mail.text
    assert token_in(mail) in mail.html


def test_sign_up_signs_nobody_in(either):
    answer = either.submit("/auth/sign-up", email=EMAIL, password=PASSWORD)
    assert "session" not in cookies(answer)
    assert Program(either.client.application).get("/auth/session").status == 401


def test_only_email_and_password_are_needed(either):
    assert either.submit("/auth/sign-up", email=EMAIL, password=PASSWORD).status == succeeds(either, 202)
    user = only(User)
    assert (user.name, user.username, user.user_type) == (None, None, "creator")


def shape_of(answer):
    """What somebody could compare: status, headers and cookies but for what is random in every answer."""
    varying = {"X-Request-ID", "Set-Cookie"}
    headers = {name: value for name, value in answer.response.headers.items() if name not in varying}
    sent = {name: {key: value for key, value in morsel.items() if value} for name, morsel in cookies(answer).items()}
    body = None if answer.data is None else (sorted(answer.response.get_json()), answer.data)
    return answer.status, headers, sent, body


@pytest.mark.parametrize("kind", [Browser, Program])
@pytest.mark.parametrize("spelling", [EMAIL, "ADA@Example.COM", " ada@example.com "])
def test_a_taken_address_gets_the_same_answer(app, people, kind, spelling):
    people.verified(EMAIL)
    new = kind(app).submit("/auth/sign-up", email="bob@example.com", password=PASSWORD)
    taken = kind(app).submit("/auth/sign-up", email=spelling, password=PASSWORD)
    assert shape_of(taken) == shape_of(new)
    assert count(User) == 2


def test_the_mark_is_set_for_a_taken_address_too(app, people, either):
    people.verified(EMAIL)
    either.submit("/auth/sign-up", email=EMAIL, password=PASSWORD)
    with either.client.session_transaction() as pre:
        salt, sign_up = pre["sign_up"]
    assert (len(salt), len(sign_up)) == (32, 64)


def test_the_owner_of_a_taken_address_is_told(people, either, mails):
    people.verified(EMAIL)
    either.submit("/auth/sign-up", email="Ada@Example.com", password=NEW_PASSWORD, name="Mallory")
    _, told = mails()
    assert told.subject == "You already have a Pitchey account"
    assert "http://localhost:8000/auth/sign-in" in told.text
    assert "http://localhost:8000/auth/forgot-password" in told.text
    assert "token" not in told.text
    assert only(User).name is None
    people.program(EMAIL)  # with the first password


def test_mails_to_a_taken_address_have_a_limit(ada, either, mails):
    for _ in range(7):
        assert either.submit("/auth/sign-up", email=EMAIL, password=PASSWORD).status == succeeds(either, 202)
    assert len(mails()) <= 6


def test_a_second_sign_up_voids_the_first(app, either, mails):
    first = Program(app)
    first.submit("/auth/sign-up", email=EMAIL, password=PASSWORD, name="Mallory", username="mallory")
    (old,) = mails()
    either.submit("/auth/sign-up", email="ADA@example.com", password=NEW_PASSWORD)
    _, new = mails()

    assert first.submit("/auth/verify-email", token=token_in(old)).code == "INVALID_TOKEN"
    assert first.submit("/auth/verify-email", token=token_in(new)).data == {"message": "Your address is verified."}
    assert first.get("/auth/session").status == 401  # its mark is void
    assert first.submit("/auth/sign-in", email=EMAIL, password=PASSWORD).code == "INVALID_CREDENTIALS"
    assert first.submit("/auth/sign-in", email=EMAIL, password=NEW_PASSWORD).status == 200
    user = only(User)
    assert (user.email, user.name, user.username) == ("ADA@example.com", None, None)


def test_a_sign_up_beyond_the_limit_of_mails_voids_the_first_too(app, either, mails):
    first = Program(app)
    first.submit("/auth/sign-up", email=EMAIL, password=PASSWORD)
    (old,) = mails()
    for _ in range(5):
        either.submit("/auth/sign-up", email=EMAIL, password=NEW_PASSWORD)
    assert first.submit("/auth/verify-email", token=token_in(old)).code == "INVALID_TOKEN"


def test_a_taken_username_is_dropped(people, either):
    people.verified(EMAIL, username="ada")
    answer = either.submit("/auth/sign-up", email="bob@example.com", password=PASSWORD, name="Bob", username="ada")
    assert answer.status == succeeds(either, 202)
    bob = only(User, User.email == "bob@example.com")
    assert (bob.name, bob.username) == ("Bob", None)


def test_five_sign_ups_of_one_address_at_once_make_one_account(app):
    def sign_up(number):
        return Program(app).submit("/auth/sign-up", email=EMAIL, password=PASSWORD, username="ada").status

    statuses = at_once(5, sign_up)
    assert set(statuses) <= {202, 503}
    assert 202 in statuses
    assert only(User).username == "ada"
    work(app)
    assert count(MailedToken, MailedToken.ended_at.is_(None)) == 1


@pytest.mark.parametrize(
    "values, field",
    [
        ({"email": None}, "email"),
        ({"email": ""}, "email"),
        ({"email": "ada"}, "email"),
        ({"email": "ada@example.com, eve@example.com"}, "email"),
        ({"email": "m\u0131ke@example.com"}, "email"),
        ({"email": "ada@example.com\nbcc:eve@example.com"}, "email"),
        ({"email": f"{'a' * 64}@{'b.' * 95}com"}, "email"),
        ({"password": None}, "password"),
        ({"password": "1234567"}, "password"),
        ({"password": "x" * 129}, "password"),
        ({"password": "ADA@EXAMPLE.COM"}, "password"),
        ({"password": "with a \x00 inside"}, "password"),
        ({"name": "x" * 101}, "name"),
        ({"username": "Ada"}, "username"),
        ({"username": "ab"}, "username"),
        ({"username": "a\nda"}, "username"),
        ({"userType": "admin"}, "userType"),
    ],
)
def test_what_is_refused(app, either, values, field):
    before = row_counts(app)
    answer = either.submit("/auth/sign-up", **{"email": EMAIL, "password": PASSWORD, **values})
    assert answer.status == refuses(either)
    if either.is_browser:
        assert f'id="sign_up-{field}-error"' in answer.text
        assert PASSWORD not in answer.text
    else:
        assert answer.code == "VALIDATION_ERROR"
        assert answer.response.get_json()["error"]["message"] == "Please check the fields below"
        assert list(answer.fields) == [field]
    assert row_counts(app)["users"] == before["users"]


@pytest.mark.parametrize("values", [{"email": [EMAIL]}, {"email": 1}, {"password": 12345678}, {"password": [PASSWORD]}])
def test_json_types_are_strict(program, values):
    answer = program.submit("/auth/sign-up", **{"email": EMAIL, "password": PASSWORD, **values})
    assert (answer.status, list(answer.fields)) == (400, list(values))


def test_nobody_makes_themselves_an_administrator(either, app):
    either.submit(
        "/auth/sign-up", email=EMAIL, password=PASSWORD, isAdmin="true", is_admin="true", emailVerified="true", id="1"
    )
    user = only(User)
    assert not user.is_admin
    assert user.email_verified_at is None


def test_a_signed_in_browser_does_not_see_the_form(people):
    people.verified(EMAIL)
    browser = people.browser(EMAIL)
    assert (browser.get("/auth/sign-up").status, browser.get("/auth/sign-up").location) == (303, "/")


def test_the_form_is_prefilled_but_for_the_password(browser):
    page = browser.get("/auth/sign-up?email=eve%40example.com&password=hunter22&name=Eve").text
    assert 'value="eve@example.com"' in page
    assert 'value="Eve"' in page
    assert "hunter22" not in page


def test_the_password_is_not_in_the_database(app, either):
    either.submit("/auth/sign-up", email=EMAIL, password="a password that must not be stored")
    assert "must not be stored" not in dump(app)
    assert db.session.scalar(select(User.password_hash)).startswith("bcrypt-sha384$")
