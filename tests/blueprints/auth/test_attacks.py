"""What a patient stranger tries: to learn who has an account, to keep an owner out, to go unnoticed."""

import pytest
from flask import Flask

from app.access import Client
from app.jobs import QueuedJob
from blueprints.auth.models import User, UserSession
from blueprints.auth.services import identities
from tests.blueprints.auth.support import (
    NEW_PASSWORD,
    cookie,
    let_limits_pass,
    let_pass,
    only,
    succeeds,
    with_cookie,
)
from tests.clients import Browser, Program
from tests.people import PASSWORD, token_in

EMAIL = "ada@example.com"


def sign_up(client, email=EMAIL, password=PASSWORD, **more):
    return client.submit("/auth/sign-up", email=email, password=password, **more)


def mark(client) -> list[str]:
    """The mark of a sign-up, out of the cookie that is signed and no secret."""
    app = client.client.application
    return app.session_interface.get_signing_serializer(app).loads(cookie(client, "pre"))["sign_up"]


def sent_to(outbox, words):
    return [mail for mail in outbox() if mail.recipient == EMAIL and words in mail.subject]


def from_elsewhere(app: Flask, number: int) -> Program:
    """A client at an address of its own."""
    program = Program(app)
    program.client.environ_base["REMOTE_ADDR"] = f"198.51.100.{number}"
    return program


@pytest.mark.parametrize("taken", [True, False])
def test_two_marks_of_one_address_have_nothing_in_common(app, people, taken):
    if taken:
        people.verified(EMAIL)
    first, second = Program(app), Program(app)
    for client in (first, second):
        sign_up(client)
    assert len(mark(first)) == len(mark(second)) == 2
    assert not set(mark(first)) & set(mark(second))


@pytest.mark.parametrize("taken", [True, False])
def test_a_username_given_to_an_unproved_address_tells_nothing(app, people, either, taken):
    eve = people.verified("eve@example.com")
    if taken:
        people.verified(EMAIL)
    sign_up(Program(app), username="wanted")
    assert eve.submit("/auth/account", "PATCH", username="wanted").status == 200
    assert only(User, User.email == "eve@example.com").username == "wanted"
    sign_up(either, email="bob@example.com", username="wanted")
    assert only(User, User.email == "bob@example.com").username is None, "a proved account keeps its username"


def test_a_sign_up_takes_a_username_from_an_unproved_address(app, either):
    sign_up(Program(app), username="wanted")
    sign_up(either, email="bob@example.com", username="wanted")
    assert only(User, User.email == EMAIL).username is None
    assert only(User, User.email == "bob@example.com").username == "wanted"


def test_the_mail_of_a_later_sign_up_says_that_it_is_not_the_first(app, either, outbox):
    sign_up(either)
    (first,) = sent_to(outbox, "Confirm")
    sign_up(Program(app), password=NEW_PASSWORD)
    second = sent_to(outbox, "Confirm")[-1]
    for part in ("text", "html"):
        assert "not the first sign-up" not in getattr(first, part)
        assert "not the first sign-up" in getattr(second, part)
        assert "http://localhost:8000/auth/forgot-password" in getattr(second, part)


def test_asking_for_verification_does_not_switch_off_the_reset(app, people, either, outbox):
    people.verified(EMAIL)
    for number in range(6):
        from_elsewhere(app, number + 1).submit("/auth/resend-verification", email=EMAIL)
    either.submit("/auth/forgot-password", email=EMAIL)
    assert len(sent_to(outbox, "Reset")) == 1


def test_another_site_clears_no_browser(app):
    """Without a cookie, which SameSite keeps back, and with a header that is no credential."""
    foreign = {"Origin": "https://evil.test"}
    for headers in (foreign, foreign | {"Authorization": "Bearer junk"}):
        answer = Program(app).post("/auth/sign-out", headers=headers)
        assert (answer.status, answer.code) == (403, "CSRF_FAILED")
        assert "Clear-Site-Data" not in answer.response.headers


def test_who_has_just_reset_the_password_is_not_kept_out(app, people, either, outbox):
    people.verified(EMAIL)
    Program(app).submit("/auth/forgot-password", email=EMAIL)
    token = token_in(sent_to(outbox, "Reset")[-1])
    let_limits_pass(hours=2)
    assert either.submit("/auth/reset-password", token=token, newPassword=NEW_PASSWORD).status == succeeds(either)
    for number in range(12):
        from_elsewhere(app, number + 1).submit("/auth/sign-in", email=EMAIL, password="a guess")
    assert from_elsewhere(app, 99).submit("/auth/sign-in", email=EMAIL, password=NEW_PASSWORD).status == 429
    assert either.submit("/auth/sign-in", email=EMAIL, password=NEW_PASSWORD).status == succeeds(either)


def test_whoever_was_shut_out_is_a_new_device(app, people, outbox):
    people.verified(EMAIL)
    thief = from_elsewhere(app, 7)
    assert thief.submit("/auth/sign-in", email=EMAIL, password=PASSWORD).status == 200
    (notice,) = sent_to(outbox, "New sign-in")
    assert Program(app).submit("/auth/not-me", token=token_in(notice)).status == 200
    reset = token_in(sent_to(outbox, "Reset")[-1])
    assert Program(app).submit("/auth/reset-password", token=reset, newPassword=NEW_PASSWORD).status == 200
    again = from_elsewhere(app, 7)
    assert again.submit("/auth/sign-in", email=EMAIL, password=NEW_PASSWORD).status == 200
    assert len(sent_to(outbox, "New sign-in")) == 2


def test_a_dead_cookie_does_not_tell_where_the_owner_is(app, people):
    people.verified(EMAIL)
    stolen = cookie(people.program(EMAIL))
    owner = from_elsewhere(app, 7)
    owner.submit("/auth/sign-in", email=EMAIL, password=PASSWORD)
    owner.submit("/auth/sessions/revoke-others")
    page = with_cookie(Browser(app), stolen).get("/auth/sign-in").text
    assert "Your session ended on the account page" in page
    assert "198.51.100.7" not in page


@pytest.mark.parametrize("junk", [True, False])
def test_signing_in_ends_the_cookies_session_whatever_stands_beside_it(app, ada, junk):
    token = "junk" if junk else ada.submit("/auth/tokens", name="Export").data["value"]
    old = cookie(ada)
    headers = {"Authorization": f"Bearer {token}"}
    assert ada.post("/auth/sign-in", json={"email": EMAIL, "password": PASSWORD}, headers=headers).status == 200
    assert with_cookie(Program(app), old).get("/auth/session").status == 401


def test_two_requests_at_the_same_moment_write_last_seen_once(app, ada):
    let_pass(UserSession, seconds=61)
    who = identities.identify(cookie(ada), None)
    identities.seen(who, Client("192.0.2.1", "first", "r"))
    identities.seen(who, Client("192.0.2.2", "second", "r"))
    assert only(UserSession).user_agent == "first"


def test_the_job_forgets_what_was_typed(app, program, outbox):
    program.submit("/auth/forgot-password", email="nobody@example.com")
    assert only(QueuedJob).args == {"email": "nobody@example.com"}
    outbox()
    assert only(QueuedJob, QueuedJob.name == "auth.password_forgotten").args == {}


def test_a_box_that_is_null_is_said_to_be_wrong_and_no_password_missing(ada):
    body = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD, "revokeOtherSessions": None}
    answer = ada.post("/auth/change-password", json=body)
    assert (answer.status, list(answer.fields)) == (400, ["revokeOtherSessions"])
    assert answer.response.get_json()["error"]["message"] == "Please check the fields below"
