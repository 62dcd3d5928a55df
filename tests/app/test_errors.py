"""Whatever goes wrong: the envelope under /api, a page elsewhere, and never more than the outside may know."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from jinja2 import DictLoader

from app.database import db
from tests.app.conftest import SAMPLE
from tests.clients import Browser, Program
from tests.plugins import sample as plugin

ERRORS = [
    ("bad", 400, "BAD_REQUEST"),
    ("401", 401, "UNAUTHORIZED"),
    ("403", 403, "FORBIDDEN"),
    ("404", 404, "NOT_FOUND"),
    ("406", 406, "BAD_REQUEST"),
    ("gone", 410, "INVITE_EXPIRED"),
    ("413", 413, "PAYLOAD_TOO_LARGE"),
    ("415", 415, "UNSUPPORTED_MEDIA_TYPE"),
    ("limited", 429, "RATE_LIMIT_EXCEEDED"),
    ("crash", 500, "INTERNAL_ERROR"),
    ("busy", 503, "SERVICE_UNAVAILABLE"),
]


@pytest.mark.parametrize("kind, status, code", ERRORS)
def test_every_error_is_the_envelope_under_api(api, kind, status, code):
    answer = api.get(f"/sample/fails/{kind}")
    body = answer.response.get_json()
    assert (answer.status, answer.code) == (status, code)
    assert set(body) == {"success", "error", "meta"}
    assert body["meta"]["requestId"] == answer.response.headers["X-Request-ID"]
    assert body["error"]["message"]


@pytest.mark.parametrize("kind, status, code", ERRORS)
def test_every_error_is_a_page_elsewhere(page, kind, status, code):
    answer = page.get(f"/sample/fails/{kind}")
    assert answer.status == status
    assert answer.response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.text.strip().startswith("<!DOCTYPE html>")
    assert answer.response.headers["X-Request-ID"] in answer.text


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/api/sample/nothing", "/api/sample/things/"])
def test_an_unknown_path_under_api_is_json(api, path):
    answer = api.get(path)
    assert (answer.status, answer.code) == (404, "NOT_FOUND")


@pytest.mark.parametrize("path", ["/nothing", "/apis", "/sample/things/", "/static/nothing.css", "/sample/%00"])
def test_an_unknown_path_elsewhere_is_a_page(page, path):
    answer = page.get(path)
    assert answer.status == 404
    assert "Page not found" in answer.text


def test_a_wrong_method_tells_the_right_ones(page, api):
    assert page.client.put("/sample/things").headers["Allow"] == "GET, HEAD, POST, OPTIONS"
    assert api._call("PATCH", "/sample/things").response.headers["Allow"] == "GET, HEAD, POST, OPTIONS"


@pytest.mark.parametrize("kind, seconds", [("limited", "7"), ("busy", "5")])
def test_when_to_come_back(page, api, kind, seconds):
    for client in (page, api):
        assert client.get(f"/sample/fails/{kind}").response.headers["Retry-After"] == seconds


def test_an_accident_tells_nothing(page, api):
    for client in (page, api):
        text = client.get("/sample/fails/crash").text
        assert "Something went wrong on our side." in text
        assert "divided" not in text
        assert "Traceback" not in text


def test_in_development_it_tells_what_happened(make_app):
    app = make_app(BLUEPRINTS=SAMPLE, ENVIRONMENT="development")
    details = Program(app).get("/sample/fails/crash").response.get_json()["error"]["details"]
    assert details == {"error": "ZeroDivisionError: ada@example.com divided by zero"}
    assert "divided by zero" in Browser(app).get("/sample/fails/crash").text
    assert "details" not in Program(app).get("/sample/fails/busy").response.get_json()["error"]


@pytest.mark.parametrize(
    "kind, told, traced",
    [
        ("crash", ["ZeroDivisionError"], ["ZeroDivisionError"]),
        ("busy", ["ServiceUnavailable"], []),  # it was meant: counted, and no traceback
        ("404", [], []),
    ],
)
def test_who_records_errors_is_told_once_and_json_does_not_hide_them(page, api, lines, kind, told, traced):
    for client in (page, api):
        plugin.failures.clear()
        lines()
        answer = client.get(f"/sample/fails/{kind}")
        assert [type(error).__name__ for error in plugin.failures] == told
        logged = [line for line in lines() if line["event"] == "request_failed"]
        assert [line["error_type"] for line in logged] == traced
        assert [line["request_id"] for line in logged] == [answer.response.headers["X-Request-ID"]] * len(traced)


def test_a_broken_recorder_does_not_break_the_answer(sample, api, lines, monkeypatch):
    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setitem(sample.extensions["hooks"], "request_failed", [broken])
    assert api.get("/sample/fails/crash").status == 500
    assert "error_not_recorded" in [line["event"] for line in lines()]


@pytest.fixture
def fragile(production: Callable[..., Flask]) -> Iterator[Flask]:
    """An application that a test may break."""
    app = production(BLUEPRINTS=SAMPLE, BASE_URL="http://localhost:8000")
    yield app
    with app.app_context():
        db.engine.dispose()


def is_an_error_page(answer, status: int) -> bool:
    return (
        answer.status == status
        and answer.response.headers["Content-Type"] == "text/html; charset=utf-8"
        and answer.text.strip().lower().startswith("<!doctype html>")
        and "Content-Security-Policy" in answer.response.headers
    )


def test_the_page_stands_without_a_database(production):
    app = production(BLUEPRINTS=SAMPLE, BASE_URL="http://localhost:8000", DATABASE_URL="sqlite:////nowhere/at/all.db")
    browser, program = Browser(app), Program(app)
    for client in (browser, program):
        client.client.set_cookie("__Host-session", "some session")
    for path, status in (("/sample/mine", 503), ("/nothing", 404)):
        answer = browser.get(path)
        assert is_an_error_page(answer, status)
        assert 'class="error-page"' in answer.text, "the designed one"
    assert program.get("/sample/mine").code == "SERVICE_UNAVAILABLE"


def test_the_page_stands_without_templates(fragile):
    fragile.jinja_loader = DictLoader({})
    answer = Browser(fragile).get("/sample/things")
    assert is_an_error_page(answer, 500)
    assert answer.response.headers["X-Request-ID"] in answer.text
    assert is_an_error_page(Browser(fragile).get("/<script>"), 404)


class BrokenSession(SecureCookieSessionInterface):
    def open_session(self, app, request):
        raise RuntimeError("broken session")


def test_the_page_stands_without_a_session(fragile, lines):
    fragile.session_interface = BrokenSession()
    assert is_an_error_page(Browser(fragile).get("/sample/things"), 500)
    logged = [line for line in lines() if line["event"] == "request_failed"]
    assert [line["error_type"] for line in logged] == ["RuntimeError"], "what really happened, not Flask's wrapper"


def test_a_forged_session_cookie_is_no_session(sample):
    browser = Browser(sample)
    browser.client.set_cookie("pre", "forged.nonsense")
    assert browser.submit("/sample/enter", name="ada", password="open sesame").status == 303
