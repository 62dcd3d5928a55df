"""Sign-out, and the one place where a cookie is deleted."""

import pytest

from blueprints.auth.models import UserSession
from tests.blueprints.auth.support import cookie, cookies, count, succeeds, with_cookie
from tests.clients import Program
from tests.people import PASSWORD, token_in

EMAIL = "ada@example.com"


@pytest.fixture
def signed_in(ada, either):
    """Either client, signed in as Ada."""
    ada.submit("/auth/sign-out")
    either.submit("/auth/sign-in", email=EMAIL, password=PASSWORD)
    return either


def deleted(answer):
    return [name for name, morsel in cookies(answer).items() if not morsel.value]


def test_sign_out(app, signed_in):
    value = cookie(signed_in)
    answer = signed_in.submit("/auth/sign-out", _page="/auth/account")
    assert answer.status == succeeds(signed_in)
    sent = cookies(answer)["session"]
    assert (sent.value, sent["max-age"], sent["path"]) == ("", "0", "/")
    assert cookie(signed_in) is None
    assert with_cookie(Program(app), value).get("/auth/session").status == 401
    assert count(UserSession, UserSession.ended_at.is_(None)) == 0
    if signed_in.is_browser:
        assert answer.location == "/auth/sign-in"
        assert "You are signed out." in signed_in.get("/auth/sign-in").text
    else:
        assert answer.data == {"message": "You are signed out."}


def test_the_browser_is_asked_to_forget_what_it_kept(signed_in):
    assert "Clear-Site-Data" not in signed_in.get("/auth/account").response.headers
    answer = signed_in.submit("/auth/sign-out", _page="/auth/account")
    assert answer.response.headers["Clear-Site-Data"] == '"storage"'
    assert cookie(signed_in, "device"), "a known device stays one"


def test_with_a_token_beside_it_the_cookies_session_ends(app, ada):
    """The token decides who calls; what is signed out is the browser."""
    token = ada.submit("/auth/tokens", name="Export").data["value"]
    value = cookie(ada)
    answer = ada.post("/auth/sign-out", headers={"Authorization": f"Bearer {token}"})
    assert deleted(answer) == ["session"]
    assert with_cookie(Program(app), value).get("/auth/session").status == 401
    assert Program(app, token).get("/auth/session").status == 200


def test_signing_out_twice_is_fine(either):
    for _ in range(2):
        answer = either.submit("/auth/sign-out")
        assert answer.status == succeeds(either)
        assert "session" in deleted(answer)


def test_only_this_session_ends(app, signed_in, people):
    other = people.program(EMAIL)
    signed_in.submit("/auth/sign-out")
    assert other.get("/auth/session").status == 200


def test_a_get_signs_nobody_out(signed_in):
    for method in ("GET", "HEAD"):
        signed_in.client.open("/auth/sign-out", method=method)
    assert signed_in.get("/auth/account").status == 200


def test_it_needs_no_body(ada):
    assert ada.post("/auth/sign-out").status == 200


def test_another_site_signs_nobody_out(app, ada, people):
    answer = ada.post("/auth/sign-out", headers={"Origin": "https://evil.test"})
    assert (answer.status, answer.code) == (403, "CSRF_FAILED")
    assert ada.get("/auth/session").status == 200
    browser = people.browser(EMAIL)
    assert browser.post("/auth/sign-out").status == 403
    assert browser.get("/auth/account").status == 200


@pytest.mark.parametrize("value", ["junk", "a" * 43, "", "ä" * 500])
def test_no_refusal_deletes_a_cookie(either, value):
    with_cookie(either, value)
    for path in ("/auth/account", "/auth/change-password", "/auth/nothing"):
        assert deleted(either.get(path)) == []
    assert deleted(either.submit("/auth/change-password", currentPassword="x", newPassword="y")) == []
    assert deleted(either.submit("/auth/sign-in", email=EMAIL, password="wrong")) == []


def test_no_success_deletes_a_cookie(either, mails):
    deletions = deleted(either.submit("/auth/sign-up", email=EMAIL, password=PASSWORD))
    deletions += deleted(either.submit("/auth/verify-email", token=token_in(mails()[-1])))
    deletions += deleted(either.submit("/auth/sign-in", email=EMAIL, password=PASSWORD))
    deletions += deleted(either.submit("/auth/reauthenticate", password=PASSWORD))
    deletions += deleted(either.submit("/auth/change-password", currentPassword=PASSWORD, newPassword=PASSWORD))
    deletions += deleted(either.get("/auth/account"))
    assert deletions == []
