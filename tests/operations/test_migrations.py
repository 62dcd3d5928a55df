"""Deploying: migrations run alone, once, past what they do not know, and ours before anybody else's."""

import re
import subprocess

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from config.settings import ROOT
from tests.operations.processes import clean, run

RELEASE = "flask db upgrade heads"
OWN = "health,auth,teams,metrics,mycompany.ledger"


@pytest.fixture
def environ(new_database, tmp_path):
    """A service with an empty database, and a blueprint of one's own whose table refers to users."""
    package = tmp_path / "mycompany" / "ledger"
    (package / "migrations").mkdir(parents=True)
    (package / "__init__.py").write_text('from app.plugins import Plugin\n\nplugin = Plugin("ledger")\n')
    (package / "migrations" / "a1b2c3d4e5f6_ledger.py").write_text(LEDGER)
    return {
        "ENVIRONMENT": "testing",
        "DATABASE_URL": new_database(),
        "INSTANCE_PATH": str(tmp_path),
        "PYTHONPATH": str(tmp_path),
    }


LEDGER = """
import sqlalchemy as sa
from alembic import op

revision = "a1b2c3d4e5f6"
down_revision = None
branch_labels = ("ledger",)
depends_on = None


def upgrade() -> None:
    op.create_table("ledger", sa.Column("user_id", sa.Uuid(), sa.ForeignKey("users.id"), primary_key=True))
    with op.get_context().autocommit_block():
        op.create_index("idx_ledger_user_id", "ledger", ["user_id"], postgresql_concurrently=True)


def downgrade() -> None:
    op.drop_table("ledger")
"""


def release(environ: dict[str, str]) -> None:
    done = run(RELEASE, environ)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def stored(environ: dict[str, str], change: str = "") -> set[str]:
    """The revisions that the database says it has, after an optional change by hand."""
    engine = create_engine(environ["DATABASE_URL"], poolclass=NullPool)
    with engine.begin() as connection:
        if change:
            connection.execute(text(change))
        return set(connection.scalars(text("SELECT version_num FROM alembic_version")))


def newest() -> str:
    return max(path.name for path in (ROOT / "migrations" / "versions").glob("*.py"))[:4]


def test_ours_come_before_a_branch_that_refers_to_them(environ):
    release(environ | {"BLUEPRINTS": OWN})
    assert stored(environ) == {newest(), "a1b2c3d4e5f6"}


def test_a_blueprint_that_is_switched_off_keeps_its_tables_and_stops_no_release(environ):
    release(environ | {"BLUEPRINTS": OWN})
    before = stored(environ)
    release(environ)
    assert stored(environ) == before
    assert run("flask db check", environ).returncode == 0
    release(environ | {"BLUEPRINTS": OWN})
    assert stored(environ) == before


def test_a_blueprint_can_be_added_later(environ):
    release(environ)
    before = stored(environ)
    release(environ | {"BLUEPRINTS": OWN})
    assert stored(environ) == before | {"a1b2c3d4e5f6"}


def test_an_older_release_goes_back_over_a_newer_database(environ):
    release(environ)
    newer = stored(environ, "UPDATE alembic_version SET version_num = '9999'")
    assert newer == {"9999"}
    release(environ)
    assert stored(environ) == newer


@pytest.mark.postgresql_only("SQLite is one machine's; it has no lock that waits")
def test_releases_at_once_do_the_work_once(environ):
    """One waits for the other, also while an index is made concurrently."""
    environ |= {"BLUEPRINTS": OWN}
    options = {"cwd": ROOT, "env": clean(environ), "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    releases = [subprocess.Popen(["bash", "-c", f"exec {RELEASE}"], **options) for _ in range(3)]
    said = [release.communicate()[0] for release in releases]
    assert [release.returncode for release in releases] == [0, 0, 0], said
    assert "".join(said).count("Running upgrade  -> ") == 2, said
    assert stored(environ) == {newest(), "a1b2c3d4e5f6"}


def test_shipped_revisions_have_four_digits():
    """Their form tells them from branches of one's own."""
    names = [path.name for path in (ROOT / "migrations" / "versions").glob("*.py")]
    assert names
    assert all(re.match(r"\d{4}_", name) for name in names)
