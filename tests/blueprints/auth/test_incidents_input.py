"""What went wrong elsewhere with what came in: each test is one incident, tried on every route of accounts."""

import json
import re
from urllib.parse import quote, urlencode

import bcrypt
import pytest
from flask import Flask

from app.openapi import document
from blueprints.auth.models import User
from tests.blueprints.auth.support import NEW_PASSWORD, dump, let_limits_pass, only, row_counts, succeeds
from tests.clients import Browser, Program
from tests.people import PASSWORD

EMAIL = "ada@example.com"
NOBODY = "00000000-0000-4000-8000-000000000000"
GOOD = {
    "email": "x@example.com",
    "newEmail": "y@example.com",
    "password": "not the password",
    "currentPassword": "not the password",
    "newPassword": NEW_PASSWORD,
    "name": "Somebody",
    "username": "somebody",
    "userType": "creator",
    "token": "unknown",
    "rememberMe": True,
    "revokeOtherSessions": True,
    "expiresInDays": 30,
}
PAGES = {"POST": "", "PATCH": "/edit", "PUT": "/edit", "DELETE": "/delete"}


def forms(app: Flask):
    """Method, path and the described fields of every route of accounts that takes input."""
    with app.app_context():
        described = document(app)
    schemas = described["components"]["schemas"]
    for path, verbs in described["paths"].items():
        for verb, operation in verbs.items():
            if path.startswith("/api/auth/") and "requestBody" in operation:
                reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
                yield verb.upper(), path, schemas[reference.rpartition("/")[2]]["properties"]


def types_of(field):
    """The JSON types that a field takes."""
    return {part.get("type", "string") for part in field.get("anyOf", [field])}


def good(fields):
    return {name: GOOD[name] for name in fields}


@pytest.fixture
def untouched(app):
    """Whether everything is as when the test began, but what limits count."""
    before = dump(app, "limit_hits")
    return lambda: dump(app, "limit_hits") == before


def test_a_nul_is_refused_in_every_field(ada, untouched):
    """Flask-AppBuilder CVE-2023-34110: a character that the database refused put the row and its hash on the page."""
    tried = 0
    for verb, path, fields in forms(ada.client.application):
        for name in fields:
            for value in ("\x00", f"{GOOD[name]}\x00", f"a\x00{GOOD[name]}"):
                answer = ada._call(verb, path, json=good(fields) | {name: value})
                assert (answer.status, answer.code, list(answer.fields)) == (400, "VALIDATION_ERROR", [name]), path
                assert not any(word in answer.text for word in ("SELECT", "INSERT", "psycopg", "sqlalchemy"))
                tried += 1
    assert tried > 60
    assert untouched()


def test_a_nul_is_refused_in_every_field_of_a_form(people, ada):
    """Flask-AppBuilder CVE-2023-34110, for the form beside each call."""
    browser = people.browser(EMAIL)
    token = browser.token("/auth/change-password")
    before = row_counts(browser.client.application)
    for verb, path, fields in forms(browser.client.application):
        for name, field in fields.items():
            if "boolean" not in types_of(field):  # a box is ticked or not, whatever it says
                values = {key: str(value) for key, value in good(fields).items()} | {name: f"{GOOD[name]}\x00"}
                page = path.removeprefix("/api") + PAGES[verb]
                assert browser.post(page, data=values | {"csrf_token": token}).status == 422, (page, name)
    assert row_counts(browser.client.application) == before


@pytest.mark.parametrize("value", ["\ud800", "a\udfff", "\udc00\ud800"])
def test_half_a_character_is_refused_in_every_field(ada, untouched, value):
    """flask-security PR 1258: text that cannot be written as UTF-8 broke whatever touched it first."""
    for verb, path, fields in forms(ada.client.application):
        for name in [*fields, "unknown"]:
            answer = ada._call(verb, path, json=good(fields) | {name: value})
            assert (answer.status, answer.code) == (400, "BAD_REQUEST"), (path, name)
    assert untouched()


def test_broken_utf8_never_breaks_a_page(people, ada):
    """flask-security PR 1258, for forms and for what a page reads from its address."""
    browser = people.browser(EMAIL)
    token = browser.token("/auth/change-password")
    for verb, path, fields in forms(browser.client.application):
        page = path.removeprefix("/api") + PAGES[verb]
        for raw in ("%ED%A0%80", "%FF", "%C0%AE", "%"):
            form = urlencode({"csrf_token": token}) + "".join(f"&{name}={raw}" for name in fields)
            kind = "application/x-www-form-urlencoded"
            assert browser.post(page, data=form, content_type=kind).status in (303, 400, 401, 422), page
            assert browser.get(f"{page}?next={raw}&" + "&".join(f"{name}={raw}" for name in fields)).status in (
                200,
                303,
            )
        let_limits_pass(hours=1)


WRONG = [None, True, 0, -1, 1.5, 10**400, "x", [], ["x"], [None], {}, {"a": "b"}, {"$ne": ""}]
JSON_TYPES = {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}


def test_a_wrong_type_is_refused_in_every_field(ada, untouched):
    """flask-security PR 1258: a number where a text was meant was an error of the server."""
    tried = 0
    for verb, path, fields in forms(ada.client.application):
        for name, field in fields.items():
            for value in WRONG:
                if JSON_TYPES.get(type(value), "object") not in types_of(field):
                    answer = ada._call(verb, path, json=good(fields) | {name: value})
                    assert (answer.status, list(answer.fields)) == (400, [name]), (path, name, value)
                    tried += 1
    assert tried > 200
    assert untouched()


@pytest.mark.parametrize(
    "body",
    ["null", "[]", '"x"', "1", "true", "{", "[" * 20_000, '{"a":' * 9_000, '{"email": NaN}', "{}x", "\ufeff{}"],
)
def test_a_body_that_is_no_object_is_refused(ada, untouched, body):
    """flask-security PR 1258, Python's json: `null`, a list, or very many brackets met code that read keys."""
    for verb, path, fields in forms(ada.client.application):
        answer = ada._call(verb, path, data=body.encode(), content_type="application/json")
        assert (answer.status, answer.code) == (400, "BAD_REQUEST"), (path, fields)
    assert untouched()


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json"]
)
def test_json_under_another_name_does_nothing(ada, untouched, kind):
    """FastAPI CVE-2021-32677: JSON sent as text/plain, which needs no preflight, was read, with the cookie."""
    for verb, path, fields in forms(ada.client.application):
        body = json.dumps(good(fields) | {"password": PASSWORD, "currentPassword": PASSWORD})
        answer = ada._call(verb, path, data=body, content_type=kind)
        assert (answer.status, answer.code) == (415, "UNSUPPORTED_MEDIA_TYPE"), path
    assert untouched()


def test_the_address_never_fills_in_for_the_body(app, ada):
    """OWASP, HTTP parameter pollution: what the body left out was taken from the query string."""
    for verb, path, fields in forms(app):
        query = urlencode(good(fields) | {"password": PASSWORD, "currentPassword": PASSWORD})
        answer = ada._call(verb, f"{path}?{query}", json={})
        assert answer.status == (200 if verb == "PATCH" else 400), path
    assert only(User).name is None


@pytest.mark.parametrize("size", [1_000_000, 30_000, 1025])
def test_a_huge_password_is_never_hashed(people, ada, either, monkeypatch, size):
    """Django CVE-2013-1443: hashing a password of a megabyte kept a process busy for a minute."""
    browser = people.browser(EMAIL)
    hashed = []
    monkeypatch.setattr(bcrypt, "checkpw", lambda *args: hashed.append(args) or False)
    monkeypatch.setattr(bcrypt, "hashpw", lambda *args: hashed.append(args) or b"")
    signed_in = browser if either.is_browser else ada
    form = {"csrf_token": signed_in.token("/auth/change-password")} if either.is_browser else {}
    for verb, path, fields in forms(ada.client.application):
        secrets = [name for name in fields if "assword" in name]
        values = good(fields) | dict.fromkeys(secrets, "x" * size)
        if not secrets:
            continue
        if either.is_browser:
            page = path.removeprefix("/api") + PAGES[verb]
            answer = browser.post(page, data={key: str(value) for key, value in values.items()} | form)
            assert answer.status in (413, 422), page
        else:
            assert ada._call(verb, path, json=values).status in (400, 413), path
    assert hashed == []


@pytest.mark.parametrize("length", [71, 72, 73, 128, 1000])
def test_a_long_password_costs_the_same_for_everyone(ada, program, monkeypatch, length):
    """Spring CVE-2025-22234: beyond 72 bytes a known name was refused at once, an unknown one after hashing."""
    hashed, real = [], bcrypt.checkpw
    monkeypatch.setattr(bcrypt, "checkpw", lambda given, stored: (hashed.append(stored[:7]), real(given, stored))[1])
    for email in (EMAIL, "nobody@example.com"):
        assert program.submit("/auth/sign-in", email=email, password="\U0001f511" * length).status == 401
    assert hashed == [b"$2b$04$"] * 2


def test_bcrypt_sees_text_and_all_of_it(program, monkeypatch):
    """OWASP, Password Storage: a raw digest was cut at its first NUL, and one in 256 accounts had an empty password."""
    seen, real = [], bcrypt.hashpw
    monkeypatch.setattr(bcrypt, "hashpw", lambda given, salt: (seen.append(given), real(given, salt))[1])
    for number in range(3):
        program.submit("/auth/sign-up", email=f"x{number}@example.com", password="x" * (8 + 60 * number))
    assert len(set(seen)) == 3
    assert all(re.fullmatch(rb"[A-Za-z0-9+/]{64}", given) for given in seen)


NEXT = [
    "//evil.test", "///evil.test", "////evil.test", "/\\evil.test", "\\\\evil.test", "\\/evil.test", "/\\/evil.test",
    "/\t/evil.test", "/\n/evil.test", "/\r/evil.test", "/\x00/evil.test", "\t//evil.test", " //evil.test",
    "https://evil.test", "HTTPS:evil.test", "https:///evil.test", "http:/evil.test", "https:\\\\evil.test",
    "http:@evil.test", "/ /evil.test",
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\nscript:alert(1)", "data:text/html,x", "vbscript:x", "blob:x",
    "evil.test", "evil.test/auth", ".evil.test", "@evil.test", ":80", "?x", "#x", "", "\u3000//evil.test", "/a b",
    "http://localhost:8000@evil.test", "http://localhost:8000.evil.test", "http://localhost:8000/auth", "/a\x7fb",
]  # fmt: skip
WAYS = {
    "/auth/sign-in": {"email": EMAIL, "password": PASSWORD},
    "/auth/reauthenticate": {"password": PASSWORD},
    "/auth/sign-out": {},
}


@pytest.mark.parametrize("path", WAYS)
def test_next_never_leads_away(app, people, ada, path):
    """flask-security CVE-2021-32618, CVE-2023-49438, GHSA-w2j7: each new parser's trick led to another site."""
    homes = {"/auth/sign-in": "/", "/auth/reauthenticate": "/auth/account", "/auth/sign-out": "/auth/sign-in"}
    for target in NEXT:
        let_limits_pass(hours=1)
        browser = Browser(app) if path == "/auth/sign-in" else people.browser(EMAIL)
        form = WAYS[path] | {"csrf_token": browser.token("/auth/forgot-password"), "next": target}
        answer = browser.post(f"{path}?next={quote(target)}", data=form)
        assert (answer.status, answer.location) == (303, homes[path]), target
    assert browser.get(f"/auth/sign-in?next={quote('//evil.test')}").location in ("/", "")


def test_nobody_chooses_what_a_page_executes(app, people, ada):
    """WP Cerber CVE-2022-4712: a name, or a browser that called itself a script, ran in whoever looked at the list."""
    script = "<script>alert(1)</script>"
    agent = {"User-Agent": f"Mozilla {script}\"'>", "X-Forwarded-For": script}
    second = Program(app)
    second.post("/auth/sign-in", json={"email": EMAIL, "password": PASSWORD}, headers=agent)
    third = Program(app)
    third.post("/auth/sign-in", json={"email": EMAIL, "password": PASSWORD}, headers=agent)
    third.post("/auth/sign-out", headers=agent)
    ada._call("PATCH", "/auth/account", json={"name": script})
    ada.submit("/auth/tokens", name=script)
    browser = people.browser(EMAIL)
    for path in ("/auth/account", f"/auth/sign-in?email={quote(script)}&next={quote(script)}", "/auth/account/edit"):
        assert script not in browser.get(path).text
        assert script not in Browser(app).get(path).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in browser.get("/auth/account").text


@pytest.mark.parametrize("path", ["/auth/sign-in", "/auth/account", "/", "/console", "/auth/sign-in/console"])
def test_no_debugger_is_there(app, path):
    """Werkzeug GHSA-2g68: the debugger of a deployed application ran code for whoever asked it to."""
    client = app.test_client()
    query = "__debugger__=yes&cmd=resource&f=debugger.js&s=x&frm=0"
    plain, asked = client.get(path), client.get(f"{path}?{query}")
    assert (asked.status_code, asked.headers.get("Location")) == (plain.status_code, plain.headers.get("Location"))
    assert "debugger" not in asked.text.lower()


@pytest.mark.parametrize("path", ["sessions", "tokens"])
def test_a_malformed_id_is_an_absent_one(ada, untouched, path):
    """Flask-AppBuilder CVE-2023-34110: an id that was none reached the database, and its error the page."""
    wanted = ada._call("DELETE", f"/auth/{path}/{NOBODY}")
    assert (wanted.status, wanted.code) == (404, "NOT_FOUND")
    for text in (
        "x",
        "0",
        "-1",
        "%00",
        "%ED%A0%80",
        "%FF",
        "' OR 1=1--",
        "1" * 3000,
        NOBODY[:-1],
        f"{NOBODY}%00",
        "%2e%2e",
    ):
        answer = ada._call("DELETE", f"/auth/{path}/{text}")
        assert (answer.status, answer.code) == (404, "NOT_FOUND"), text
    assert untouched()
    assert succeeds(ada) == 200
