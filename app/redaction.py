"""One place that decides what is secret, for log lines and for Sentry."""

import re
from typing import Any

REDACTED = "[REDACTED]"
SECRET_KEYS = re.compile(
    r"pass(word|wd)?|secret|token|authorization|cookie|api[-_]?key|pepper|dsn|credential|csrf|otp|recovery",
    re.IGNORECASE,
)
LOCAL = r"A-Za-z0-9.!#$%&'*+/=?^_`{|}~-"  # what may stand before an @
# A look behind keeps a long word from being tried again at each of its letters.
# The row that PostgreSQL quotes when it refuses it, a password's hash among it; bearer tokens, our own tokens,
# credentials in URLs, tokens in query strings and in mailed paths, addresses.
SECRET_VALUES = (
    (re.compile(r"(?s)(DETAIL: +).*?(?=\n\n|\n[A-Z]+: |\Z)"), r"\1" + REDACTED),
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), r"\1 " + REDACTED),
    (re.compile(r"\bpat_[A-Za-z0-9_-]{8,}"), REDACTED),
    (re.compile(r"(?i)(?<![a-z0-9+.-])([a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s@/]+@"), r"\1:" + REDACTED + "@"),
    (re.compile(r"(?i)([?&;](?:token|code|password|secret|key)=)[^&;\s\"']+"), r"\1" + REDACTED),
    (re.compile(r"(/team/invite/)[A-Za-z0-9_-]{20,}"), r"\1" + REDACTED),
    (re.compile(rf"(?<![{LOCAL}])[{LOCAL}]+@[A-Za-z0-9.-]+\.[A-Za-z]{{2,}}"), "[address]"),
)


def redact_text(value: str) -> str:
    """A text without the secrets that can be recognised by their form."""
    for pattern, replacement in SECRET_VALUES:
        value = pattern.sub(replacement, value)
    return value


def redact(value: Any) -> Any:
    """The same data without secrets: by the name of a key at any depth, and by the form of a text."""
    if isinstance(value, dict):
        return {
            key: REDACTED if isinstance(key, str) and SECRET_KEYS.search(key) else redact(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [redact(item) for item in value]
    return redact_text(value) if isinstance(value, str) else value
