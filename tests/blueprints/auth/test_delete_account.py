"""The end of an account: by its owner, with the password, at once and for good."""

import pytest

from app import hooks
from app.database import db, transaction
from app.errors import Conflict
from blueprints.auth import Blocker, BlockerAction
from blueprints.auth.models import AccessToken, Device, MailedToken, User, UserSession
from blueprints.auth.services import current_password
from tests.blueprints.auth.support import (
    NEW_PASSWORD,
    at_once,
    change,
    cookie,
    cookies,
    count,
    let_limits_pass,
    only,
    succeeds,
    with_cookie,
)
from tests.clients import Browser, Program, TestClient
from tests.people import PASSWORD, token_in

EMAIL = "ada@example.com"
SUBJECT = "Your Pitchey account was deleted"


@pytest.fixture
def signed_in(ada, either):
    """Either client, signed in as Ada."""
    either.submit("/auth/sign-in", email=EMAIL, password=PASSWORD)
    return either


def delete(client, password=PASSWORD, **more):
    return client.submit("/auth/account", verb="DELETE", password=password, **more)


def everything_of(user_id):
    """How many rows of each kind belong to somebody."""
    found = [count(model, model.user_id == user_id) for model in (UserSession, AccessToken, Device, MailedToken)]
    return count(User, User.id == user_id), found


def test_delete_account(app, people, ada, signed_in, mails):
    value = ada.submit("/auth/tokens", name="Export").data["value"]
    people.verified("bob@example.com")
    user_id = only(User, User.email == EMAIL).id
    answer = delete(signed_in)
    assert answer.status == succeeds(signed_in)
    if signed_in.is_browser:
        assert answer.location == "/"
        assert "Your account is deleted." in signed_in.get("/auth/sign-in").text
    else:
        assert answer.data == {"message": "Your account is deleted."}
    assert everything_of(user_id) == (0, [0, 0, 0, 0])
    assert count(User) == 1
    assert [mail.subject for mail in mails()][-1:] == [SUBJECT]
    for client in (ada, signed_in, Program(app, value)):
        assert client.get("/auth/session" if not client.is_browser else "/auth/account").status in (401, 303)
    assert people.program("bob@example.com").get("/auth/session").status == 200


def test_it_deletes_the_cookie(signed_in):
    sent = cookies(delete(signed_in))
    assert (sent["session"].value, sent["session"]["max-age"]) == ("", "0")
    assert cookie(signed_in) is None


def test_a_dead_cookie_and_a_dead_token_are_nobody(app, ada):
    value, session = ada.submit("/auth/tokens", name="Export").data["value"], cookie(ada)
    delete(ada)
    assert Program(app, value).get("/auth/session").code == "UNAUTHORIZED"
    assert with_cookie(Program(app), session).get("/auth/session").code == "UNAUTHORIZED"
    page = with_cookie(Browser(app), session).get("/auth/sign-in")
    assert (page.status, "You were signed out" in page.text) == (200, False)


def test_the_last_mail(app, ada, mails):
    headers = {"User-Agent": "Lynx/2.8"}
    answer = ada._call("DELETE", "/auth/account", headers=headers, json={"password": PASSWORD})
    assert answer.status == 200
    mail = mails()[-1]
    assert (mail.subject, mail.recipient) == (SUBJECT, EMAIL)
    for body in (mail.text, mail.html):
        assert "127.0.0.1" in body
        assert "Lynx" in body


def test_its_links_are_dead(app, ada, mails):
    Program(app).submit("/auth/forgot-password", email=EMAIL)
    ada.submit("/auth/change-password", currentPassword=PASSWORD, newPassword=PASSWORD)
    links = {mail.subject: token_in(mail) for mail in mails()[-2:]}
    reset = next(token for subject, token in links.items() if subject.startswith("Reset"))
    not_me = next(token for subject, token in links.items() if "password" in subject and token != reset)
    ada.submit("/auth/change-email", newEmail="ada@example.org", password=PASSWORD)
    new_address = token_in(mails("ada@example.org")[-1])
    delete(ada)
    refused = [
        Program(app).submit("/auth/reset-password", token=reset, newPassword=NEW_PASSWORD),
        Program(app).submit("/auth/not-me", token=not_me),
        Program(app).submit("/auth/change-email/confirm", token=new_address),
    ]
    assert [(answer.status, answer.code) for answer in refused] == [(400, "INVALID_TOKEN")] * 3
    assert count(User) == 0


def test_the_address_can_sign_up_anew(app, people, mails):
    ada = people.verified(EMAIL, name="Ada", username="ada", userType="investor")
    device, user_id = cookie(ada, "device"), only(User).id
    ada.submit("/auth/tokens", name="Export")
    change(User, is_admin=True)
    delete(ada)
    assert Program(app).submit("/auth/sign-in", email=EMAIL, password=PASSWORD).code == "INVALID_CREDENTIALS"
    fresh = people.verified(EMAIL, password=NEW_PASSWORD, username="ada")
    user = fresh.get("/auth/account").data["user"]
    assert user["id"] != str(user_id)
    assert (user["name"], user["username"], user["userType"], user["isAdmin"]) == (None, "ada", "creator", False)
    assert len(fresh.get("/auth/sessions").data["sessions"]) == 1
    assert fresh.get("/auth/tokens").data == {"tokens": []}
    let_limits_pass(minutes=5)
    old = with_cookie(Program(app), device, "device")
    for _ in range(10):
        assert old.submit("/auth/sign-in", email=EMAIL, password=PASSWORD).status == 401
    assert old.submit("/auth/sign-in", email=EMAIL, password=NEW_PASSWORD).status == 429  # known to the old one alone


def test_a_wrong_password(signed_in, mails):
    answer = delete(signed_in, password=NEW_PASSWORD)
    assert answer.status == 401
    assert "Current password is incorrect" in answer.text
    assert "session" not in cookies(answer)
    if signed_in.is_browser:
        assert 'id="delete_account-password-error"' in answer.text
        assert NEW_PASSWORD not in answer.text
    else:
        assert answer.code == "UNAUTHORIZED"
    assert count(User) == 1
    assert SUBJECT not in [mail.subject for mail in mails()]
    assert signed_in.get("/auth/account").status == 200


@pytest.mark.parametrize("password", ["", None])
def test_no_password(signed_in, password):
    answer = delete(signed_in, password=password)
    assert answer.status == (422 if signed_in.is_browser else 400)
    assert list(answer.fields) == ["password"] or 'id="delete_account-password-error"' in answer.text
    assert count(User) == 1


def test_tries_count_before_the_check_and_with_the_others(signed_in, ada):
    ada.submit("/auth/change-password", currentPassword="wrong", newPassword=NEW_PASSWORD)
    ada.submit("/auth/change-email", newEmail="ada@example.org", password="wrong")
    ada.submit("/auth/reauthenticate", password="wrong")
    for _ in range(2):
        assert delete(signed_in, password="wrong").status == 401
    answer = delete(signed_in)
    assert answer.status == 429
    assert 0 < int(answer.response.headers["Retry-After"]) <= 900
    assert ada.submit("/auth/reauthenticate", password=PASSWORD).status == 429
    assert count(User) == 1
    let_limits_pass(minutes=15)
    assert delete(signed_in).status == succeeds(signed_in)


def test_an_access_token_may_not(app, ada):
    value = ada.submit("/auth/tokens", name="Export").data["value"]
    answer = delete(Program(app, value))
    assert (answer.status, answer.code) == (403, "FORBIDDEN")
    assert count(User) == 1


def test_signed_out(app):
    assert delete(Program(app)).code == "UNAUTHORIZED"
    answer = Browser(app).get("/auth/account/delete")
    assert (answer.status, answer.location) == (303, "/auth/sign-in?next=%2Fauth%2Faccount%2Fdelete")
    assert Browser(app).post("/auth/account/delete").location == "/auth/sign-in"


def test_get_only_asks(people, ada):
    browser = people.browser(EMAIL)
    assert browser.get("/auth/account/delete?password=guess").status == 200
    assert "guess" not in browser.get("/auth/account/delete?password=guess").text
    assert count(User) == 1


def test_a_foreign_origin(ada):
    headers = {"Origin": "https://evil.test"}
    answer = ada._call("DELETE", "/auth/account", headers=headers, json={"password": PASSWORD})
    assert (answer.status, answer.code) == (403, "CSRF_FAILED")
    assert count(User) == 1


def test_ten_at_the_same_moment(make_app, ada, mails):
    app = make_app(LIMIT_PASSWORD_CHECK="off")
    programs = [with_cookie(Program(app), cookie(ada)) for _ in range(10)]
    answers = at_once(10, lambda number: delete(programs[number]))
    statuses = [answer.status for answer in answers]
    assert statuses.count(200) == 1
    late = {answer.code for answer in answers if answer.status != 200}
    assert late <= {"UNAUTHORIZED", "CONFLICT", "SERVICE_UNAVAILABLE"}  # the last: the lane takes a few at a time
    assert count(User) == 0
    assert [mail.subject for mail in mails()].count(SUBJECT) == 1


def test_a_password_changed_meanwhile(app, ada, monkeypatch):
    real = current_password.verify_password

    def verify_password(password, stored):
        fits = real(password, stored)
        at_once(1, lambda number: change_elsewhere(app))
        return fits

    monkeypatch.setattr(current_password, "verify_password", verify_password)
    answer = delete(ada)
    assert (answer.status, answer.code) == (409, "CONFLICT")
    assert count(User) == 1


def change_elsewhere(app):
    with app.app_context():
        change(User, password_hash="another")


SETTLE = BlockerAction(label="Settle it", url="/teams/1/settle")


class TestHooks:
    @pytest.fixture
    def hooked(self, make_app):
        """An application of which other blueprints ask and are told: `hooked(account_deleted=…)`."""

        def make(**answers):
            app = make_app(BLUEPRINTS="health,auth")
            app.test_client_class = TestClient
            for name, answer in answers.items():
                hooks.register(app, name, answer)
            return app

        return make

    def test_what_stands_in_the_way_is_named(self, hooked, ada, either, mails):
        app = hooked(
            account_blockers=lambda user_id: [
                Blocker(label="Night Shoot", url="/teams/1", actions=[SETTLE]),
                Blocker(label="Day"),
            ]
        )
        client = type(either)(app)
        client.submit("/auth/sign-in", email=EMAIL, password=PASSWORD)
        answer = delete(client)
        assert answer.status == 409
        assert "You are the only owner of Night Shoot, Day." in answer.text
        assert "session" not in cookies(answer)
        if client.is_browser:
            assert 'name="password"' in answer.text  # the form again
            for page in (answer, client.get("/auth/account"), client.get("/auth/account/delete")):
                assert 'href="/teams/1"' in page.text
                assert 'href="/teams/1/settle"' in page.text
                assert "Night Shoot" in page.text
                assert "Day" in page.text
        else:
            assert answer.code == "LAST_OWNER"
            assert answer.response.get_json()["error"]["details"]["blockers"] == [
                {
                    "label": "Night Shoot",
                    "url": "/teams/1",
                    "actions": [{"label": "Settle it", "url": "/teams/1/settle"}],
                },
                {"label": "Day", "url": None, "actions": []},
            ]
        assert client.get("/auth/account").status == 200
        assert count(User) == 1
        assert SUBJECT not in [mail.subject for mail in mails()]

    def test_of_many_three_are_named(self, hooked, ada):
        app = hooked(account_blockers=lambda user_id: [Blocker(label=f"Team {number}") for number in range(5)])
        client = with_cookie(Program(app), cookie(ada))
        assert "the only owner of Team 0, Team 1, Team 2 and 2 more." in delete(client).text

    def test_a_blocker_counts_after_the_password(self, hooked, ada):
        app = hooked(account_blockers=lambda user_id: [Blocker(label="Night Shoot")])
        assert delete(with_cookie(Program(app), cookie(ada)), password="wrong").status == 401

    def test_who_is_told_takes_part_in_the_transaction(self, hooked, ada):
        told = []

        def account_deleted(user_id):
            told.append((user_id, db.session.info["in_transaction"], db.session.get(User, user_id) is not None))
            with transaction() as session:
                session.get_one(User, user_id).name = "gone"
            raise Conflict

        app, user_id = hooked(account_deleted=account_deleted), only(User).id
        assert delete(with_cookie(Program(app), cookie(ada))).status == 409
        assert told == [(user_id, True, True)]
        assert only(User).name is None
        assert ada.get("/auth/session").status == 200
