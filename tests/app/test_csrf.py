"""Where a change may come from: contract 2, for both clients."""

import re

import pytest
from flask_wtf.csrf import generate_csrf

from app.csrf import renew
from tests.app.conftest import SAMPLE
from tests.clients import Browser, Program
from tests.people import PASSWORD
from tests.plugins import sample as plugin

OWN = "http://localhost:8000"
FOREIGN = ["https://evil.example", "null", "http://localhost:8001", "https://localhost:8000", "http://localhost", ""]
ENTER = {"name": "ada", "password": "open sesame"}
SIGN_IN = {"email": "ada@example.com", "password": PASSWORD}


@pytest.fixture
def ada(sample, people) -> Program:
    """A program of the sample application with a session cookie."""
    people.verified("ada@example.com")
    program = Program(sample)
    assert program.post("/auth/sign-in", json=SIGN_IN).status == 200
    return program


def change(program: Program, **headers: str):
    """A change that needs nothing but a signed-in caller."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return program.post("/sample/fresh", headers=headers)


# --- pages -----------------------------------------------------------------------------------------


def enter(page: Browser, token: str | None, **headers: str):
    form = ENTER | ({"csrf_token": token} if token is not None else {})
    return page.post("/sample/enter", data=form, headers=headers).status


def test_a_form_needs_its_token(page):
    token = page.token("/sample/enter")
    for wrong in (None, "", "x", token[:-1], token[::-1]):
        assert enter(page, wrong) == 403
    assert enter(page, token) == 303


def test_the_token_of_another_browser_is_refused(sample, page):
    other = Browser(sample)
    assert other.token("/sample/enter")
    assert enter(other, page.token("/sample/enter")) == 403


def test_a_token_without_its_cookie_is_refused(sample, page):
    assert enter(Browser(sample), page.token("/sample/enter")) == 403


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_form_with_a_good_token_and_a_foreign_origin_is_refused(page, origin):
    assert enter(page, page.token("/sample/enter"), Origin=origin) == 403


@pytest.mark.parametrize("origin", [OWN, "HTTP://LOCALHOST:8000"])
def test_a_form_of_our_own_origin_passes(page, origin):
    assert enter(page, page.token("/sample/enter"), Origin=origin) == 303


def test_one_origin_is_what_the_browser_called_us(sample):
    """BASE_URL says localhost, and someone opened 127.0.0.1 on another port."""
    page = Browser(sample)
    for base in ("http://127.0.0.1:9000", "http://[::1]:8000"):
        text = page.client.get("/sample/enter", base_url=base).text
        token = re.search('name="csrf_token" value="([^"]+)"', text).group(1)
        form = ENTER | {"csrf_token": token}
        sent = page.client.post("/sample/enter", data=form, base_url=base, headers={"Origin": base})
        assert sent.status_code == 303


def test_a_bearer_does_not_stand_in_for_a_token_on_pages(sample, ada):
    value = ada.submit("/auth/tokens", name="mine").data["value"]
    assert enter(Browser(sample), None, Authorization=f"Bearer {value}") == 403


def test_signing_in_makes_a_new_secret(sample, people):
    people.verified("ada@example.com")
    page = Browser(sample)
    before = page.token("/auth/sign-in")
    assert page.submit("/auth/sign-in", **SIGN_IN).status == 303
    assert enter(page, before) == 403
    assert enter(page, page.token("/sample/enter")) == 303


def test_a_new_secret_holds_at_once(sample):
    """Also for a form on the very answer that made it."""
    with sample.test_request_context():
        before = generate_csrf()
        renew()
        assert generate_csrf() != before


def test_a_message_survives_the_new_secret(sample, people):
    people.verified("ada@example.com")
    page = Browser(sample)
    page.submit("/sample/enter", **ENTER)  # leaves a message
    page.post("/auth/sign-in", data=SIGN_IN | {"csrf_token": page_token_without_reading(page)})
    assert "Come in." in page.get("/sample/things").text


def page_token_without_reading(page: Browser) -> str:
    """A token made from the cookie, for every page that shows a form would show the message too."""
    app = page.client.application
    cookie = page.client.get_cookie("pre")
    with app.test_request_context(headers={"Cookie": f"pre={cookie.value}"}):
        return generate_csrf()


# --- JSON with a cookie ----------------------------------------------------------------------------


@pytest.mark.parametrize("origin", FOREIGN)
def test_json_with_a_cookie_and_a_foreign_origin_is_refused(ada, origin):
    answer = change(ada, Origin=origin)
    assert (answer.status, answer.code) == (403, "CSRF_FAILED")


def test_json_of_our_own_origin_passes(ada):
    assert change(ada, Origin=OWN).status == 200


@pytest.mark.parametrize("site, status", [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)])
def test_without_an_origin_sec_fetch_site_decides(ada, site, status):
    assert change(ada, Sec_Fetch_Site=site).status == status


def test_with_neither_it_is_no_browser(ada):
    assert change(ada).status == 200


def test_an_origin_decides_alone(ada):
    assert change(ada, Origin=OWN, Sec_Fetch_Site="cross-site").status == 200
    assert change(ada, Origin="https://evil.example", Sec_Fetch_Site="same-origin").status == 403


def test_reading_needs_no_origin(ada):
    assert ada.get("/sample/mine", headers={"Origin": "https://evil.example"}).status == 200


def test_signing_out_is_protected_with_and_without_a_session(ada):
    headers = {"Origin": "https://evil.example"}
    assert ada.post("/auth/sign-out", headers=headers).code == "CSRF_FAILED"
    assert ada.get("/auth/session").status == 200
    assert Program(ada.client.application).post("/auth/sign-out", headers=headers).code == "CSRF_FAILED"
    assert Program(ada.client.application).post("/auth/sign-out").status == 200


def test_access_is_checked_first(sample):
    assert change(Program(sample), Origin="https://evil.example").code == "UNAUTHORIZED"


def test_the_origin_is_checked_before_the_type_and_the_body(ada):
    answer = ada.post("/sample/fresh", data=b"x", content_type="text/plain", headers={"Origin": "null"})
    assert answer.code == "CSRF_FAILED"


# --- JSON that can begin a session ------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/auth/sign-in", "/auth/sign-up", "/auth/verify-email", "/teams/invites/accept"])
@pytest.mark.parametrize(
    "header, value", [("Origin", "https://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site")]
)
def test_what_can_begin_a_session_is_protected_without_a_cookie(program, path, header, value):
    answer = program.post(path, json={}, headers={header: value})
    assert (answer.status, answer.code) == (403, "CSRF_FAILED")
    assert program.post(path, json={}).code != "CSRF_FAILED"
    assert program.post(path, json={}, headers={"Origin": OWN}).code != "CSRF_FAILED"


def test_other_posts_without_a_cookie_pass(api):
    assert api.post("/sample/code", headers={"Origin": "https://evil.example"}).status == 201
    assert api.post("/sample/enter", json=ENTER, headers={"Origin": "https://evil.example"}).code == "CSRF_FAILED"


# --- bearers ---------------------------------------------------------------------------------------


def test_an_accepted_bearer_exempts(sample, ada):
    value = ada.submit("/auth/tokens", name="mine").data["value"]
    bearer = Program(sample, token=value)
    headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert bearer.post("/sample/enter", json=ENTER, headers=headers).status == 200


def test_a_refused_bearer_exempts_from_nothing(sample, ada):
    ada.headers = {"Authorization": "Bearer pat_junk"}
    answer = ada.post("/sample/enter", json=ENTER, headers={"Origin": "https://evil.example"})
    assert answer.code == "CSRF_FAILED"


# --- other front ends -------------------------------------------------------------------------------


def test_an_allowed_origin_is_not_foreign(make_app, people):
    people.verified("ada@example.com")
    program = Program(make_app(ALLOWED_ORIGINS="https://front.example", BLUEPRINTS=SAMPLE))
    headers = {"Origin": "https://front.example"}
    assert program.post("/auth/sign-in", json=SIGN_IN, headers=headers).status == 200
    assert program.post("/sample/fresh", headers=headers).status == 200
    assert program.post("/sample/fresh", headers={"Origin": "https://front.example.evil"}).code == "CSRF_FAILED"


def test_in_production_own_is_base_url(production):
    program = Program(production(BLUEPRINTS=SAMPLE)).client
    base = "https://app.example.com"
    for origin, status in ((base, 200), ("http://app.example.com", 403), ("https://example.com", 403)):
        answer = program.post("/api/sample/enter", json=ENTER, base_url=base, headers={"Origin": origin})
        assert answer.status_code == status
    assert plugin.things == {}
