"""Sentry in a real process: one event for one error, and nothing in it that must stay in the house."""

import json
import signal

import pytest

from tests.operations.processes import Session, eventually, serving
from tests.services.sentry import Ingest, sentry

PROBE = "health,auth,tests.operations.probe"
PASSWORD = "correct-horse-battery"
ADDRESS = "ada.lovelace@example.com"
BEARER = "pat_q1w2e3r4t5z6u7i8o9p0"
MAILED = "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4"
COOKIE = "c00kie0f5ecret5c00kie0f5ecret5"
PLANTED = (PASSWORD, ADDRESS, BEARER, MAILED, COOKIE)
SENTENCE = (
    f"{ADDRESS} could not use /auth/reset-password?token={MAILED} nor /team/invite/{MAILED} "
    f"with {PASSWORD!r}, Authorization: Bearer {BEARER}, Cookie: session={COOKIE}"
)


@pytest.fixture
def environ(migrated, tmp_path):
    return migrated | {"BLUEPRINTS": PROBE, "PROBE_FOLDER": str(tmp_path), "RELEASE": "v42"}


def break_something(port: int, *, as_json: bool) -> str:
    """Send everything secret to a view that breaks with it; returns the request id."""
    session = Session(port)
    given = {"email": ADDRESS, "password": PASSWORD, "sentence": SENTENCE}
    headers = {"X-Api-Key": MAILED, "User-Agent": "tests", "Referer": f"http://localhost/?token={MAILED}"}
    if as_json:
        headers["Authorization"] = f"Bearer {BEARER}"
        session.cookies["session"] = COOKIE
        reply = session.call("POST", f"/api/probe/fail?token={MAILED}", data=given, headers=headers)
    else:
        page = session.call("GET", "/probe/fail")
        token = page.text.partition('name="csrf_token"')[2].partition('value="')[2].partition('"')[0]
        session.cookies["session"] = COOKIE
        form = given | {"csrf_token": token}
        reply = session.call("POST", f"/probe/fail?token={MAILED}", form=form, headers=headers)
    assert reply.status == 500, reply.text
    return reply.headers["X-Request-ID"]


@pytest.mark.parametrize("as_json", [False, True], ids=["browser", "program"])
def test_an_error_arrives_once_and_without_secrets(environ, tmp_path, as_json):
    with sentry() as ingest, serving(environ | {"SENTRY_DSN": ingest.dsn}, tmp_path) as web:
        request_id = break_something(web.port, as_json=as_json)
        (event,) = events_after_the_end(ingest, web)
    assert event["release"] == "v42"
    assert event["environment"] == "testing"
    assert event["tags"]["request_id"] == request_id
    (exception,) = event["exception"]["values"]
    assert exception["type"] == "RuntimeError"
    assert exception["stacktrace"]["frames"][-1]["function"] == "fail"
    assert event["transaction"]
    everything = json.dumps(ingest.envelopes)
    assert [secret for secret in PLANTED if secret in everything] == []


def events_after_the_end(ingest: Ingest, web) -> list:
    """What had arrived once the process had ended, which flushes."""
    web.tell_all(signal.SIGTERM)
    assert web.end() == 0
    return ingest.items("event")


def test_an_explained_refusal_is_no_event(environ, tmp_path):
    with sentry() as ingest, serving(environ | {"SENTRY_DSN": ingest.dsn}, tmp_path) as web:
        assert web.call("GET", "/nothing/here").status == 404
        assert web.call("POST", "/api/auth/sign-in", data={}).status == 400
        assert events_after_the_end(ingest, web) == []


def test_a_dead_sentry_costs_nothing(environ, tmp_path):
    with serving(environ | {"SENTRY_DSN": "http://key@127.0.0.1:9/1"}, tmp_path) as web:
        for _ in range(20):
            break_something(web.port, as_json=True)
        assert web.call("GET", "/health").json["status"] == "healthy"
        assert events_of_the_log(web) == 20
        web.tell_all(signal.SIGTERM)
        assert web.end() == 0


def events_of_the_log(web) -> int:
    return eventually(lambda: web.stdout.count('"event": "request_failed"'))


def test_without_a_dsn_the_sdk_is_not_loaded(environ, tmp_path):
    from tests.operations.processes import run

    done = run(
        "python -c 'import sys, wsgi; print(\"sentry_sdk\" in sys.modules)'", environ | {"BASE_URL": "http://localhost"}
    )
    assert done.stdout.strip() == "False", done.stderr
