"""Change of password: the order of what is checked, and what ends with the old one."""

import re
from threading import Barrier

import pytest

from app.mailed_tokens import digest
from blueprints.auth.models import AccessToken, User, UserSession
from blueprints.auth.services import new_passwords
from tests.blueprints.auth.support import (
    NEW_PASSWORD,
    at_once,
    cookie,
    cookies,
    count,
    let_pass,
    only,
    refuses,
    succeeds,
    with_cookie,
)
from tests.clients import Program
from tests.people import PASSWORD, token_in

EMAIL = "ada@example.com"
REQUIRED = "Current and new passwords are required"


@pytest.fixture
def signed_in(ada, either):
    """Either client, signed in as Ada, who has no other session."""
    ada.submit("/auth/sign-out")
    either.submit("/auth/sign-in", email=EMAIL, password=PASSWORD)
    return either


def change(client, current=PASSWORD, new=NEW_PASSWORD, **more):
    return client.submit("/auth/change-password", currentPassword=current, newPassword=new, **more)


def works(client):
    return client.get("/auth/account").status == 200


def can_sign_in(client, password):
    program = Program(client.client.application)
    return program.submit("/auth/sign-in", email=EMAIL, password=password).status == 200


def test_change_password(signed_in, people):
    other = people.program(EMAIL)
    answer = change(signed_in)
    assert answer.status == succeeds(signed_in)
    if signed_in.is_browser:
        assert answer.location == "/auth/account"
        assert "Password changed successfully." in signed_in.get("/auth/account").text
    else:
        assert answer.data == {
            "message": "Password changed successfully",
            "revokedSessions": "none",
            "revokedCount": 0,
        }
    assert works(signed_in)
    assert works(other)
    assert not can_sign_in(signed_in, PASSWORD)
    assert can_sign_in(signed_in, NEW_PASSWORD)


def test_the_other_sessions_and_every_token_end_if_asked_to(app, people, signed_in):
    others = [people.program(EMAIL), people.program(EMAIL)]
    token = others[0].submit("/auth/tokens", name="Export").data["value"]
    over = people.program(EMAIL)
    let_pass(UserSession, UserSession.token_hash == digest(cookie(over)), hours=13)
    bob = people.verified("bob@example.com")
    answer = change(signed_in, revokeOtherSessions=True)
    assert answer.status == succeeds(signed_in)
    if not signed_in.is_browser:
        assert (answer.data["revokedSessions"], answer.data["revokedCount"]) == ("all", 2)
    assert [works(client) for client in (signed_in, bob, *others, over)] == [True, True, False, False, False]
    assert not works(Program(app, token))
    assert count(AccessToken) == 0


def test_tokens_stay_if_not_asked_to(app, people, signed_in):
    token = people.program(EMAIL).submit("/auth/tokens", name="Export").data["value"]
    change(signed_in)
    assert works(Program(app, token))


def test_the_cookie_is_new_and_the_old_one_dead(app, signed_in):
    before = only(UserSession, UserSession.ended_at.is_(None))
    old = cookie(signed_in)
    sent = cookies(change(signed_in))["session"]
    assert (sent["max-age"], sent["httponly"], sent["samesite"]) == ("", True, "Lax")
    assert cookie(signed_in) == sent.value != old
    assert not works(with_cookie(Program(app), old))
    after = only(UserSession, UserSession.ended_at.is_(None))
    assert (after.id, after.expires_at) == (before.id, before.expires_at)


def test_a_remembered_session_stays_remembered(app, ada):
    program = Program(app)
    program.submit("/auth/sign-in", email=EMAIL, password=PASSWORD, rememberMe=True)
    let_pass(UserSession, days=10)
    left = int(cookies(change(program))["session"]["max-age"])
    assert 20 * 86400 - 60 <= left <= 20 * 86400


def test_it_opens_the_ten_minutes_of_reauthentication(signed_in):
    let_pass(UserSession, minutes=11)
    change(signed_in)
    assert signed_in.submit("/auth/tokens", name="Export").status == (200 if signed_in.is_browser else 201)


def test_the_csrf_secret_is_new(people, ada):
    browser = people.browser(EMAIL)
    token = browser.token("/auth/account")
    change(browser)
    assert browser.post("/auth/sign-out", data={"csrf_token": token}).status == 403


def test_reset_links_die(app, signed_in, mails):
    Program(app).submit("/auth/forgot-password", email=EMAIL)
    token = token_in(mails()[-1])
    change(signed_in)
    assert Program(app).submit("/auth/reset-password", token=token, newPassword=PASSWORD).code == "INVALID_TOKEN"


def test_a_notice_is_mailed(app, signed_in, mails):
    values = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD}
    origin = {"environ_overrides": {"REMOTE_ADDR": "192.0.2.7"}, "headers": {"User-Agent": "Fire<b>fox/1"}}
    if signed_in.is_browser:
        token = signed_in.token("/auth/change-password")
        signed_in.post("/auth/change-password", data={**values, "csrf_token": token}, **origin)
    else:
        signed_in.post("/auth/change-password", json=values, **origin)
    mail = mails()[-1]
    assert mail.subject == "Your Pitchey password was changed"
    assert re.search(r"When: \d\d \w+ \d{4}, \d\d:\d\d UTC\n", mail.text)
    assert "From: 192.0.2.7\nWith: Fire<b>fox/1\n" in mail.text
    assert "192.0.2.7" in mail.html
    assert "Fire&lt;b&gt;fox/1" in mail.html
    assert NEW_PASSWORD not in mail.text + mail.html


def test_a_wrong_current_password(signed_in, mails):
    before = only(User).password_hash
    answer = change(signed_in, current="not the password")
    assert answer.status == 401
    if signed_in.is_browser:
        assert 'id="change_password-currentPassword-error"' in answer.text
        assert "Current password is incorrect" in answer.text
        assert NEW_PASSWORD not in answer.text
    else:
        error = answer.response.get_json()["error"]
        assert error == {"code": "UNAUTHORIZED", "message": "Current password is incorrect"}
    assert "session" not in cookies(answer)
    assert only(User).password_hash == before
    assert works(signed_in)
    assert len(mails()) == 1


def test_the_new_password_may_equal_the_current_one(signed_in):
    before = only(User).password_hash
    assert change(signed_in, new=PASSWORD).status == succeeds(signed_in)
    assert only(User).password_hash != before


@pytest.mark.parametrize(
    "current, new, fields",
    [
        (None, None, ["currentPassword", "newPassword"]),
        ("", "", ["currentPassword", "newPassword"]),
        (PASSWORD, None, ["newPassword"]),
        (None, NEW_PASSWORD, ["currentPassword"]),
        (PASSWORD, "", ["newPassword"]),
        ("", NEW_PASSWORD, ["currentPassword"]),
    ],
)
def test_both_are_required(signed_in, current, new, fields):
    answer = change(signed_in, current, new)
    assert answer.status == refuses(signed_in)
    if signed_in.is_browser:
        assert REQUIRED in answer.text
        assert re.findall(r'id="change_password-(\w+)-error"', answer.text) == fields
    else:
        error = answer.response.get_json()["error"]
        assert (error["code"], error["message"]) == ("VALIDATION_ERROR", REQUIRED)
        assert list(error["details"]) == ["fields"]
        assert answer.fields == {field: ["This field is required."] for field in fields}


@pytest.mark.parametrize("body", [{"currentPassword": None, "newPassword": None}, {"currentPassword": PASSWORD}, {}])
def test_null_is_missing_too(ada, body):
    answer = ada.post("/auth/change-password", json=body)
    assert (answer.status, answer.response.get_json()["error"]["message"]) == (400, REQUIRED)


@pytest.mark.parametrize("new", ["short", "x" * 129, EMAIL.upper(), "bad \x07 bell"])
def test_what_the_new_password_may_not_be(signed_in, new):
    answer = change(signed_in, new=new)
    assert answer.status == refuses(signed_in)
    assert list(answer.fields) == ["newPassword"] or 'id="change_password-newPassword-error"' in answer.text
    assert "required" not in str(answer.fields)
    assert not can_sign_in(signed_in, new)


@pytest.mark.parametrize(
    "values", [{"currentPassword": 1}, {"newPassword": ["x" * 8]}, {"revokeOtherSessions": "true"}]
)
def test_json_types_are_strict(ada, values):
    body = {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD, **values}
    answer = ada.post("/auth/change-password", json=body)
    assert (answer.status, list(answer.fields)) == (400, list(values))
    assert answer.response.get_json()["error"]["message"] == "Please check the fields below"


def test_the_box_of_the_page_is_ticked_and_an_unticked_one_counts(people, ada):
    browser = people.browser(EMAIL)
    page = browser.get("/auth/change-password").text
    box = re.search(r'<input[^>]*name="revokeOtherSessions"[^>]*>', page)
    assert box
    assert "checked" in box.group()
    change(browser)
    assert works(ada)


def test_an_unticked_box_stays_so_in_a_refused_form(people, ada):
    browser = people.browser(EMAIL)
    for ticked in (True, False):
        page = change(browser, current="wrong wrong", revokeOtherSessions=ticked).text
        box = re.search(r'<input[^>]*name="revokeOtherSessions"[^>]*>', page)
        assert ("checked" in box.group()) is ticked


def test_of_two_at_once_one_succeeds(app, people, ada, monkeypatch):
    """Both have verified the same password before either writes."""
    barrier, real = Barrier(2), new_passwords.hash_password

    def hash_password(password):
        hashed = real(password)
        barrier.wait(10)
        return hashed

    monkeypatch.setattr(new_passwords, "hash_password", hash_password)
    clients = [people.program(EMAIL), people.program(EMAIL)]
    passwords = [f"{NEW_PASSWORD} {number}" for number in range(2)]
    answers = at_once(2, lambda number: change(clients[number], new=passwords[number]))
    assert sorted(answer.status for answer in answers) == [200, 409]
    lost = next(answer for answer in answers if answer.status == 409)
    assert lost.code == "CONFLICT"
    won = next(number for number in range(2) if answers[number].status == 200)
    monkeypatch.setattr(new_passwords, "hash_password", real)
    assert can_sign_in(ada, passwords[won])
    assert not can_sign_in(ada, passwords[1 - won])
    assert works(clients[1 - won])


def test_the_form_alone_is_not_under_api(ada):
    answer = ada.get("/auth/change-password")
    assert (answer.status, answer.code) == (405, "METHOD_NOT_ALLOWED")
    assert set(answer.response.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}
