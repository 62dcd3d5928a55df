"""What an operator types: `flask worker`, `flask jobs`, `flask settings`, and `flask db` once it is needed."""

import signal
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from app.commands import Commands

jobs_cli = Commands("jobs", help="Look at and retry background jobs.")


def init_app(app: Flask) -> None:
    """Add the kernel's commands; migrations are set up only when a command runs, they load alembic."""
    app.cli.add_command(worker)
    app.cli.add_command(jobs_cli)
    app.cli.add_command(settings)
    if click.get_current_context(silent=True) is not None:
        set_up_migrations(app)


def set_up_migrations(app: Flask) -> None:
    """Tell Flask-Migrate where the history is: the shipped one, and a branch for each plugin of one's own."""
    from flask_migrate import Migrate

    from app.database import db

    root = Path(app.root_path).parent
    migrate = Migrate(app, db, directory=str(root / "migrations"), render_as_batch=True, compare_type=True)
    folders = [str(root / "migrations" / "versions"), *plugin_migrations(app)]

    @migrate.configure
    def add_branches(config: Any) -> Any:
        config.set_main_option("path_separator", "newline")
        config.set_main_option("version_locations", "\n".join(folders).replace("%", "%%"))
        return config


def plugin_migrations(app: Flask) -> list[str]:
    """Folders `migrations` beside the packages that BLUEPRINTS names by a dotted path."""
    found = []
    for name in app.config["SETTINGS"].blueprints:
        spec = find_spec(name) if "." in name else None
        for place in (spec.submodule_search_locations or []) if spec else []:
            if (Path(place) / "migrations").is_dir():
                found.append(str(Path(place) / "migrations"))
    return found


@click.command()
@with_appcontext
def worker() -> None:
    """Run background jobs until stopped (WORKER=separate leaves them to this)."""
    stop = threading.Event()
    jobs_worker = current_app.extensions["jobs"]

    def finish(*_: Any) -> None:
        stop.set()
        jobs_worker.wake.set()

    signal.signal(signal.SIGTERM, finish)
    signal.signal(signal.SIGINT, finish)
    click.echo("The worker runs.")
    jobs_worker.run_forever(stop)


@jobs_cli.command("list")
@click.option("--state", type=click.Choice(["queued", "done", "failed"]), help="Only jobs in this state.")
def list_jobs(state: str | None) -> None:
    """List the newest 50 jobs: state, tries, name, last error."""
    from sqlalchemy import select

    from app.database import db
    from app.jobs import QueuedJob

    query = select(QueuedJob).order_by(QueuedJob.created_at.desc()).limit(50)
    if state:
        query = query.where(QueuedJob.state == state)
    for job in db.session.scalars(query):
        click.echo(f"{job.id}  {job.state:6}  {job.attempts:2}  {job.name}  {job.last_error or ''}".rstrip())


@jobs_cli.command("retry")
@click.option("--waiting", is_flag=True, help="Also let those that wait for their next try have it now.")
def retry_jobs(waiting: bool) -> None:
    """Queue every failed job anew."""
    from app.jobs import retry_failed, retry_waiting

    click.echo(f"{retry_failed()} jobs are queued again.")
    if waiting:
        click.echo(f"{retry_waiting()} jobs wait no longer.")


@click.command()
@click.option("--env", is_flag=True, help="As a .env file with everything commented out.")
@with_appcontext
def settings(env: bool) -> None:
    """List every setting of the kernel and of the loaded blueprints; values are not shown."""
    lines = env_file() if env else settings_table()
    click.echo("\n".join(lines))


def settings_table() -> Iterator[str]:
    """A Markdown table for the kernel and one for each blueprint."""
    for title, model in settings_models():
        yield from (f"### {title}", "", "| Setting | Default | What it is |", "| --- | --- | --- |")
        for name, field in shown_fields(model):
            default = shown_default(field)
            yield f"| `{name}` | {f'`{default}`' if default else '–'} | {field.description} |"
        yield ""


def env_file() -> Iterator[str]:
    """The same as a file to copy to `.env`."""
    yield "# Copy this to .env and uncomment what you want to change; the environment wins over it."
    for title, model in settings_models():
        yield from ("", f"# --- {title} ---")
        for name, field in shown_fields(model):
            yield from (f"# {field.description}", f"#{name}={shown_default(field)}")


def settings_models() -> Iterator[tuple[str, type[BaseModel]]]:
    """The kernel's model, and those of the loaded blueprints."""
    yield "The kernel", type(current_app.config["SETTINGS"])
    for plugin in current_app.extensions["plugins"]:
        if plugin.settings is not None:
            yield plugin.name, plugin.settings


def shown_fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """Names and fields of a settings model, those left out that are not for the environment."""
    for name, field in model.model_fields.items():
        if not field.exclude:
            yield name.upper(), field


def shown_default(field: FieldInfo) -> str:
    """The default as one would write it, or nothing where the description tells it."""
    default = field.default
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return ",".join(default)
    if isinstance(default, Path):
        return default.name
    return "" if default in (None, 0, -1) or field.is_required() else str(default)
