"""Sentry, loaded only when SENTRY_DSN is set, told only what may leave the house."""

from typing import Any

from app.redaction import REDACTED, redact

SHOWN_HEADERS = ("user-agent", "x-request-id")


def init(settings: Any) -> None:
    """Report exceptions of the application; nothing happens without a DSN."""
    if not settings.sentry_dsn:
        return
    import sentry_sdk
    from sentry_sdk.integrations.logging import LoggingIntegration

    sentry_sdk.init(
        dsn=settings.sentry_dsn,
        environment=settings.environment,
        release=settings.release,
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
    request = event.get("request")
    if request:
        headers = {name.lower(): value for name, value in (request.get("headers") or {}).items()}
        request["headers"] = {name: value for name, value in headers.items() if name in SHOWN_HEADERS}
        if "authorization" in headers:
            request["headers"]["authorization"] = REDACTED
        for part in ("query_string", "cookies", "data", "env"):
            request.pop(part, None)
        request["url"] = str(event.get("transaction") or "")
    for part in ("extra", "contexts", "breadcrumbs", "exception", "logentry", "tags", "request"):
        if part in event:
            event[part] = redact(event[part])
    return event


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
