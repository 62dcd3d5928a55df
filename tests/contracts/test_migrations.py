"""The history of the database: one line, equal to the models, and safe to run."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.pool import NullPool

import config
from app import create_app
from app.cli import set_up_migrations
from app.database import Base
from config.settings import ROOT
from tests.live import PROGRAMS, surroundings

INDEXES = {
    "idx_users_email",
    "idx_users_username",
    "idx_sessions_user_id",
    "idx_sessions_token",
    "idx_team_members_team_id",
    "idx_team_members_user_id",
    "idx_invitations_team_id",
    "idx_invitations_email",
    "idx_invitations_status",
}


@pytest.fixture
def fresh(environ: dict[str, str], new_database: Callable[[], str]) -> Iterator[Flask]:
    """An application on an empty database."""
    app = create_app(config.load(environ | {"DATABASE_URL": new_database()}))
    set_up_migrations(app)
    with app.app_context():
        yield app


@contextmanager
def engine_of(app: Flask) -> Iterator[Engine]:
    yield create_engine(app.config["SQLALCHEMY_DATABASE_URI"], poolclass=NullPool)


def test_there_is_one_head():
    script = ScriptDirectory(str(ROOT / "migrations"), version_locations=[str(ROOT / "migrations" / "versions")])
    assert len(script.get_heads()) == 1


def test_models_equal_migrations(fresh):
    upgrade(revision="heads")
    with engine_of(fresh) as engine, engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_required_indexes_exist(fresh):
    upgrade(revision="heads")
    with engine_of(fresh) as engine:
        inspector = inspect(engine)
        found = {index["name"] for table in inspector.get_table_names() for index in inspector.get_indexes(table)}
    assert found >= INDEXES


def test_downgrade_leaves_nothing_and_upgrade_works_again(fresh):
    upgrade(revision="heads")
    downgrade(revision="base")
    with engine_of(fresh) as engine:
        assert inspect(engine).get_table_names() == ["alembic_version"]
    upgrade(revision="heads")
    with engine_of(fresh) as engine:
        assert set(Base.metadata.tables) <= set(inspect(engine).get_table_names())


def test_tables_of_absent_plugins_are_left_alone(fresh):
    with engine_of(fresh) as engine, engine.begin() as connection:
        connection.execute(text("CREATE TABLE invoices (id INTEGER)"))
    upgrade(revision="heads")
    downgrade(revision="base")
    with engine_of(fresh) as engine:
        assert "invoices" in inspect(engine).get_table_names()


def test_the_schema_does_not_depend_on_which_blueprints_are_on(environ, new_database):
    app = create_app(config.load(environ | {"DATABASE_URL": new_database(), "BLUEPRINTS": "health"}))
    set_up_migrations(app)
    with app.app_context():
        upgrade(revision="heads")
    with engine_of(app) as engine:
        assert {"users", "teams", "jobs", "metric_deltas"} <= set(inspect(engine).get_table_names())


def flask_db(environ: dict[str, str], *words: str) -> subprocess.Popen[str]:
    command = [PROGRAMS / "flask", "db", "upgrade", "heads", *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=surroundings(environ), text=True, stdout=pipe, stderr=pipe)


@pytest.mark.postgresql_only("SQLite is one machine's, and a release command runs once")
def test_two_deployments_may_migrate_at_the_same_moment(environ, new_database):
    values = environ | {"DATABASE_URL": new_database()}
    both = [flask_db(values) for _ in range(2)]
    ends = [(process.communicate()[1], process.returncode) for process in both]
    assert [code for _, code in ends] == [0, 0], ends


def test_squawk_finds_nothing(environ, tmp_path):
    values = environ | {"DATABASE_URL": "postgres://nobody@localhost/nothing"}
    process = flask_db(values, "--sql")
    sql, errors = process.communicate()
    assert process.returncode == 0, errors
    written = tmp_path / "upgrade.sql"
    written.write_text(sql)
    squawk = [PROGRAMS / "squawk", "--config", ROOT / ".squawk.toml", written]
    found = subprocess.run(squawk, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout
