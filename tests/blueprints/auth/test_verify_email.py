"""The proof of the mailbox: it signs in the browser that signed up, and no other."""

import pytest

from blueprints.auth.models import User, UserSession
from tests.blueprints.auth.support import (
    NEW_PASSWORD,
    TIME,
    UUID,
    change,
    cookie,
    cookies,
    count,
    only,
    refuses,
    succeeds,
)
from tests.clients import Browser, Program
from tests.people import PASSWORD, link_in, token_in

EMAIL = "ada@example.com"


@pytest.fixture
def signed_up(either, mails):
    """The token that was mailed to whoever signed up with this client."""
    either.submit("/auth/sign-up", email=EMAIL, password=PASSWORD, name="Ada")
    return token_in(mails()[-1])


def verify(client, token):
    return client.submit("/auth/verify-email", _page=f"/auth/verify-email?token={token}", token=token)


def test_the_browser_that_signed_up_is_signed_in(either, signed_up):
    answer = verify(either, signed_up)
    assert answer.status == succeeds(either)
    assert only(User).email_verified_at is not None
    sent = cookies(answer)["session"]
    assert (sent["path"], sent["samesite"], sent["max-age"]) == ("/", "Lax", "")
    assert sent["httponly"]
    if either.is_browser:
        assert answer.location == "/"
        assert "Your address is verified." in either.get("/auth/account").text
        return
    assert list(answer.data) == ["message", "user", "session"]
    user = answer.data["user"]
    assert list(user) == [
        "id", "email", "name", "username", "userType", "emailVerified", "twoFactorEnabled", "isAdmin", "createdAt"
    ]  # fmt: skip
    assert UUID.fullmatch(user["id"])
    assert TIME.fullmatch(user["createdAt"])
    assert user | {"id": 0, "createdAt": 0} == {
        "id": 0,
        "email": EMAIL,
        "name": "Ada",
        "username": None,
        "userType": "creator",
        "emailVerified": True,
        "twoFactorEnabled": False,
        "isAdmin": False,
        "createdAt": 0,
    }
    assert list(answer.data["session"]) == ["id", "expiresAt"]
    assert either.get("/auth/session").data == {"user": user, "session": answer.data["session"]}


def test_another_browser_is_not_signed_in(app, either, signed_up):
    other = type(either)(app)
    answer = verify(other, signed_up)
    assert answer.status == succeeds(either)
    assert "session" not in cookies(answer)
    assert only(User).email_verified_at is not None
    assert count(UserSession) == 0
    if either.is_browser:
        assert answer.location == "/auth/sign-in"
        assert "Your address is verified. You can sign in now." in other.get("/auth/sign-in").text
    else:
        assert answer.data == {"message": "Your address is verified."}


def test_a_browser_that_signed_up_for_something_else_is_not_signed_in(app, either, signed_up):
    other = type(either)(app)
    other.submit("/auth/sign-up", email="eve@example.com", password=PASSWORD)
    assert "session" not in cookies(verify(other, signed_up))


def test_it_opens_the_ten_minutes_of_reauthentication(either, signed_up):
    verify(either, signed_up)
    answer = either.submit("/auth/tokens", name="Nightly export")
    assert answer.status == (200 if either.is_browser else 201)


def test_the_session_that_the_browser_had_ends(app, people, either, mails):
    people.verified(EMAIL)
    either.submit("/auth/sign-up", email="eve@example.com", password=PASSWORD)
    token = token_in(mails("eve@example.com")[-1])
    either.submit("/auth/sign-in", email=EMAIL, password=PASSWORD)
    before = cookie(either)
    verify(either, token)
    assert cookie(either) != before
    ended = only(UserSession, UserSession.ended_by == "sign-in")
    assert ended.user_id == only(User, User.email == EMAIL).id


def test_the_mark_survives_a_resend(either, signed_up, mails):
    either.submit("/auth/resend-verification", email=EMAIL)
    _, newer = mails()
    assert "session" in cookies(verify(either, token_in(newer)))


def test_the_mark_dies_with_a_second_sign_up_elsewhere(app, either, signed_up, mails):
    Program(app).submit("/auth/sign-up", email=EMAIL, password=NEW_PASSWORD)
    _, newer = mails()
    answer = verify(either, token_in(newer))
    assert answer.status == succeeds(either)
    assert "session" not in cookies(answer)


def test_a_forged_mark_signs_nobody_in(app, signed_up):
    forger = Program(app)
    forger.client.set_cookie("pre", "eyJzaWduX3VwIjpbIjEiLCIyIl19.aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb")
    assert "session" not in cookies(verify(forger, signed_up))


def test_looking_at_the_link_changes_nothing(app, browser, mails):
    browser.submit("/auth/sign-up", email=EMAIL, password=PASSWORD)
    link = link_in(mails()[-1])
    for client in (browser, Browser(app)):
        for method in ("GET", "HEAD"):
            answer = client.client.open(link, method=method)
            assert answer.status_code == 200
            assert "session" not in cookies(client._answer(answer))
    assert only(User).email_verified_at is None
    assert verify(browser, link.partition("token=")[2]).status == 303


def test_the_page_carries_the_token_in_the_body_alone(browser, mails):
    browser.submit("/auth/sign-up", email=EMAIL, password=PASSWORD)
    link = link_in(mails()[-1])
    page = browser.get(link).text
    assert 'action="/auth/verify-email"' in page
    token = link.partition("token=")[2]
    assert f'<input type="hidden" name="token" value="{token}"' in page
    answer = browser.post(f"/auth/verify-email?token={token}", data={"csrf_token": browser.token(link)})
    assert answer.status == 422
    assert only(User).email_verified_at is None


@pytest.mark.parametrize("token", ["", None, "unknown", "x" * 301])
def test_a_token_that_never_was(either, token):
    answer = either.submit("/auth/verify-email", token=token)
    if token == "unknown":
        assert (answer.status, answer.code) == (400, None if either.is_browser else "INVALID_TOKEN")
    else:
        assert answer.status == refuses(either)


def test_a_dead_link_says_what_to_do(either, signed_up):
    verify(either, signed_up)
    answer = verify(either, signed_up)
    assert answer.status == 400
    if either.is_browser:
        assert "This link does not work any more" in answer.text
        assert 'href="/auth/resend-verification"' in answer.text
    else:
        assert answer.code == "INVALID_TOKEN"
        assert "details" not in answer.response.get_json()["error"]


def test_a_disabled_account_is_neither_verified_nor_signed_in(either, signed_up):
    from app.database import utc_now

    change(User, disabled_at=utc_now())
    answer = verify(either, signed_up)
    assert answer.status == 400
    assert "session" not in cookies(answer)
    assert only(User).email_verified_at is None


def test_resend_verification(app, either, mails):
    Program(app).submit("/auth/sign-up", email=EMAIL, password=PASSWORD)
    (first,) = mails()
    answer = either.submit("/auth/resend-verification", email="ADA@example.com")
    assert answer.status == succeeds(either)
    if either.is_browser:
        assert answer.location == "/auth/check-mail"
    else:
        assert answer.data == {"message": "If the address is right, a mail is on its way."}
    _, second = mails()
    assert token_in(first) != token_in(second)
    assert second.recipient == EMAIL


@pytest.mark.parametrize("email", ["nobody@example.com", EMAIL])
def test_resending_is_the_same_answer_for_everyone(app, people, either, outbox, email):
    people.verified(EMAIL)
    Program(app).submit("/auth/sign-up", email="bob@example.com", password=PASSWORD)
    before = len(outbox())
    waiting = either.submit("/auth/resend-verification", email="bob@example.com")
    answer = either.submit("/auth/resend-verification", email=email)
    assert (answer.status, answer.data, answer.location) == (waiting.status, waiting.data, waiting.location)
    assert cookies(answer).keys() == cookies(waiting).keys()
    assert len(outbox()) == before + 1  # bob's


def test_forms_that_only_show_something_are_not_under_api(program):
    for path in ("sign-up", "verify-email", "resend-verification", "sign-in", "sign-out", "forgot-password"):
        answer = program.get(f"/auth/{path}")
        assert (answer.status, answer.code) == (405, "METHOD_NOT_ALLOWED")
        assert set(answer.response.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}
