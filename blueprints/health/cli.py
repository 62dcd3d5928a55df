"""`flask health` for operators and container checks."""

import click
from flask import current_app
from flask.cli import with_appcontext

from blueprints.health import services

EXIT_CODES = {"healthy": 0, "degraded": 1, "unhealthy": 2}


@click.command()
@with_appcontext
def health() -> None:
    """Run every check once; exits 0 when healthy, 1 when degraded, 2 when unhealthy."""
    monitor = services.monitor(current_app._get_current_object())  # type: ignore[attr-defined]
    results = monitor.current()
    for name, result in results.items():
        click.echo(f"{name:12} {result.status:10} {result.duration_ms:8.1f} ms  {result.phrase}")
    status = services.overall(monitor.checks, results)
    click.echo(status)
    raise SystemExit(EXIT_CODES[status])
