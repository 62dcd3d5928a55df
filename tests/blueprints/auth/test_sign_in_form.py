"""The way through sign-in: where it leads, what it wants, and from where it may come."""

import pytest

from tests.blueprints.auth.support import NEW_PASSWORD, cookies, refuses
from tests.clients import Browser
from tests.people import PASSWORD

EMAIL = "ada@example.com"


def sign_in(client, email=EMAIL, password=PASSWORD, **more):
    return client.submit("/auth/sign-in", email=email, password=password, **more)


@pytest.fixture(autouse=True)
def account(ada):
    """Ada's, without her session."""
    ada.submit("/auth/sign-out")


def test_the_csrf_secret_is_new_at_sign_in(app, browser):
    token = browser.token("/auth/sign-in")
    with browser.client.session_transaction() as pre:
        before = pre["csrf_token"]
    data = {"email": EMAIL, "password": PASSWORD, "csrf_token": token}
    assert browser.post("/auth/sign-in", data=data).status == 303
    with browser.client.session_transaction() as pre:
        assert pre["csrf_token"] != before
    assert browser.post("/auth/sign-out", data={"csrf_token": token}).status == 403
    assert browser.submit("/auth/sign-out").status == 303


@pytest.mark.parametrize("path", ["/auth/sign-in", "/auth/sign-up"])
def test_whoever_is_signed_in_sees_no_form(people, path):
    browser = people.browser(EMAIL)
    assert (browser.get(path).status, browser.get(path).location) == (303, "/")
    assert browser.get(f"{path}?next=/auth/change-password").location == "/auth/change-password"
    assert browser.get(f"{path}?next=//evil.test").location == "/"


def test_next_leads_back(browser):
    page = browser.get("/auth/sign-in?next=/auth/change-password").text
    assert '<input type="hidden" name="next" value="/auth/change-password"' in page
    assert 'action="/auth/sign-in"' in page
    answer = sign_in(browser, next="/auth/change-password")
    assert answer.location == "/auth/change-password"


@pytest.mark.parametrize(
    "place", ["//evil.test", "https://evil.test", "/\\evil.test", "/\t/evil.test", "evil", "", "javascript:alert(1)"]
)
def test_next_never_leads_away(browser, place):
    assert 'name="next"' not in browser.client.get("/auth/sign-in", query_string={"next": place}).text
    assert sign_in(browser, next=place).location == "/"


def test_next_survives_a_wrong_password_and_is_not_read_from_the_address(browser):
    answer = sign_in(browser, password=NEW_PASSWORD, next="/auth/change-password")
    assert '<input type="hidden" name="next" value="/auth/change-password"' in answer.text
    data = {"email": EMAIL, "password": PASSWORD, "csrf_token": browser.token("/auth/sign-in")}
    assert browser.post("/auth/sign-in?next=/auth/change-password", data=data).location == "/"


@pytest.mark.parametrize(
    "values, field", [({"email": ""}, "email"), ({"password": ""}, "password"), ({"password": None}, "password")]
)
def test_what_is_missing(either, values, field):
    answer = sign_in(either, **{"email": EMAIL, "password": PASSWORD, **values})
    assert answer.status == refuses(either)
    assert field in answer.fields or f"sign_in-{field}-error" in answer.text


@pytest.mark.parametrize("remember", ["true", 1, None])
def test_remember_me_is_true_or_false(program, remember):
    answer = program.post("/auth/sign-in", json={"email": EMAIL, "password": PASSWORD, "rememberMe": remember})
    assert (answer.status, list(answer.fields)) == (400, ["rememberMe"])


@pytest.mark.parametrize("path", ["sign-in", "sign-up", "verify-email"])
@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.test"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_no_other_site_can_begin_a_session(program, path, headers):
    body = {"email": EMAIL, "password": PASSWORD, "token": "x"}
    answer = program.post(f"/auth/{path}", json=body, headers=headers)
    assert (answer.status, answer.code) == (403, "CSRF_FAILED")
    assert not cookies(answer)


def test_a_form_needs_its_token(app):
    browser = Browser(app)
    data = {"email": EMAIL, "password": PASSWORD}
    assert browser.post("/auth/sign-in", data=data).status == 403
    data["csrf_token"] = Browser(app).token("/auth/sign-in")
    assert browser.post("/auth/sign-in", data=data).status == 403
