"""Forgotten passwords: one answer for every address, and a link that ends everything but signs nobody in."""

import pytest

from app.database import utc_now
from blueprints.auth.models import AccessToken, MailedToken, User, UserSession
from tests.blueprints.auth.support import NEW_PASSWORD, change, cookies, count, only, refuses, row_counts, succeeds
from tests.clients import Browser, Program
from tests.people import PASSWORD, link_in, token_in

EMAIL = "ada@example.com"


def forgot(client, email=EMAIL):
    return client.submit("/auth/forgot-password", email=email)


def reset(client, token, password=NEW_PASSWORD):
    page = f"/auth/reset-password?token={token}"
    return client.submit("/auth/reset-password", _page=page, token=token, newPassword=password)


@pytest.fixture
def token(app, ada, mails):
    """The token that was mailed to Ada."""
    forgot(Program(app))
    return token_in(mails()[-1])


def works(client):
    return client.get("/auth/account").status == 200


def test_forgot_password(ada, either, mails):
    answer = forgot(either, "ADA@example.com")
    assert answer.status == succeeds(either)
    if either.is_browser:
        assert answer.location == "/auth/check-mail"
    else:
        assert answer.data == {"message": "If the address is right, a mail is on its way."}
    mail = mails()[-1]
    assert mail.subject == "Reset your Pitchey password"
    assert mail.recipient == EMAIL
    assert link_in(mail) == f"/auth/reset-password?token={token_in(mail)}"
    assert token_in(mail) in mail.html


@pytest.mark.parametrize("case", ["unknown", "disabled"])
def test_forgetting_is_the_same_answer_for_everyone(app, people, either, outbox, case):
    people.verified(EMAIL)
    people.verified("disabled@example.com")
    change(User, User.email == "disabled@example.com", disabled_at=utc_now())
    known = forgot(either)
    before = len(outbox())
    answer = forgot(either, f"{case}@example.com")
    assert (answer.status, answer.data, answer.location) == (known.status, known.data, known.location)
    assert cookies(answer).keys() == cookies(known).keys()
    assert len(outbox()) == before


def test_an_unknown_address_leaves_no_row_but_the_counts_and_the_job(app, program, outbox):
    before = row_counts(app)
    forgot(program, "nobody@example.com")
    assert row_counts(app) == before | {"limit_hits": before["limit_hits"] + 2, "jobs": before["jobs"] + 1}
    assert outbox() == []


def test_reset_password(app, people, either, token, mails):
    sessions = [people.program(EMAIL), people.browser(EMAIL)]
    forgot(Program(app))  # signing in has voided the first link
    value = sessions[0].submit("/auth/tokens", name="Export").data["value"]
    answer = reset(either, token_in(mails()[-1]))
    assert answer.status == succeeds(either)
    if either.is_browser:
        assert answer.location == "/auth/sign-in"
        assert "Your password is set, and 3 sessions have ended." in either.get("/auth/sign-in").text
    else:
        assert answer.data == {"message": "Your password is set, and 3 sessions have ended. Sign in with it."}
    assert "session" not in cookies(answer)
    assert not works(either)
    assert [works(client) for client in (*sessions, Program(app, value))] == [False, False, False]
    assert count(UserSession, UserSession.ended_at.is_(None)) == count(AccessToken) == 0
    assert Program(app).submit("/auth/sign-in", email=EMAIL, password=PASSWORD).code == "INVALID_CREDENTIALS"
    notice = mails()[-1]
    assert notice.subject == "Your Pitchey password was changed"
    assert "From: 127.0.0.1\n" in notice.text
    people.program(EMAIL, NEW_PASSWORD)


def test_it_verifies_the_address(app, either, mails, people):
    Program(app).submit("/auth/sign-up", email=EMAIL, password=PASSWORD)
    verification = token_in(mails()[-1])
    forgot(Program(app))
    assert reset(either, token_in(mails()[-1])).status == succeeds(either)
    assert only(User).email_verified_at is not None
    people.program(EMAIL, NEW_PASSWORD)
    assert Program(app).submit("/auth/verify-email", token=verification).code == "INVALID_TOKEN"


def test_a_sign_in_voids_the_link(people, either, token):
    people.program(EMAIL)
    assert reset(either, token).status == 400


def test_a_disabled_account_cannot_be_reset(either, token):
    change(User, disabled_at=utc_now())
    answer = reset(either, token)
    assert answer.status == 400
    if not either.is_browser:
        assert answer.code == "INVALID_TOKEN"


@pytest.mark.parametrize("password", ["short", "x" * 129, EMAIL])
def test_a_refused_password_leaves_the_link_good(either, token, password):
    answer = reset(either, token, password)
    assert answer.status == refuses(either)
    if either.is_browser:
        assert 'id="reset_password-newPassword-error"' in answer.text
        assert f'<input type="hidden" name="token" value="{token}"' in answer.text
    else:
        assert (answer.code, list(answer.fields)) == ("VALIDATION_ERROR", ["newPassword"])
    assert reset(either, token).status == succeeds(either)


def test_a_dead_link_says_what_to_do(either, token):
    reset(either, token)
    answer = reset(either, token)
    assert answer.status == 400
    if either.is_browser:
        assert 'href="/auth/forgot-password"' in answer.text
    else:
        assert answer.code == "INVALID_TOKEN"


def test_looking_at_the_link_changes_nothing(app, token):
    browser = Browser(app)
    for method in ("GET", "HEAD"):
        response = browser.client.open(f"/auth/reset-password?token={token}", method=method)
        assert response.status_code == 200
        assert response.headers["Referrer-Policy"] == "strict-origin"
        assert response.headers["Cache-Control"] == "no-store"
    assert only(MailedToken, MailedToken.purpose == "reset-password").ended_at is None
    assert reset(browser, token).status == 303


@pytest.mark.parametrize("email", [["ada@example.com", "eve@example.com"], "ada@example.com,eve@example.com", 1, {}])
def test_one_address_alone(program, ada, outbox, email):
    before = len(outbox())
    answer = program.post("/auth/forgot-password", json={"email": email})
    assert (answer.status, list(answer.fields)) == (400, ["email"])
    assert len(outbox()) == before
