"""Access tokens: shown once, for /api alone, from the header alone."""

import re
import uuid
from datetime import datetime, timedelta
from secrets import token_hex

import pytest

from app.database import transaction, utc_now
from blueprints.auth.models import AccessToken, User, UserSession
from blueprints.auth.services import access_tokens
from tests.blueprints.auth.support import (
    TIME,
    UUID,
    at_once,
    change,
    cookie,
    count,
    dump,
    let_pass,
    only,
    refuses,
    row_counts,
    succeeds,
    with_cookie,
)
from tests.clients import Browser, Program
from tests.people import PASSWORD

EMAIL = "ada@example.com"
ROW = ["id", "name", "createdAt", "expiresAt", "lastUsedAt"]


@pytest.fixture
def signed_in(ada, either):
    """Either client, signed in as Ada."""
    either.submit("/auth/sign-in", email=EMAIL, password=PASSWORD)
    return either


@pytest.fixture
def value(ada):
    """An access token of Ada's."""
    return ada.submit("/auth/tokens", name="Export").data["value"]


def test_create_token(app, signed_in):
    answer = signed_in.submit("/auth/tokens", name=" Nightly export ")
    assert answer.response.headers["Cache-Control"] == "no-store"
    value = re.search(r"pat_[A-Za-z0-9_-]{43}", answer.text).group()
    if signed_in.is_browser:
        assert answer.status == 200
        assert value not in signed_in.get("/auth/account").text
        assert "Nightly export" in signed_in.get("/auth/account").text
        with signed_in.client.session_transaction() as pre:
            assert value not in str(dict(pre))
    else:
        assert (answer.status, answer.location) == (201, "/api/auth/tokens")
        assert list(answer.data) == ["token", "value"]
        row = answer.data["token"]
        assert list(row) == ROW
        assert UUID.fullmatch(row["id"])
        assert TIME.fullmatch(row["createdAt"])
        assert (row["name"], row["lastUsedAt"]) == ("Nightly export", None)
        made, expires = (datetime.fromisoformat(row[name]) for name in ("createdAt", "expiresAt"))
        assert expires - made == timedelta(days=90)
        assert answer.data["value"] == value
        assert signed_in.get("/auth/tokens").data == {"tokens": [row]}
    assert value not in dump(app)
    data = Program(app, value).get("/auth/session").data
    assert (data["user"]["email"], data["session"]) == (EMAIL, None)  # its owner, without a session


@pytest.mark.parametrize("given, lasts", [(1, 1), (365, 365)])
def test_how_long_it_lasts(signed_in, given, lasts):
    signed_in.submit("/auth/tokens", name="Export", expiresInDays=given)
    row = only(AccessToken)
    assert row.expires_at - row.created_at == timedelta(days=lasts)


@pytest.mark.parametrize(
    "values, field",
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"expiresInDays": "0"}, "expiresInDays"),
        ({"expiresInDays": -1}, "expiresInDays"),
        ({"expiresInDays": 366}, "expiresInDays"),
        ({"expiresInDays": "many"}, "expiresInDays"),
        ({"expiresInDays": 10**30}, "expiresInDays"),
    ],
)
def test_what_is_refused(signed_in, values, field):
    answer = signed_in.submit("/auth/tokens", **{"name": "Export", **values})
    assert answer.status == refuses(signed_in)
    assert list(answer.fields) == [field] or f'id="create_token-{field}-error"' in answer.text
    assert count(AccessToken) == 0


@pytest.mark.parametrize("given", ["90", True, 1.5, None, 0])
def test_days_are_a_whole_number(ada, given):
    answer = ada.post("/auth/tokens", json={"name": "Export", "expiresInDays": given})
    assert (answer.status, list(answer.fields)) == (400, ["expiresInDays"])


def test_a_form_without_days_takes_the_default(people, ada):
    assert people.browser(EMAIL).submit("/auth/tokens", name="Export", expiresInDays="").status == 200
    assert (only(AccessToken).expires_at - utc_now()).days == 89


def test_delete_token(app, signed_in, value):
    token_id = only(AccessToken).id
    answer = signed_in.submit(f"/auth/tokens/{token_id}", verb="DELETE")
    assert answer.status == succeeds(signed_in)
    if signed_in.is_browser:
        assert answer.location == "/auth/account"
        assert "The token is revoked." in signed_in.get("/auth/account").text
    else:
        assert answer.data == {"message": "The token is revoked."}
    assert Program(app, value).get("/auth/session").code == "UNAUTHORIZED"
    assert signed_in.submit(f"/auth/tokens/{token_id}", verb="DELETE", _page="/auth/account").status == 404


def test_a_token_of_somebody_else_is_not_there(app, people, signed_in):
    bob = people.verified("bob@example.com")
    theirs = bob.submit("/auth/tokens", name="Export").data
    path = f"/auth/tokens/{theirs['token']['id']}"
    assert signed_in.submit(path, verb="DELETE", _page="/auth/account").status == 404
    assert Program(app, theirs["value"]).get("/auth/session").status == 200
    if not signed_in.is_browser:
        assert signed_in.get("/auth/tokens").data == {"tokens": []}


def test_last_used_is_written_at_first_use_and_once_a_minute(app, ada, value):
    program = Program(app, value)
    program.get("/auth/session")
    first = ada.get("/auth/tokens").data["tokens"][0]["lastUsedAt"]
    assert TIME.fullmatch(first)
    program.get("/auth/session")
    assert ada.get("/auth/tokens").data["tokens"][0]["lastUsedAt"] == first
    let_pass(AccessToken, minutes=1)
    program.get("/auth/session")
    assert ada.get("/auth/tokens").data["tokens"][0]["lastUsedAt"] >= first


def test_an_expired_token_is_refused_and_listed_for_thirty_days(app, ada, value):
    let_pass(AccessToken, days=90)
    assert Program(app, value).get("/auth/session").code == "UNAUTHORIZED"
    assert len(ada.get("/auth/tokens").data["tokens"]) == 1
    let_pass(AccessToken, days=29, hours=23)
    assert len(ada.get("/auth/tokens").data["tokens"]) == 1
    let_pass(AccessToken, hours=1)
    assert ada.get("/auth/tokens").data["tokens"] == []


def test_the_list_is_whole_and_the_newest_comes_first(people, ada):
    add(49, expires_at=utc_now() + timedelta(days=90))
    add(70, expires_at=utc_now() - timedelta(days=1))
    newest = ada.submit("/auth/tokens", name="The last").data["token"]
    rows = ada.get("/auth/tokens").data["tokens"]
    assert (len(rows), rows[0]) == (120, newest)
    assert sorted((row["createdAt"] for row in rows), reverse=True) == [row["createdAt"] for row in rows]
    page = people.browser(EMAIL).get("/auth/account").text
    assert len(set(re.findall("/auth/tokens/[0-9a-f-]{36}/delete", page))) == 120


def add(number, **values):
    """Write tokens of Ada's, each made a minute before the last."""
    user_id, now = only(User, User.email == EMAIL).id, utc_now()
    with transaction() as session:
        for minutes in range(1, number + 1):
            row = AccessToken(user_id=user_id, name="Nightly", token_hash=token_hex(32), **values)
            row.created_at = now - timedelta(days=120, minutes=minutes)
            session.add(row)


class TestAtMostFifty:
    def test_the_fifty_first_is_refused(self, signed_in):
        add(49, expires_at=utc_now() + timedelta(minutes=1))
        assert signed_in.submit("/auth/tokens", name="The fiftieth").status == (200 if signed_in.is_browser else 201)
        answer = signed_in.submit("/auth/tokens", name="One more")
        assert answer.status == 409
        message = "You have 50 access tokens. Revoke one that is no longer needed, and try again."
        assert message in answer.text
        assert "pat_" not in answer.text
        if signed_in.is_browser:
            assert 'value="One more"' in answer.text  # the account page again, with what was typed
        else:
            assert answer.response.get_json()["error"] == {"code": "CONFLICT", "message": message}
        assert count(AccessToken) == 50

    def test_expired_and_revoked_ones_and_those_of_others_do_not_count(self, people, ada):
        add(50, expires_at=utc_now() + timedelta(days=1))
        assert people.verified("bob@example.com").submit("/auth/tokens", name="Export").status == 201
        assert ada.submit("/auth/tokens", name="One more").status == 409
        gone, over = (row["id"] for row in ada.get("/auth/tokens").data["tokens"][:2])
        assert ada.submit(f"/auth/tokens/{gone}", verb="DELETE").status == 200
        change(AccessToken, AccessToken.id == uuid.UUID(over), expires_at=utc_now())
        assert [ada.submit("/auth/tokens", name="One more").status for _ in range(3)] == [201, 201, 409]

    def test_ten_at_the_same_moment(self, app, ada):
        add(47, expires_at=utc_now() + timedelta(days=1))
        programs = [with_cookie(Program(app), cookie(ada)) for _ in range(10)]
        answers = at_once(10, lambda number: programs[number].submit("/auth/tokens", name="Export"))
        assert sorted(answer.status for answer in answers) == [201] * 3 + [409] * 7
        assert count(AccessToken) == 50


def test_a_session_that_was_shut_out_meanwhile_makes_none(app, ada, monkeypatch):
    """The password is reset between the check of the session and the token."""
    real = access_tokens.token_urlsafe

    def token_urlsafe(size):
        at_once(1, lambda number: end_elsewhere(app))
        return real(size)

    monkeypatch.setattr(access_tokens, "token_urlsafe", token_urlsafe)
    answer = ada.submit("/auth/tokens", name="Export")
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
    assert count(AccessToken) == 0


def end_elsewhere(app):
    with app.app_context():
        change(UserSession, ended_at=utc_now(), ended_by="password reset")


@pytest.mark.parametrize("path", ["/auth/account", "/auth/change-password"])
def test_a_token_opens_no_page(app, value, path):
    answer = Browser(app).get(path, headers={"Authorization": f"Bearer {value}"})
    assert answer.location.startswith("/auth/sign-in")


def test_pages_ignore_the_header(people, value):
    browser = people.browser(EMAIL)
    assert browser.get("/auth/account", headers={"Authorization": "Bearer junk"}).status == 200


def test_a_token_is_read_from_the_header_alone(app, value):
    program = Program(app)
    for place in ({"query_string": {"access_token": value}}, {"headers": {"X-Api-Key": value}}):
        assert program.get("/auth/session", **place).status == 401
    assert with_cookie(program, value).get("/auth/session").status == 401
    body = {"access_token": value, "Authorization": f"Bearer {value}"}
    assert program.submit("/auth/account", verb="PATCH", **body).status == 401
    assert program.get("/auth/session", headers={"Authorization": f"bearer  {value}"}).status == 200


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer junk", "Bearer pat_", "Basic YTpi", "pat_x", "Bearer pat_ä", "\x7f"]
)
def test_junk_is_nobody(program, header):
    answer = program.get("/auth/session", headers={"Authorization": header})
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")


def test_with_cookie_and_token_the_token_decides(app, people, ada, value):
    bob = people.verified("bob@example.com")
    headers = {"Authorization": f"Bearer {value}"}
    assert bob.get("/auth/session", headers=headers).data["user"]["email"] == EMAIL
    for header in ("Bearer junk", "Basic YTpi"):
        assert bob.get("/auth/session", headers={"Authorization": header}).status == 401


def test_a_session_cookie_is_no_token(app, ada):
    assert Program(app, cookie(ada)).get("/auth/session").status == 401


@pytest.mark.parametrize(
    "method, path, body",
    [
        ("POST", "change-password", {"currentPassword": PASSWORD, "newPassword": PASSWORD}),
        ("POST", "reauthenticate", {"password": PASSWORD}),
        ("POST", "change-email", {"newEmail": "eve@example.com", "password": PASSWORD}),
        ("DELETE", "account", {"password": PASSWORD}),
        ("GET", "sessions", None),
        ("POST", "sessions/revoke-others", None),
        ("DELETE", "sessions/{session}", None),
        ("GET", "tokens", None),
        ("POST", "tokens", {"name": "Another"}),
        ("DELETE", "tokens/{token}", None),
    ],
)
def test_what_needs_a_session(app, value, method, path, body):
    path = path.format(session=only(UserSession).id, token=only(AccessToken).id)
    before, hashed = row_counts(app), only(User).password_hash
    answer = Program(app, value)._call(method, f"/auth/{path}", json=body)
    assert (answer.status, answer.code) == (403, "FORBIDDEN")
    assert row_counts(app) == before
    assert only(User).password_hash == hashed


def test_a_token_is_exempt_from_the_origin_alone(app, ada, value):
    headers = {"Origin": "https://evil.test"}
    assert Program(app, value).post("/auth/sign-out", headers=headers).status == 200
    assert Program(app, value).post("/auth/sign-out", headers=headers, data={"a": "b"}).status == 415
    assert ada.get("/auth/session").status == 200
