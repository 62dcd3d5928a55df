"""Says whether the service and what it depends on work: for routers, for monitors and for people."""

from flask import current_app

from app.plugins import Mount, Plugin
from blueprints.health import services
from blueprints.health.checks import checks
from blueprints.health.cli import health as health_command
from blueprints.health.routes import bp
from blueprints.health.settings import HealthSettings


def check_statuses() -> dict[str, str]:
    """`healthy`, `unhealthy` or `unknown` by the name of the check, no older than the checks' caches."""
    monitor = services.monitor(current_app._get_current_object())  # type: ignore[attr-defined]
    return {name: result.status for name, result in monitor.current().items()}


plugin = Plugin(
    "health",
    mounts=(Mount(bp, at="", only="pages"),),
    settings=HealthSettings,
    checks=checks,
    cli=health_command,
    hooks={"check_statuses": check_statuses},
)
