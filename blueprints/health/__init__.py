"""Says whether the service and what it depends on work: for routers, for monitors and for people."""

from app.plugins import Mount, Plugin
from blueprints.health.checks import checks
from blueprints.health.cli import health as health_command
from blueprints.health.routes import bp
from blueprints.health.settings import HealthSettings

plugin = Plugin(
    "health",
    mounts=(Mount(bp, at="", only="pages"),),
    settings=HealthSettings,
    checks=checks,
    cli=health_command,
)
