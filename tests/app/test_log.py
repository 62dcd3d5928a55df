"""Log lines: one JSON object each, with the route's template and never what was asked for."""

import json
import logging
import re
import sys
import warnings

import pytest

from app import log
from tests.clients import Browser, Program

FIELDS = {"ts", "level", "event", "request_id", "method", "route", "status", "duration_ms", "user_id", "ip"}


@pytest.mark.parametrize(
    "method, path, route, status",
    [
        ("GET", "/sample/things/00000000-0000-4000-8000-00000000aaaa", "/sample/things/<uuid:thing_id>", 404),
        ("GET", "/sample/fails/hunter2", "/sample/fails/<kind>", 500),
        ("GET", "/api/sample/fails/hunter2", "/api/sample/fails/<kind>", 415),
        ("POST", "/api/sample/things", "/api/sample/things", 415),
        ("GET", "/hunter2", "(unmatched)", 404),
        ("GET", "/api/hunter2", "(unmatched)", 404),
        ("PUT", "/sample/enter", "(unmatched)", 405),
        ("HEAD", "/health/live", "/health/live", 200),
        ("OPTIONS", "/sample/enter", "/sample/enter", 200),
    ],
)
def test_a_request_is_one_line(sample, lines, method, path, route, status):
    headers = {"X-Request-ID": "request-id-of-the-test", "Authorization": "Bearer hunter2", "Cookie": "session=hunter2"}
    sample.test_client().open(
        f"{path}?token=hunter2", method=method, headers=headers, data=b"hunter2", content_type="text/hunter2"
    )
    (line,) = [line for line in lines() if line["event"] == "request"]
    assert set(line) == FIELDS
    assert (line["method"], line["route"], line["status"]) == (method, route, status)
    assert (line["request_id"], line["user_id"], line["ip"]) == ("request-id-of-the-test", None, "127.0.0.1")
    assert line["duration_ms"] >= 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["ts"])


@pytest.mark.parametrize("path", ["/sample/fails/hunter2", "/hunter2", "/team/invite/hunter2hunter2hunter2hunter2"])
def test_path_query_body_and_credentials_are_in_no_line(sample, capsys, path):
    headers = {"Authorization": "Bearer hunter2", "Cookie": "session=hunter2", "Referer": "http://x/hunter2"}
    sample.test_client().post(f"{path}?token=hunter2", headers=headers, data={"password": "hunter2"})
    assert "hunter2" not in capsys.readouterr().out


def test_a_strange_method_is_named_as_such(sample, lines):
    sample.test_client().open("/sample/things", method="HUNTER2")
    assert [line["method"] for line in lines()] == ["(other)"]


def test_a_line_says_who_asked(sample, people, lines):
    people.verified("ada@example.com")
    program = Program(sample)
    user = program.submit("/auth/sign-in", email="ada@example.com", password="correct horse battery").data["user"]
    lines()
    program.get("/sample/mine")
    assert [line["user_id"] for line in lines()] == [user["id"]]


def test_a_level_above_info_writes_no_request_lines(make_app, lines):
    make_app(LOG_LEVEL="WARNING").test_client().get("/health/live")
    assert lines() == []
    make_app().test_client().get("/health/live")
    assert len(lines()) == 1


def test_an_event_has_its_fields_redacted(lines):
    log.info("signed_up", email="ada@example.com", password="hunter2", note="call pat_0123456789abcdef", count=3)
    (line,) = lines()
    assert line["event"] == "signed_up"
    assert (line["level"], line["count"]) == ("info", 3)
    assert (line["email"], line["password"], line["note"]) == ("[address]", "[REDACTED]", "call [REDACTED]")


def test_anything_can_be_logged(lines):
    class Strange:
        def __str__(self) -> str:
            return "of ada@example.com"

    log.info(
        "strange", what=Strange(), bytes=b"x", error=ValueError("Bearer abcdefghijk"), deep={1: [Strange(), {"a"}]}
    )
    (line,) = lines()
    assert line["what"] == "of [address]"
    assert line["error"] == "Bearer [REDACTED]"
    assert line["deep"] == {"1": ["of [address]", ["a"]]}


def test_a_traceback_is_redacted_and_bounded(lines):
    secret = "hunter2" * 1000

    def fails(depth: int) -> None:
        if depth:
            fails(depth - 1)
        raise ValueError(f"?token={secret} https://user:{secret}@host/ ada@example.com")

    try:
        fails(50)
    except ValueError:
        log.exception("broken", request_id="abc")
    (line,) = lines()
    assert line["level"] == "error"
    assert line["traceback"].endswith("ValueError: ?token=[REDACTED] https://user:[REDACTED]@host/ [address]\n")
    assert len(line["traceback"]) <= log.MAX_TRACEBACK
    assert "hunter2" not in line["traceback"]
    assert "ada@" not in line["traceback"]


def test_the_standard_library_takes_the_same_form(lines, app):
    try:
        raise ValueError("ada@example.com")
    except ValueError:
        logging.getLogger("some.library").exception("failed for %s", "ada@example.com")
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        logging.captureWarnings(True)
        logging.getLogger("py.warnings").warning("careful, token=%s", "hunter2")
    first, second = lines()
    assert (first["event"], first["logger"], first["level"]) == ("failed for [address]", "some.library", "error")
    assert "ada@" not in first["traceback"]
    assert second["logger"] == "py.warnings"


def test_a_broken_stdout_does_not_break_a_request(sample, monkeypatch):
    class Broken:
        def write(self, text: str) -> None:
            raise OSError("no space left")

        def flush(self) -> None:
            raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Broken())
        assert Browser(sample).get("/sample/things").status == 200
        assert Browser(sample).get("/sample/fails/crash").status == 500


def test_a_line_break_in_a_value_stays_in_its_line(capsys):
    log.info("one\ntwo", value='a"\r\n{"event": "forged"}')
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert json.loads(out)["event"] == "one\ntwo"
