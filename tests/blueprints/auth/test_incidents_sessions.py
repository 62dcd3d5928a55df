"""What went wrong elsewhere with sessions and credentials: each test is one incident."""

import random

import pytest
from flask import Flask

from app.openapi import document
from blueprints.auth.models import User, UserSession
from tests.blueprints.auth.support import (
    NEW_PASSWORD,
    change,
    cookie,
    cookies,
    dump,
    let_limits_pass,
    let_pass,
    only,
    with_cookie,
)
from tests.clients import Browser, Program
from tests.people import PASSWORD, token_in

EMAIL, BOB = "ada@example.com", "bob@example.com"
NOBODY = "00000000-0000-4000-8000-000000000000"


def operations(app: Flask):
    """Method, path and description of everything that accounts offer a program."""
    with app.app_context():
        paths = document(app)["paths"]
    for path, verbs in paths.items():
        if path.startswith("/api/auth/"):
            for verb, described in verbs.items():
                yield verb.upper(), path.replace("{session_id}", NOBODY).replace("{token_id}", NOBODY), described


def test_no_list_holds_what_signs_in(app, people, ada):
    """Better Auth #6749 and #6940: the list of sessions held the tokens, for whoever read it to use."""
    people.program(EMAIL)
    created = ada.submit("/auth/tokens", name="Export").data
    texts = {str(value) for name in ("sessions", "tokens") for row in rows(ada, name) for value in row.values()}
    assert len(texts) > 8
    for text in texts:
        assert with_cookie(Program(app), text).get("/auth/session").status == 401
        assert Program(app, text).get("/auth/session").status == 401
        assert Program(app, f"pat_{text}").get("/auth/session").status == 401
    for secret in (cookie(ada), cookie(ada, "device"), created["value"], created["value"].removeprefix("pat_")):
        assert secret not in ada.get("/auth/sessions").text + ada.get("/auth/tokens").text


def rows(client, name):
    return client.get(f"/auth/{name}").data[name]


def test_a_rotated_key_signs_nothing(make_app, environ):
    """Flask GHSA-4grg: the last of SECRET_KEY_FALLBACKS, the key that was to go, signed the new cookies."""
    old, new = environ["SECRET_KEY"], "a newer secret key for the tests, 32+ characters"
    both = make_app(SECRET_KEY=new, SECRET_KEY_FALLBACKS=f"{old},an even older secret key for the tests, 32+")
    browser = Browser(both)
    token = browser.token("/auth/sign-in")
    fresh = cookie(browser, "pre")

    def takes(app, value, form_token):
        other = with_cookie(Browser(app), value, "pre")
        return other.post("/auth/sign-out", data={"csrf_token": form_token}).status == 303

    assert takes(both, fresh, token)
    assert takes(make_app(SECRET_KEY=new), fresh, token)
    assert not takes(make_app(SECRET_KEY=old), fresh, token)
    assert not takes(make_app(SECRET_KEY="an even older secret key for the tests, 32+"), fresh, token)


def junk_headers():
    """Authorization headers that no library likes, and some by chance, always the same."""
    fixed = ["", " ", "Bearer", "Bearer ", "bearer  ", "Bearer\t", "Basic", "Basic !!!", "Basic Og==", "Basic \xff"]
    fixed += ["Bearer null", "Bearer undefined", "Bearer pat_", "Bearer Bearer", "Bearer a b c", "Bearer,x", "Bearer=x"]
    fixed += ["Digest username=x, =, ,,", 'Digest a="', "Negotiate x", ":", ",", "=", "\xff\xfe", "Bearer \xe9\xa0\x80"]
    fixed += ["Bearer pat_" + "\xff" * 43, "Bearer pat_" + "a" * 8000, "Bearer " + "." * 3000, "Bearer eyJ.eyJ.x"]
    dice = random.Random(1)
    letters = [chr(code) for code in range(256) if code not in (10, 13)]
    words = ("Bearer ", "Basic ", "bearer pat_", "", "Digest ")
    return fixed + [dice.choice(words) + "".join(dice.choices(letters, k=dice.randrange(60))) for _ in range(60)]


def test_junk_in_the_header_is_nobody(app, ada):
    """next-auth GHSA-xmf8: a malformed Authorization header threw, and the answer was a 500."""
    asked = list(operations(app))
    for number, header in enumerate(junk_headers()):
        environ = {"HTTP_AUTHORIZATION": header}
        method, path, described = asked[number % len(asked)]
        strangers = app.test_client().open(path, method=method, environ_overrides=environ)
        with_a_cookie = ada.client.get("/api/auth/session", environ_overrides=environ)
        assert strangers.status_code < 500, (path, header)
        for answer in (with_a_cookie, *([strangers] if "security" in described else [])):
            assert (answer.status_code, answer.get_json()["error"]["code"]) == (401, "UNAUTHORIZED"), header


@pytest.mark.parametrize("name", ["session", "device", "pre", "x"])
@pytest.mark.parametrize(
    "value", ["\xff\xfe", "\xed\xa0\x80", "a\x00b", '"\\377"', "=;=", "a" * 7000, "eyJ9.x.y", "..", "%00", "\x7f"]
)
def test_a_junk_cookie_is_no_cookie(app, ada, name, value):
    """Django CVE-2015-5143 and CVE-2015-5963: a made-up session key was taken for one, and stored."""
    before = dump(app)
    client = app.test_client()
    environ = {"HTTP_COOKIE": f"{name}={value}"}
    assert client.get("/api/auth/session", environ_overrides=environ).status_code == 401
    assert client.get("/auth/account", environ_overrides=environ).status_code == 303
    assert client.get("/auth/sign-in", environ_overrides=environ).status_code == 200
    assert client.post("/api/auth/sign-out", environ_overrides=environ).status_code == 200
    assert dump(app) == before
    body = {"email": EMAIL, "password": PASSWORD}
    answer = client.post("/api/auth/sign-in", json=body, environ_overrides=environ)
    assert answer.status_code == 200
    assert "session" in cookies(Browser(app)._answer(answer))


IDS = ("userId", "user_id", "id", "sub", "account", "ownerId", "sessionId")


def test_the_session_alone_says_who_acts(app, people, ada, outbox):
    """better-auth CVE-2025-61928: a `userId` in the body made a key for the account of somebody else."""
    bob = people.verified(BOB)
    bob_id = bob.get("/auth/session").data["user"]["id"]
    theirs = dict.fromkeys(IDS, bob_id) | {"email": BOB, "user": {"id": bob_id}}
    before = bob.get("/auth/account").text.partition('"meta"')[0], rows(bob, "sessions"), rows(bob, "tokens")
    stranger = Program(app)
    for path, values in {
        "tokens": {"name": "Export"},
        "reauthenticate": {"password": PASSWORD},
        "change-password": {"currentPassword": PASSWORD, "newPassword": NEW_PASSWORD},
        "change-email": {"newEmail": "ada@example.org", "password": PASSWORD},
        "sessions/revoke-others": {},
    }.items():
        assert stranger.post(f"/auth/{path}?userId={bob_id}", json=theirs | values).status == 401
        assert ada.post(f"/auth/{path}?userId={bob_id}", json=theirs | values).status in (200, 201), path
        if path == "change-password":
            change(User, User.email == EMAIL, password_hash=only(User, User.email == BOB).password_hash)
    assert ada._call("PATCH", "/auth/account", json=theirs | {"name": "Ada"}).data["user"]["name"] == "Ada"
    assert (bob.get("/auth/account").text.partition('"meta"')[0], rows(bob, "sessions"), rows(bob, "tokens")) == before
    assert [row["name"] for row in rows(ada, "tokens")] == ["Export"]
    assert ada.get("/auth/session").data["user"]["email"] == EMAIL
    assert len([mail for mail in outbox() if mail.recipient == BOB]) == 1


def test_one_does_not_prove_the_password_of_another(people, ada):
    """flask-security GHSA-97r5 and GHSA-f66q: the proof of one account opened what another one had asked to do."""
    people.verified(BOB, password=NEW_PASSWORD)
    let_pass(UserSession, minutes=11)
    assert ada.submit("/auth/reauthenticate", password=NEW_PASSWORD).status == 401
    assert ada.submit("/auth/tokens", name="Export").code == "REAUTHENTICATION_REQUIRED"
    browser = people.browser(EMAIL)
    let_pass(UserSession, minutes=11)
    people.program(BOB, NEW_PASSWORD)
    assert (
        browser.post("/auth/tokens", data={"name": "Export"}).location == "/auth/reauthenticate?next=%2Fauth%2Ftokens"
    )


def pages(app: Flask):
    """Every page of accounts that can be looked at."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("auth.") and "GET" in (rule.methods or ()):
            yield rule.rule.replace("<uuid:session_id>", NOBODY).replace("<uuid:token_id>", NOBODY)


def is_private(response) -> bool:
    return response.headers.get("Cache-Control") == "no-store" and "cookie" in str(response.headers.get("Vary")).lower()


def test_no_page_is_kept_by_a_cache(app, people, ada):
    """Flask CVE-2023-30861, Django CVE-2014-1418: a cache gave one person's page, or cookie, to the next."""
    for client in (people.browser(EMAIL), Browser(app)):
        for path in pages(app):
            for answer in (client.client.get(f"{path}?token=unknown"), client.client.head(path)):
                assert is_private(answer), (path, answer.status_code)


def test_no_answer_to_a_form_is_kept_by_a_cache(app, people, ada):
    """Flask CVE-2023-30861: the answer that sets a cookie may not be given to somebody else."""
    kept = []
    for path in pages(app):
        for browser in (people.browser(EMAIL), Browser(app)):
            form = {"csrf_token": browser.token("/auth/forgot-password"), "email": "x@example.com", "token": "unknown"}
            for values in (form | {"password": NEW_PASSWORD, "newPassword": NEW_PASSWORD}, form, {}):
                answer = browser.client.post(path, data=values)
                if answer.status_code != 405 and not is_private(answer):
                    kept.append((path, answer.status_code))
            let_limits_pass(hours=1)
    assert kept == []


def test_no_json_is_kept_by_a_cache(app, people):
    """Flask GHSA-68rp: an answer that depends on a cookie did not say so."""
    ada = people.verified(EMAIL)
    value = ada.submit("/auth/tokens", name="Export").data["value"]
    for client in (ada, Program(app), Program(app, value), Program(app, "junk")):
        for method, path, _ in operations(app):
            if path != "/api/auth/sign-out" or client is not ada:
                let_limits_pass(hours=1)
                answer = client._call(method, path, json={} if method != "GET" else None)
                assert is_private(answer.response), (method, path, answer.status)


def test_no_get_gives_out_a_secret(app, people, ada, outbox):
    """flask-security #421 and #422: GET of the sign-in form answered with the user's token."""
    browser = people.browser(EMAIL)
    value = ada.submit("/auth/tokens", name="Export").data["value"]
    ada.submit("/auth/forgot-password", email=EMAIL)
    mailed = token_in(outbox()[-1])
    user = only(User)
    secrets = [cookie(ada), cookie(browser), cookie(browser, "device"), value, value[4:], mailed, user.password_hash]
    secrets += [user.sign_up_id, PASSWORD, app.config["SECRET_KEY"]]
    for client in (ada.client, browser.client, app.test_client()):
        seen = "".join(client.get(path).text for path in pages(app))
        seen += "".join(client.get(path).text for method, path, _ in operations(app) if method == "GET")
        assert [secret for secret in secrets if secret in seen] == []
