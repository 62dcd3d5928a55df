"""Runs the migrations: alone, without waiting behind traffic, over every shipped blueprint's tables."""

import logging
import re
import time
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec

from alembic import context
from alembic.runtime.migration import RevisionStep
from flask import current_app
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from app.database import Base
from app.plugins import SHIPPED

LOCK = 7_403_117_225_914_001  # any number, as long as it is always the same
LOCK_WAIT_SECONDS = 120

# The history is one for what is shipped, whatever BLUEPRINTS says.
for name in SHIPPED:
    if find_spec(f"blueprints.{name}.models"):
        import_module(f"blueprints.{name}.models")

known_tables = set(Base.metadata.tables)


def include_name(name, type_, parent_names):
    """Leave alone the tables of plugins that are not loaded, and partitions."""
    return type_ != "table" or name in known_tables


@contextmanager
def alone(connection):
    """Let one deployment migrate at a time.

    The lock is asked for again and again: a waiting one would hold back CREATE INDEX CONCURRENTLY.
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while not connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": LOCK}):
        if time.monotonic() > deadline:
            raise SystemExit("Another migration has been running for two minutes; nothing was changed.")
        time.sleep(0.2)
    try:
        yield
    finally:
        connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})


def write() -> None:
    """Print the SQL instead of running it: `flask db upgrade heads --sql`."""
    logging.getLogger("alembic").setLevel(logging.WARNING)  # its lines would stand among the SQL
    url = current_app.config["SQLALCHEMY_DATABASE_URI"]
    context.configure(url=url, target_metadata=Base.metadata, literal_binds=True, transaction_per_migration=True)
    context.execute("SET lock_timeout = '4s'")
    with context.begin_transaction():
        context.run_migrations()


def run() -> None:
    """Bring the database up to date, alone."""
    url = current_app.config["SQLALCHEMY_DATABASE_URI"]
    engine = create_engine(url, poolclass=NullPool)
    with (
        engine.connect() as waiting,
        alone(waiting.execution_options(isolation_level="AUTOCOMMIT")),
        engine.connect() as connection,
    ):
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET lock_timeout = '4s'"))
            connection.commit()
        else:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            connection.commit()
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            include_name=include_name,
            render_as_batch=True,
            compare_type=True,
            render_item=render_item,
            transaction_per_migration=True,
        )
        look_past_unknown_heads(context.get_context(), context.script)
        run_shipped_first(context.get_context())
        with context.begin_transaction():
            context.run_migrations()


def is_shipped(revision: str) -> bool:
    return re.fullmatch(r"\d{4}", revision) is not None  # 0001, 0002, …; a branch of one's own has other names


def look_past_unknown_heads(migration, script) -> None:
    """Go on where the database knows more than this code.

    A revision of ours that is not here comes from a newer release (this is a rollback): the shipped history
    counts as complete. Any other belongs to a blueprint of one's own that BLUEPRINTS no longer names.
    """
    known = {revision.revision for revision in script.walk_revisions()}
    newest = max(filter(is_shipped, known))
    stored_heads = migration.get_current_heads

    def known_heads() -> tuple[str, ...]:
        heads = stored_heads()
        is_rollback = any(is_shipped(head) and head not in known for head in heads)
        return tuple(head for head in heads if head in known) + ((newest,) if is_rollback else ())

    migration.get_current_heads = known_heads


def run_shipped_first(migration) -> None:
    """Upgrade the shipped history before any branch, and downgrade it after: their tables may refer to ours.

    `depends_on` would say so too, but then the database no longer stores which of our revisions it has.
    """
    plan = migration._migrations_fn

    def plan_in_order(heads, migration):
        steps = list(plan(heads, migration))
        if not all(isinstance(step, RevisionStep) for step in steps):
            return steps
        return sorted(steps, key=lambda step: is_shipped(step.revision.revision) != step.is_upgrade)

    migration._migrations_fn = plan_in_order


def render_item(type_, item, autogen_context):
    """Write our time type as the plain one: a migration must not change when the application does."""
    if type_ == "type" and type(item).__name__ == "UtcDateTime":
        return "sa.DateTime(timezone=True)"
    return False


if context.is_offline_mode():
    write()
else:
    run()
