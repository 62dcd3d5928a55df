"""Access tokens: shown once, for /api alone, from the header alone."""

import re
from datetime import datetime

import pytest

from blueprints.auth.models import AccessToken, User, UserSession
from tests.blueprints.auth.support import (
    TIME,
    UUID,
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


def days(row):
    made, expires = (datetime.fromisoformat(row[name]) for name in ("createdAt", "expiresAt"))
    return round((expires - made).total_seconds() / 86400, 3)


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
        assert (row["name"], row["lastUsedAt"], days(row)) == ("Nightly export", None, 90)
        assert answer.data["value"] == value
        assert signed_in.get("/auth/tokens").data == {"tokens": [row]}
    assert value not in dump(app)
    assert Program(app, value).get("/auth/session").status == 200


@pytest.mark.parametrize("given, lasts", [(1, 1), (365, 365)])
def test_how_long_it_lasts(signed_in, given, lasts):
    signed_in.submit("/auth/tokens", name="Export", expiresInDays=given)
    row = only(AccessToken)
    assert round((row.expires_at - row.created_at).total_seconds() / 86400, 3) == lasts


@pytest.mark.parametrize(
    "values, field",
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"name": "x" * 101}, "name"),
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


@pytest.mark.parametrize("given", ["90", True, 1.5, None])
def test_days_are_a_whole_number(ada, given):
    answer = ada.post("/auth/tokens", json={"name": "Export", "expiresInDays": given})
    assert (answer.status, list(answer.fields)) == (400, ["expiresInDays"])


def test_a_form_without_days_takes_the_default(people, ada):
    browser = people.browser(EMAIL)
    assert browser.submit("/auth/tokens", name="Export", expiresInDays="").status == 200


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


def test_a_token_stands_for_its_owner_without_a_session(app, value):
    data = Program(app, value).get("/auth/session").data
    assert (data["user"]["email"], data["session"]) == (EMAIL, None)


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


def test_an_expired_token_is_refused_and_listed(app, ada, value):
    let_pass(AccessToken, days=90)
    assert Program(app, value).get("/auth/session").code == "UNAUTHORIZED"
    assert len(ada.get("/auth/tokens").data["tokens"]) == 1


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
    answer = Program(app, value).post("/auth/sign-out", headers=headers, data={"a": "b"})
    assert (answer.status, answer.code) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert ada.get("/auth/session").status == 200
