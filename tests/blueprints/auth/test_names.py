"""Names that a mail program would make a link of: refused at sign-up, in the profile, and in an import."""

from blueprints.auth.models import User
from blueprints.auth.services.imports import Import, Kind, Row
from tests.blueprints.auth.support import change, count, only, refuses, succeeds
from tests.people import PASSWORD

EMAIL = "ada@example.com"
LINK = "Ada www.example.com"
SENTENCE = "A name cannot hold a web address."
HASH = "$2b$04$saltsaltsaltsaltsaltsuFEWBFRaN9UumAoS4sYNnTV8aQiZ2YHq"


def test_sign_up(either):
    answer = either.submit("/auth/sign-up", email=EMAIL, password=PASSWORD, name=LINK)
    assert answer.status == refuses(either)
    assert SENTENCE in answer.text
    assert either.is_browser or list(answer.fields) == ["name"]
    assert count(User) == 0


def test_the_profile(people, either):
    people.verified(EMAIL, name="Ada L.")
    either.submit("/auth/sign-in", email=EMAIL, password=PASSWORD)
    answer = either.submit("/auth/account", verb="PATCH", name=LINK)
    assert answer.status == refuses(either)
    assert SENTENCE in answer.text
    assert either.is_browser or list(answer.fields) == ["name"]
    assert only(User).name == "Ada L."


def test_who_has_such_a_name_already_may_change_the_rest(people):
    ada = people.verified(EMAIL)
    change(User, name=LINK)
    assert ada.submit("/auth/account", verb="PATCH", username="ada").status == 200
    assert (only(User).name, only(User).username) == (LINK, "ada")
    assert ada.get("/auth/account").data["user"]["name"] == LINK
    page = people.browser(EMAIL).get("/auth/account/edit")
    assert (page.status, LINK in page.text) == (200, True)


def test_an_access_token_may_be_called_anything(people):
    answer = people.verified(EMAIL).submit("/auth/tokens", name="ci.example.com")
    assert answer.status == succeeds(people.program(EMAIL), 201)


def test_an_imported_row(app):
    cells = {"email": EMAIL, "password_hash": HASH}
    refused, taken = Import().take([Row(2, cells | {"name": LINK}), Row(3, cells | {"name": "Ada L."})])
    assert (refused.kind, refused.sentence.partition("Leave")[0]) == (Kind.REFUSED, f"name: {SENTENCE} ")
    assert (taken.kind, only(User).name) == (Kind.IMPORTED, "Ada L.")
