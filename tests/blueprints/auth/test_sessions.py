"""Sessions: how long they last, what they cost, and how their owner ends them."""

import uuid
from datetime import datetime, timedelta

import pytest

from app.database import utc_now
from blueprints.auth.models import AccessToken, User, UserSession
from tests.blueprints.auth.support import (
    TIME,
    UUID,
    change,
    cookie,
    cookies,
    count,
    let_pass,
    only,
    row_counts,
    statements,
    succeeds,
    with_cookie,
)
from tests.clients import Browser, Program
from tests.people import PASSWORD

EMAIL = "ada@example.com"


@pytest.fixture
def signed_in(ada, either):
    """Either client, signed in as Ada, who has no other session."""
    ada.submit("/auth/sign-out")
    either.submit("/auth/sign-in", email=EMAIL, password=PASSWORD)
    return either


def works(client):
    return client.get("/auth/account").status == 200


def span(later, earlier):
    """Between two times of the API, in whole seconds."""
    return round((datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds())


def test_a_session_lasts_twelve_hours_and_idling_does_not_end_it(signed_in):
    let_pass(UserSession, hours=11, minutes=59)
    assert works(signed_in)
    let_pass(UserSession, minutes=1)
    assert not works(signed_in)


def test_use_does_not_prolong_a_session(signed_in):
    for _ in range(3):
        let_pass(UserSession, hours=3, minutes=59)
        assert works(signed_in)
    let_pass(UserSession, minutes=4)
    assert not works(signed_in)


def test_a_remembered_session_ends_after_fourteen_idle_days(app, ada, either):
    either.submit("/auth/sign-in", email=EMAIL, password=PASSWORD, rememberMe=True)
    let_pass(UserSession, days=13, hours=23)
    assert works(either)  # and is seen
    let_pass(UserSession, days=13, hours=23)
    assert works(either)
    change(UserSession, UserSession.remember.is_(True), last_seen_at=utc_now() - timedelta(days=14))
    assert not works(either)


def test_a_remembered_session_ends_after_thirty_days(ada, either):
    either.submit("/auth/sign-in", email=EMAIL, password=PASSWORD, rememberMe=True)
    let_pass(UserSession, days=10)
    assert works(either)
    let_pass(UserSession, days=10)
    assert works(either)
    let_pass(UserSession, days=10)
    assert not works(either)


def test_expires_at_is_the_earlier_end(people, ada):
    def expires_in(data):
        return span(data["session"]["expiresAt"], utc_now().isoformat())

    short = people.program(EMAIL)
    assert abs(expires_in(short.get("/auth/session").data) - 12 * 3600) <= 5
    remembered = Program(ada.client.application)
    data = remembered.submit("/auth/sign-in", email=EMAIL, password=PASSWORD, rememberMe=True).data
    assert abs(expires_in(data) - 14 * 86400) <= 5
    let_pass(UserSession, days=10)
    remembered.get("/auth/session")  # seen: the idle end moves
    assert abs(expires_in(remembered.get("/auth/session").data) - 14 * 86400) <= 5
    let_pass(UserSession, days=10)
    remembered.get("/auth/session")
    assert abs(expires_in(remembered.get("/auth/session").data) - 10 * 86400) <= 5


def test_a_disabled_account_is_out_at_the_next_request(people, signed_in):
    token = people.program(EMAIL).submit("/auth/tokens", name="Export").data["value"]
    assert works(signed_in)
    assert works(Program(signed_in.client.application, token))
    change(User, disabled_at=utc_now())
    assert not works(signed_in)
    assert not works(Program(signed_in.client.application, token))


def test_an_account_that_lost_its_rights_has_lost_them_at_the_next_request(people):
    admin = people.admin()
    assert admin.get("/auth/session").data["user"]["isAdmin"] is True
    change(User, is_admin=False)
    assert admin.get("/auth/session").data["user"]["isAdmin"] is False


@pytest.mark.parametrize("path", ["/auth/account", "/auth/change-password", "/auth/reauthenticate", "/auth/tokens"])
def test_signed_out_pages_lead_to_sign_in(browser, path):
    for method in ("GET", "HEAD"):
        answer = browser._answer(browser.client.open(f"{path}?a=b", method=method))
        assert (answer.status, answer.location) == (303, f"/auth/sign-in?next={path.replace('/', '%2F')}")
    if path != "/auth/account":
        answer = browser.post(path)
        assert (answer.status, answer.location) == (303, "/auth/sign-in")


@pytest.mark.parametrize(
    "method, path",
    [
        ("GET", "session"),
        ("GET", "account"),
        ("GET", "sessions"),
        ("DELETE", "sessions/00000000-0000-0000-0000-000000000000"),
        ("POST", "sessions/revoke-others"),
        ("GET", "tokens"),
        ("POST", "tokens"),
        ("DELETE", "tokens/00000000-0000-0000-0000-000000000000"),
        ("POST", "change-password"),
        ("POST", "reauthenticate"),
    ],
)
def test_signed_out_programs_are_refused(program, method, path):
    answer = program._call(method, f"/auth/{path}")
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
    assert "Set-Cookie" not in answer.response.headers


def test_strangers_and_junk_leave_no_rows(app):
    before = row_counts(app)
    for value in (None, "junk", "a" * 43, "pat_" + "a" * 43):
        for client in (Browser(app), Program(app), Program(app, value or "junk")):
            if value:
                for name in ("session", "device", "pre"):
                    with_cookie(client, value, name)
            for path in ("/auth/sign-in", "/auth/account", "/auth/session", "/auth/check-mail", "/nothing"):
                client.get(path)
            client.submit("/auth/sign-out")
    assert row_counts(app) == before


@pytest.mark.parametrize("path", ["/api/auth/session", "/api/auth/account"])
def test_an_authenticated_request_costs_one_query(app, ada, path):
    token = ada.submit("/auth/tokens", name="Export").data["value"]
    Program(app, token).get(path)  # used for the first time, which is noted
    for client in (ada, Program(app, token)):
        with statements(app) as asked:
            assert client.get(path).status == 200
        (query,) = [statement for statement in asked if not statement.startswith("BEGIN")]
        assert query.startswith("SELECT")


def test_a_page_costs_one_query_for_who_asks(app, people, ada):
    browser = people.browser(EMAIL)
    with statements(app) as asked:
        assert browser.get("/auth/change-password").status == 200
    assert len([statement for statement in asked if "SELECT" in statement]) == 1


def test_last_seen_is_written_once_a_minute(app, signed_in):
    def writes():
        with statements(app) as asked:
            assert works(signed_in)
        return [statement for statement in asked if statement.startswith("UPDATE")]

    assert not writes()
    let_pass(UserSession, seconds=59)
    assert not writes()
    let_pass(UserSession, seconds=1)
    signed_in.client.get("/auth/account", headers={"User-Agent": "Another Browser/2"})
    seen = only(UserSession, UserSession.ended_at.is_(None))
    assert utc_now() - seen.last_seen_at < timedelta(seconds=30)
    assert not writes()


def test_the_list_of_sessions(app, people, ada):
    agent = "Mozilla/5.0 " + "x" * 400
    second = Program(app)
    second.post(
        "/auth/sign-in",
        json={"email": EMAIL, "password": PASSWORD},
        headers={"User-Agent": agent},
        environ_overrides={"REMOTE_ADDR": "2001:DB8::7"},
    )
    people.verified("bob@example.com")
    data = second.get("/auth/sessions").data
    assert list(data) == ["sessions"]
    newest, oldest = data["sessions"]
    assert list(newest) == ["id", "current", "ipAddress", "userAgent", "createdAt", "lastSeenAt", "expiresAt"]
    assert UUID.fullmatch(newest["id"])
    assert all(TIME.fullmatch(newest[name]) for name in ("createdAt", "lastSeenAt", "expiresAt"))
    assert span(newest["expiresAt"], newest["createdAt"]) == 12 * 3600
    assert (newest["current"], newest["ipAddress"], newest["userAgent"]) == (True, "2001:db8::7", agent[:300])
    assert (oldest["current"], oldest["ipAddress"]) == (False, "127.0.0.1")
    assert ada.get("/auth/sessions").data["sessions"][1]["current"] is True
    assert cookie(second) not in str(data)


def test_sessions_that_are_over_leave_the_list(people, ada):
    people.program(EMAIL).submit("/auth/sign-out")
    assert len(ada.get("/auth/sessions").data["sessions"]) == 1


def test_end_session(app, people, signed_in):
    other = people.program(EMAIL)
    session_id = other.get("/auth/session").data["session"]["id"]
    answer = signed_in.submit(f"/auth/sessions/{session_id}", verb="DELETE")
    assert answer.status == succeeds(signed_in)
    if signed_in.is_browser:
        assert answer.location == "/auth/account"
        assert "The session has ended." in signed_in.get("/auth/account").text
    else:
        assert answer.data == {"message": "The session has ended."}
    assert not works(other)
    assert works(signed_in)
    assert signed_in.submit(f"/auth/sessions/{session_id}", verb="DELETE", _page="/auth/account").status == 404


def test_ending_the_current_session_deletes_no_cookie(signed_in):
    session_id = only(UserSession, UserSession.ended_at.is_(None)).id
    answer = signed_in.submit(f"/auth/sessions/{session_id}", verb="DELETE")
    assert answer.status == succeeds(signed_in)
    assert "session" not in cookies(answer)
    assert not works(signed_in)


def test_a_session_of_somebody_else_is_not_there(app, people, signed_in):
    bob = people.verified("bob@example.com")
    theirs = bob.get("/auth/session").data["session"]["id"]
    answers = [
        signed_in.submit(f"/auth/sessions/{session_id}", verb="DELETE", _page="/auth/account")
        for session_id in (theirs, "00000000-0000-0000-0000-000000000000", "not-an-id")
    ]
    assert [answer.status for answer in answers] == [404, 404, 404]
    if not signed_in.is_browser:
        errors = [answer.response.get_json()["error"] for answer in answers]
        assert errors[0] == errors[1] == errors[2]
    assert works(bob)


def test_end_other_sessions(people, signed_in):
    others = [people.program(EMAIL), people.program(EMAIL), people.program(EMAIL)]
    over = people.program(EMAIL).get("/auth/session").data["session"]["id"]
    let_pass(UserSession, UserSession.id == uuid.UUID(over), hours=13)
    bob = people.verified("bob@example.com")
    token = others[0].submit("/auth/tokens", name="Export").data["value"]
    answer = signed_in.submit("/auth/sessions/revoke-others")
    assert answer.status == succeeds(signed_in)
    if signed_in.is_browser:
        assert answer.location == "/auth/account"
        assert "3 other sessions have ended." in signed_in.get("/auth/account").text
    else:
        assert (answer.data["message"], answer.data["revokedCount"]) == ("3 other sessions have ended.", 3)
    assert [works(client) for client in (signed_in, bob, *others)] == [True, True, False, False, False]
    assert count(AccessToken) == 1
    assert works(Program(bob.client.application, token))


def test_the_account_page(people, ada):
    browser = people.browser(EMAIL)
    page = browser.get("/auth/account")
    assert page.status == 200
    assert page.response.headers["Cache-Control"] == "no-store"
    assert "Cookie" in page.response.vary
    assert page.text.count("This browser") == 1
    assert EMAIL in page.text
    assert cookie(browser) not in page.text


def test_get_account(ada):
    answer = ada.get("/auth/account")
    assert answer.data == {"user": ada.get("/auth/session").data["user"]}
    assert answer.response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["two-factor", "two-factor/enable"])
def test_what_comes_later_is_absent(ada, people, path):
    assert ada.post(f"/auth/{path}", json={}).code == "NOT_FOUND"
    assert people.browser(EMAIL).get(f"/auth/{path}").status == 404
