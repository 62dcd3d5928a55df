"""The profile: name and username, changed by their owner from a page, by JSON, or with an access token."""

import pytest

from blueprints.auth.models import User
from tests.blueprints.auth.support import at_once, only, refuses, succeeds
from tests.clients import Browser, Program
from tests.people import PASSWORD

EMAIL = "ada@example.com"


@pytest.fixture
def signed_in(people, either):
    """Either client, signed in as Ada, who has a name and a username."""
    people.verified(EMAIL, name="Ada", username="ada").submit("/auth/sign-out")
    either.submit("/auth/sign-in", email=EMAIL, password=PASSWORD)
    return either


def edit(client, **values):
    return client.submit("/auth/account", verb="PATCH", **values)


def profile():
    user = only(User, User.email == EMAIL)
    return user.name, user.username


def test_edit_account(signed_in):
    answer = edit(signed_in, name="  Ada Lovelace ", username="ada_1815")
    assert answer.status == succeeds(signed_in)
    assert profile() == ("Ada Lovelace", "ada_1815")
    if signed_in.is_browser:
        assert answer.location == "/auth/account"
        page = signed_in.get("/auth/account").text
        assert "Your profile is saved." in page
        assert "Ada Lovelace" in page
    else:
        assert list(answer.data) == ["user"]
        assert (answer.data["user"]["name"], answer.data["user"]["username"]) == ("Ada Lovelace", "ada_1815")
        assert answer.data["user"] == signed_in.get("/auth/account").data["user"]


def test_the_form_shows_what_is_there(people):
    people.verified(EMAIL, name="Ada L.", username="ada_l")
    page = people.browser(EMAIL).get("/auth/account/edit")
    assert page.status == 200
    assert 'value="Ada L."' in page.text
    assert 'value="ada_l"' in page.text


@pytest.mark.parametrize(
    "values, left",
    [
        ({}, ("Ada", "ada")),
        ({"name": "Grace"}, ("Grace", "ada")),
        ({"username": "grace"}, ("Ada", "grace")),
        ({"username": "ada"}, ("Ada", "ada")),
    ],
)
def test_what_is_absent_stays(signed_in, values, left):
    assert edit(signed_in, **values).status == succeeds(signed_in)
    assert profile() == left


@pytest.mark.parametrize(
    "body, left",
    [
        ({"name": None}, (None, "ada")),
        ({"username": None}, ("Ada", None)),
        ({"name": None, "username": None}, (None, None)),
    ],
)
def test_null_clears(people, body, left):
    program = people.verified(EMAIL, name="Ada", username="ada")
    assert program._call("PATCH", "/auth/account", json=body).status == 200
    assert profile() == left


@pytest.mark.parametrize("empty", ["", "   "])
def test_on_the_page_an_empty_field_clears(people, empty):
    people.verified(EMAIL, name="Ada", username="ada")
    assert edit(people.browser(EMAIL), name=empty, username=empty).status == 303
    assert profile() == (None, None)


@pytest.mark.parametrize(
    "field, value",
    [
        ("username", "ab"),
        ("username", "a" * 31),
        ("username", "Ada"),
        ("username", "ada-l"),
        ("username", "ada l"),
        ("username", "äda"),
        ("username", "a\nda"),
        ("name", "x" * 101),
        ("name", "Ada\x00"),
    ],
)
def test_what_is_refused(signed_in, field, value):
    answer = edit(signed_in, **{field: value})
    assert answer.status == refuses(signed_in)
    assert list(answer.fields) == [field] or f'id="edit_account-{field}-error"' in answer.text
    assert profile() == ("Ada", "ada")


@pytest.mark.parametrize("username", ["abc", "a" * 30, "0_9", "___"])
def test_what_a_username_may_be(signed_in, username):
    assert edit(signed_in, username=username).status == succeeds(signed_in)
    assert profile()[1] == username


@pytest.mark.parametrize("body", [{"name": ""}, {"username": ""}, {"name": 5}, {"username": True}])
def test_a_program_clears_with_null_alone(people, body):
    answer = people.verified(EMAIL, name="Ada", username="ada")._call("PATCH", "/auth/account", json=body)
    assert (answer.status, answer.code, list(answer.fields)) == (400, "VALIDATION_ERROR", list(body))
    assert profile() == ("Ada", "ada")


def test_a_taken_username(people, signed_in):
    people.verified("bob@example.com", username="bob")
    answer = edit(signed_in, name="Somebody", username="bob")
    assert answer.status == refuses(signed_in)
    if signed_in.is_browser:
        assert "This username is taken." in answer.text
        assert 'value="Somebody"' in answer.text  # what was typed is kept
    else:
        assert (answer.code, answer.fields) == ("VALIDATION_ERROR", {"username": ["This username is taken."]})
    assert profile() == ("Ada", "ada")


def test_two_take_a_username_at_the_same_moment(app, people):
    clients = [people.verified(f"{name}@example.com", name="Somebody") for name in ("ada", "bob", "carol", "dave")]
    for username in ("first", "second", "third"):
        answers = at_once(4, lambda number, name=username: edit(clients[number], username=name))
        won = [answer for answer in answers if answer.status == 200]
        lost = [answer for answer in answers if answer.status != 200]
        assert len(won) == 1
        assert {(answer.status, answer.code) for answer in lost} == {(400, "VALIDATION_ERROR")}
        assert [answer.fields for answer in lost] == [{"username": ["This username is taken."]}] * 3


def test_ten_changes_of_one_account_at_the_same_moment(app, people):
    """Each names one field, and none is lost to another one."""
    ada = people.verified(EMAIL, name="Ada", username="ada")
    token = ada.submit("/auth/tokens", name="Export").data["value"]
    programs = [Program(app, token) for _ in range(10)]
    values = [{"name": "Grace"}, {"username": "grace"}] * 5
    answers = at_once(10, lambda number: edit(programs[number], **values[number]))
    assert [answer.status for answer in answers] == [200] * 10
    assert profile() == ("Grace", "grace")


def test_an_access_token_may_edit(app, people):
    value = people.verified(EMAIL).submit("/auth/tokens", name="Export").data["value"]
    answer = edit(Program(app, value), name="Ada", username="ada")
    assert (answer.status, answer.data["user"]["username"]) == (200, "ada")
    assert profile() == ("Ada", "ada")


def test_nothing_else_can_be_edited(signed_in):
    before = only(User)
    kept = before.email, before.email_key, before.user_type, before.is_admin, before.email_verified_at, before.id
    others = {
        "email": "eve@example.com",
        "userType": "investor",
        "isAdmin": "on" if signed_in.is_browser else True,
        "emailVerified": "on" if signed_in.is_browser else True,
        "passwordHash": "x",
        "id": "00000000-0000-0000-0000-000000000000",
    }
    assert edit(signed_in, name="Grace", **others).status == succeeds(signed_in)
    now = only(User)
    assert (now.email, now.email_key, now.user_type, now.is_admin, now.email_verified_at, now.id) == kept
    assert now.name == "Grace"


def test_signed_out(app):
    answer = edit(Program(app), name="Eve")
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
    answer = Browser(app).get("/auth/account/edit")
    assert (answer.status, answer.location) == (303, "/auth/sign-in?next=%2Fauth%2Faccount%2Fedit")
    answer = Browser(app).post("/auth/account/edit", data={"name": "Eve"})
    assert (answer.status, answer.location) == (303, "/auth/sign-in")


def test_a_foreign_origin(people):
    program = people.verified(EMAIL, name="Ada")
    answer = program._call("PATCH", "/auth/account", json={"name": "Eve"}, headers={"Origin": "https://evil.test"})
    assert (answer.status, answer.code) == (403, "CSRF_FAILED")
    assert profile() == ("Ada", None)
