"""What is secret: by the name of a key at any depth, and by the form of a text."""

from typing import NamedTuple

import pytest

from app.redaction import REDACTED, redact, redact_text


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "newPassword",
        "current_password",
        "passwd",
        "secret",
        "SECRET_KEY",
        "token",
        "csrf_token",
        "accessToken",
        "Authorization",
        "Set-Cookie",
        "cookies",
        "api_key",
        "API-Key",
        "apikey",
        "PASSWORD_PEPPER",
        "SENTRY_DSN",
        "credentials",
        "otp",
        "recovery_codes",
    ],
)
def test_a_value_under_such_a_key_is_redacted(key):
    assert redact({key: "x"}) == {key: REDACTED}
    assert redact([{"deep": ({key: {"whatever": 1}},)}]) == [{"deep": [{key: REDACTED}]}]


@pytest.mark.parametrize("key", ["email_count", "route", "user_id", "duration_ms", "job", "name", "status"])
def test_other_keys_stay(key):
    assert redact({key: "x"}) == {key: "x"}


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Bearer abcdefgh12345", "Bearer [REDACTED]"),
        ("authorization: basic YWRhOmh1bnRlcjI=", "authorization: basic [REDACTED]"),
        ("made pat_AbC-123_xyz today", "made [REDACTED] today"),
        ("postgresql://app:hunter2@db:5432/name", "postgresql://app:[REDACTED]@db:5432/name"),
        ("redis://:hunter2@host/0", "redis://:[REDACTED]@host/0"),
        ("/auth/verify-email?token=abc&next=/", "/auth/verify-email?token=[REDACTED]&next=/"),
        ("?a=1&code=123456", "?a=1&code=[REDACTED]"),
        ("/team/invite/abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG/accept", "/team/invite/[REDACTED]/accept"),
        ("mail to Ada.Lovelace+x@mail.example.co.uk failed", "mail to [address] failed"),
        ("Key (email)=(ada@example.com) already exists", "Key (email)=([address]) already exists"),
        (
            "nothing secret: a@b, 12:30, https://example.com/x?y=1",
            "nothing secret: a@b, 12:30, https://example.com/x?y=1",
        ),
    ],
)
def test_a_text_is_redacted_by_its_form(text, expected):
    assert redact_text(text) == expected
    assert redact({"note": [text]}) == {"note": [expected]}


def test_other_values_pass():
    class Pair(NamedTuple):
        name: str
        value: str

    assert redact({"a": 1, "b": None, "c": 1.5, 2: True}) == {"a": 1, "b": None, "c": 1.5, 2: True}
    assert redact(Pair("x", "ada@example.com")) == ["x", "[address]"]
    assert redact({"x"}) == ["x"]
