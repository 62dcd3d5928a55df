"""How the service is doing: durations and errors of the whole fleet, counted without a request noticing.

Every process counts in its memory (`middleware`, `recorder`) and stores what it counted every two seconds
(`flusher`). A job folds that into minutes, hours, days and totals; reports and `/metrics` read both.
"""

from uuid import UUID

from flask import Flask

from app.access import Identity
from app.plugins import Mount, NavItem, Plugin
from blueprints.metrics import jobs, models
from blueprints.metrics.flusher import flush_forever
from blueprints.metrics.middleware import Measured
from blueprints.metrics.recorder import this_process
from blueprints.metrics.routes import bp
from blueprints.metrics.settings import MetricsSettings

__all__ = ["capture", "plugin"]


def measure(app: Flask) -> None:
    """Measure every request of an application."""
    app.wsgi_app = Measured(app.wsgi_app, this_process, behind_proxy=app.config["SETTINGS"].proxy_hops > 0)


def capture(error: BaseException, user_id: UUID | None = None) -> None:
    """Count an exception that someone handled, as if it had ended a request."""
    this_process.add_error(error, user_id)


def request_failed(error: Exception, who: Identity | None) -> None:
    """Count an exception that ended a request."""
    this_process.add_error(error, who.user_id if who else None)


plugin = Plugin(
    "metrics",
    mounts=(Mount(bp),),
    settings=MetricsSettings,
    jobs=(jobs.fold_deltas, jobs.prune_metrics),
    nav=(NavItem("Metrics", "metrics.dashboard", admin=True),),
    hooks={"request_failed": request_failed},
    models=models,
    wsgi=measure,
    threads=(flush_forever,),
)
