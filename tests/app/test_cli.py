"""What an operator types about jobs and settings."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.database import db, end_read, transaction, utc_now
from app.jobs import QueuedJob


@pytest.fixture
def rows(app):
    """A failed job and a queued one; the queued one is newer."""
    with transaction() as session:
        failed = QueuedJob(id=uuid4(), name="mail.a", state="failed", attempts=10, last_error="OSError")
        failed.created_at = failed.finished_at = utc_now() - timedelta(hours=1)
        queued = QueuedJob(id=uuid4(), name="mail.b")
        session.add_all([failed, queued])
    return failed.id, queued.id


def test_jobs_are_listed_newest_first(app, rows):
    failed, queued = rows
    result = app.test_cli_runner().invoke(args=["jobs", "list"])
    assert result.exit_code == 0
    assert result.output.splitlines() == [
        f"{queued}  queued   0  mail.b",
        f"{failed}  failed  10  mail.a  OSError",
    ]


def test_jobs_are_listed_by_state(app, rows):
    output = app.test_cli_runner().invoke(args=["jobs", "list", "--state", "failed"]).output
    assert "mail.a" in output
    assert "mail.b" not in output


def test_failed_jobs_are_retried(app, rows):
    output = app.test_cli_runner().invoke(args=["jobs", "retry"]).output
    assert output == "1 jobs are queued again.\n"
    end_read()
    db.session.expire_all()
    row = db.session.get_one(QueuedJob, rows[0])
    assert (row.state, row.attempts, row.finished_at) == ("queued", 0, None)


def test_after_an_outage_nobody_waits_for_the_next_try(app, rows):
    later = utc_now() + timedelta(hours=1)
    with transaction() as session:
        session.get_one(QueuedJob, rows[1]).run_at = later  # never tried: it is meant for later
        session.add(QueuedJob(id=uuid4(), name="mail.c", attempts=3, last_error="OSError", run_at=later))
    output = app.test_cli_runner().invoke(args=["jobs", "retry", "--waiting"]).output
    assert output == "1 jobs are queued again.\n1 jobs wait no longer.\n"
    end_read()
    db.session.expire_all()
    due = db.session.scalars(select(QueuedJob.name).where(QueuedJob.run_at <= utc_now()))
    assert set(due) == {"mail.a", "mail.c"}


@pytest.mark.parametrize("command", ["list", "retry"])
@pytest.mark.parametrize(
    "url, line",
    [
        ("sqlite:////no/such/folder/app.db", "The database is not available: unable to open database file"),
        ("postgresql://nobody:secret@127.0.0.1:1/app", "The database is not available: connection to server at"),
    ],
)
def test_a_database_that_is_away_is_one_line(make_app, command, url, line):
    other = make_app(DATABASE_URL=url)
    with other.app_context():
        result = other.test_cli_runner().invoke(args=["jobs", command])
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert result.output.startswith(f"Error: {line}")
    assert "secret" not in result.output


@pytest.mark.parametrize("command", ["list", "retry"])
def test_a_database_without_tables_is_one_line(make_app, new_database, command):
    other = make_app(DATABASE_URL=new_database())
    with other.app_context():
        result = other.test_cli_runner().invoke(args=["jobs", command])
    line = "Error: The database is not up to date. Bring it there with: flask db upgrade heads\n"
    assert (result.exit_code, result.output) == (1, line)


@pytest.mark.parametrize("args", [["settings"], ["settings", "--env"]])
def test_settings_are_listed_without_their_values(app, args):
    output = app.test_cli_runner().invoke(args=args).output
    for name in ("SECRET_KEY", "DATABASE_URL", "LIMIT_SIGN_IN_IP", "HEALTH_TOKEN"):
        assert name in output
    for name in ("ENVIRON=", "`ROOT`", "#ROOT="):
        assert name not in output
    settings = app.config["SETTINGS"]
    assert settings.secret_key not in output
    assert settings.password_pepper not in output
