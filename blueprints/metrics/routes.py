"""The metrics for people, for programs and for Prometheus."""

from flask import Response, request

from app import access
from app.plugins import current
from app.web import Blueprint
from blueprints.metrics import services
from blueprints.metrics.schemas import MetricsReport
from blueprints.metrics.settings import MetricsSettings

bp = Blueprint("metrics")

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@bp.raw("", only="page")
@access.admin_or_token(lambda: current(MetricsSettings).metrics_token)
def prometheus() -> Response:
    """The counters of the whole fleet as Prometheus text, or as OpenMetrics when Accept names it."""
    openmetrics = "application/openmetrics-text" in request.headers.get("Accept", "")
    response = Response(services.prometheus_text(openmetrics=openmetrics))
    response.headers["Content-Type"] = OPENMETRICS if openmetrics else TEXT
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("Accept")
    return response


@bp.page("", only="api")
@access.admin
def report() -> MetricsReport:
    """Errors of the last 24 hours and requests of the last hour."""
    return services.report()


@bp.page("/dashboard", only="page")
@access.admin
def dashboard() -> MetricsReport:
    """The same report as a page."""
    return services.report()
