"""The order in which a change of password is checked: access, CSRF, schema, limit, current password."""

import pytest

from tests.blueprints.auth.support import NEW_PASSWORD, refuses, succeeds
from tests.clients import Browser, Program
from tests.people import PASSWORD

EMAIL = "ada@example.com"


@pytest.fixture
def signed_in(ada, either):
    """Either client, signed in as Ada, who has no other session."""
    ada.submit("/auth/sign-out")
    either.submit("/auth/sign-in", email=EMAIL, password=PASSWORD)
    return either


def change(client, current=PASSWORD, new=NEW_PASSWORD, **more):
    return client.submit("/auth/change-password", currentPassword=current, newPassword=new, **more)


def can_sign_in(client, password):
    program = Program(client.client.application)
    return program.submit("/auth/sign-in", email=EMAIL, password=password).status == 200


def use_up(client):
    for _ in range(5):
        assert change(client, current="not the password").status == 401


def test_access_before_csrf(browser, program):
    assert browser.post("/auth/change-password").location == "/auth/sign-in"
    headers = {"Origin": "https://evil.test"}
    assert program.post("/auth/change-password", json={}, headers=headers).status == 401


def test_csrf_before_schema(people, ada):
    assert ada.post("/auth/change-password", json={}, headers={"Origin": "https://evil.test"}).status == 403
    browser = people.browser(EMAIL)
    assert browser.post("/auth/change-password", data={}).status == 403


def test_schema_before_limit(signed_in):
    use_up(signed_in)
    assert change(signed_in, new="").status == refuses(signed_in)
    assert change(signed_in, new="short").status == refuses(signed_in)


def test_a_refusal_of_the_schema_is_no_try(signed_in):
    for _ in range(6):
        change(signed_in, new="short")
    assert change(signed_in).status == succeeds(signed_in)


def test_limit_before_current_password(signed_in):
    use_up(signed_in)
    answer = change(signed_in)
    assert answer.status == 429
    assert 0 < int(answer.response.headers["Retry-After"]) <= 15 * 60
    if not signed_in.is_browser:
        assert answer.code == "RATE_LIMIT_EXCEEDED"
    assert can_sign_in(signed_in, PASSWORD)


def test_current_password_before_what_the_new_one_is(signed_in):
    assert change(signed_in, current="not the password", new=EMAIL).status == 401


def test_another_origin_is_refused_with_a_good_token_too(people, ada):
    browser = people.browser(EMAIL)
    data = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD}
    data["csrf_token"] = browser.token("/auth/change-password")
    for origin in ("https://evil.test", "null"):
        assert browser.post("/auth/change-password", data=data, headers={"Origin": origin}).status == 403
    assert can_sign_in(ada, PASSWORD)


def test_the_limit_counts_over_form_json_and_sessions(app, people, ada):
    browser, other = people.browser(EMAIL), people.program(EMAIL)
    wrong = "not the password"
    assert change(browser, current=wrong).status == 401
    assert change(ada, current=wrong).status == 401
    assert change(other, current=wrong).status == 401
    assert other.submit("/auth/reauthenticate", password=wrong).status == 401
    assert change(Browser(app), current=wrong).status == 303  # signed out: no try
    assert change(other).status == 200  # a successful try counts too
    assert [change(client, current=NEW_PASSWORD).status for client in (browser, ada, other)] == [429, 429, 429]
