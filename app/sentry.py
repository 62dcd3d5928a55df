"""Sentry, loaded only when SENTRY_DSN is set, told only what may leave the house."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from flask import has_request_context, request

from app.redaction import REDACTED, SECRET_KEYS, redact

SHOWN_HEADERS = ("user-agent", "x-request-id")
SHORTEST_SECRET = 6  # taking out every "abc" would leave nothing to read


def init(settings: Any) -> None:
    """Report exceptions of the application; nothing happens without a DSN."""
    if not settings.sentry_dsn:
        return
    import sentry_sdk
    from sentry_sdk.integrations.logging import LoggingIntegration

    sentry_sdk.init(
        dsn=settings.sentry_dsn,
        environment=settings.environment,
        release=settings.release or settings.version,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        traces_sample_rate=0,
        before_send=scrub,
        before_breadcrumb=lambda crumb, hint: redact(crumb),
        integrations=[LoggingIntegration(event_level=None)],  # an exception is captured once, by errors.report
    )


def scrub(event: Any, hint: Any) -> Any:
    """An event without query string, cookies, raw path and secrets; the route template stands for the path."""
    seen = event.get("request")
    if seen:
        headers = {name.lower(): value for name, value in (seen.get("headers") or {}).items()}
        seen["headers"] = {name: value for name, value in headers.items() if name in SHOWN_HEADERS}
        if "authorization" in headers:
            seen["headers"]["authorization"] = REDACTED
        for part in ("query_string", "cookies", "data", "env"):
            seen.pop(part, None)
        seen["url"] = str(event.get("transaction") or "")
    secrets = sorted(set(secrets_of_request()), key=len, reverse=True)
    for part in ("extra", "contexts", "breadcrumbs", "exception", "logentry", "tags", "request"):
        if part in event:
            event[part] = without(redact(event[part]), secrets)
    return event


def secrets_of_request() -> Iterator[str]:
    """What this request brought that is secret: an exception's text may quote it, and no pattern finds a password."""
    if not has_request_context():
        return
    given: list[Any] = [request.cookies.values(), request.headers.get("Authorization", "").partition(" ")[2:]]
    with suppress(Exception):  # a body that cannot be read
        given += (secret_values(part) for part in (request.args, request.form, request.get_json(silent=True)))
    for values in given:
        for value in values:
            if len(value) >= SHORTEST_SECRET:
                yield from (value, repr(value)[1:-1])


def secret_values(data: Any) -> Iterator[str]:
    """The texts under a secret name, at any depth."""
    if isinstance(data, dict):
        for name, value in data.items():
            if isinstance(value, str) and SECRET_KEYS.search(name):
                yield value
            yield from secret_values(value)
    elif isinstance(data, list):
        for item in data:
            yield from secret_values(item)


def without(data: Any, secrets: list[str]) -> Any:
    """The same data with these texts taken out."""
    if isinstance(data, dict):
        return {name: without(value, secrets) for name, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [without(item, secrets) for item in data]
    if isinstance(data, str):
        for secret in secrets:
            data = data.replace(secret, REDACTED)
    return data


def capture(error: BaseException, settings: Any, request_id: str) -> None:
    """Report one exception, with the request id that joins it to its log line."""
    if not settings.sentry_dsn:
        return
    import sentry_sdk

    with sentry_sdk.new_scope() as scope:
        scope.set_tag("request_id", request_id)
        scope.set_tag("environment", settings.environment)
        scope.set_tag("component", "web")
        scope.capture_exception(error)
