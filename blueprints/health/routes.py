"""The health routes; none of them needs a session, a cookie or a trusted Host."""

import time
from typing import Any

from flask import Response, current_app, g, render_template, request

from app import access
from app.database import utc_now
from app.envelope import answer, success
from app.errors import NotFound
from app.plugins import current
from app.web import Blueprint
from blueprints.health import services
from blueprints.health.schemas import Health, Metrics, OneCheck
from blueprints.health.settings import HealthSettings

bp = Blueprint("health")

ALIVE = b'{"status":"healthy"}\n'
DRAFT = "application/health+json"
DRAFT_WORDS = {"healthy": "pass", "degraded": "warn", "unhealthy": "fail", "unknown": "pass"}


@bp.raw("/health", only="page")
@access.public
def health() -> Response:
    """Everything that was checked; 200 when healthy or degraded, 503 when unhealthy."""
    monitor = services.monitor(app())
    results = monitor.current()
    status = services.overall(monitor.checks, results)
    body = Health(
        status=status,
        timestamp=utc_now(),
        environment=current_app.config["ENVIRONMENT"],
        version=current_app.config["RELEASE"],
        checks={name: result.status for name, result in results.items()},
        metrics=Metrics(
            response_time=round((time.perf_counter() - request.environ["app.started"]) * 1000, 1),
            active_connections=services.active_connections(),
            memory_usage=services.memory_usage(),
        ),
    )
    response = in_format(body)
    response.status_code = 503 if status == "unhealthy" else 200
    response.headers["Cache-Control"] = "no-store"
    response.headers["Vary"] = "Accept"
    if status == "unhealthy":
        response.headers["Retry-After"] = "5"
    return response


@bp.raw("/health/live", only="page")
@access.public
def live() -> Response:
    """The process answers; nothing else is asked."""
    return Response(ALIVE, content_type="application/json", headers={"Cache-Control": "no-store"})


@bp.raw("/health/ready", only="page")
@access.public
def ready() -> Response:
    """Whether this process should get requests: critical checks only, and not while it stops."""
    monitor = services.monitor(app())
    critical = [check for check in monitor.checks if check.critical]
    draining = current_app.extensions.get("draining", False)
    status = "unhealthy" if draining else services.overall(critical, monitor.current(critical))
    headers = {"Retry-After": "5"} if status == "unhealthy" else None
    return answer({"status": status}, 503 if status == "unhealthy" else 200, headers)


@bp.raw("/health/<check>", only="page", json_errors=True)
@access.admin_or_token(lambda: current(HealthSettings).health_token)
def one_check(check: str) -> Response:
    """One check with its duration and a fixed phrase, for operators."""
    monitor = services.monitor(app())
    found = next((known for known in monitor.checks if known.name == check), None)
    if found is None:
        raise NotFound
    result = monitor.current([found])[check]
    shown = OneCheck(
        name=check,
        status=result.status,
        message=result.phrase,
        duration_ms=result.duration_ms,
        critical=found.critical,
    )
    return success(shown.as_json(), 503 if result.status == "unhealthy" and found.critical else 200)


def in_format(body: Health) -> Response:
    """JSON, unless Accept names HTML, plain text or the IETF draft."""
    accepted = {kind for kind, quality in request.accept_mimetypes if quality > 0}
    if DRAFT in accepted:
        return Response(current_app.json.dumps(as_draft(body)), content_type=DRAFT)
    if "text/html" in accepted:
        g.error_page = True  # the page must come without session and database
        return Response(render_template("health/health.html", data=body), content_type="text/html; charset=utf-8")
    if "text/plain" in accepted:
        return Response(body.status + "\n", content_type="text/plain; charset=utf-8")
    return answer(body.as_json())


def as_draft(body: Health) -> dict[str, Any]:
    """The body of draft-inadarei-api-health-check-06."""
    time_ = body.as_json()["timestamp"]
    checks = {name: [{"status": DRAFT_WORDS[status], "time": time_}] for name, status in body.checks.items()}
    return {"status": DRAFT_WORDS[body.status], "version": "1", "releaseId": body.version, "checks": checks}


def app() -> Any:
    """The application itself, for the threads of the checks."""
    return current_app._get_current_object()  # type: ignore[attr-defined]
