"""Procfile and app.json as the platform reads them: one process serves, another works."""

import json
import re
import signal

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from config.settings import ROOT, Settings
from tests.operations.processes import (
    PRODUCTION,
    eventually,
    is_gone,
    on_a_port,
    procfile,
    run,
    running,
    wait_until_serving,
)
from tests.services.smtp import smtp

HONCHO = ["honcho", "start", "--no-colour", "-f", "Procfile"]


@pytest.fixture
def environ(migrated):
    """WORKER=separate in production, with a mail server that nobody listens on yet."""
    return on_a_port(migrated | PRODUCTION | {"BCRYPT_COST": "10", "WORKER": "separate", "MAIL_USE_TLS": "false"})


def test_web_takes_no_job_and_the_worker_sends_the_mail(environ, tmp_path):
    with smtp() as mailbox:
        environ |= {"MAIL_SERVER": "localhost", "MAIL_PORT": str(mailbox.port)}
        with running([*HONCHO, "web"], environ, tmp_path / "web") as web:
            wait_until_serving(web)
            body = {"email": "ada@example.com", "password": "correct horse battery"}
            assert web.call("POST", "/api/auth/sign-up", data=body).status == 202
            assert jobs(environ) == [("auth.signed_up", "queued", 0)]
            stop(web)
        assert jobs(environ) == [("auth.signed_up", "queued", 0)]
        assert mailbox.messages == []
        with running([*HONCHO, "web", "worker"], environ, tmp_path / "both") as both:
            wait_until_serving(both)
            (message,) = eventually(lambda: mailbox.messages, lambda: both.said)
            assert message["To"] == "ada@example.com"
            eventually(lambda: ("mail.verify_email", "done", 1) in jobs(environ))
            stop(both)
        assert len(mailbox.messages) == 1


def jobs(environ: dict[str, str]) -> list[tuple[str, str, int]]:
    """Every job so far: name, state, tries."""
    engine = create_engine(environ["DATABASE_URL"], poolclass=NullPool)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT name, state, attempts FROM jobs ORDER BY created_at"))
        return [tuple(row) for row in rows]


def stop(honcho) -> None:
    """SIGTERM, as the platform sends it; honcho passes it on, and each process ends well by itself."""
    groups = [int(group) for group in re.findall(r"started \(pid=(\d+)\)", honcho.stdout)]
    assert groups
    assert not any(is_gone(group) for group in groups)
    honcho.process.send_signal(signal.SIGTERM)
    assert honcho.end() == 128 + signal.SIGTERM
    # honcho's shell dies of the signal before gunicorn, which gets it too, has finished.
    codes = re.findall(r"stopped \(rc=(-?\d+)\)", honcho.stdout)
    assert len(codes) == len(groups)
    assert set(codes) <= {"0", str(-signal.SIGTERM)}, honcho.said
    eventually(lambda: all(is_gone(group) for group in groups))
    assert "SIGKILL" not in honcho.said
    assert "Traceback" not in honcho.said


@pytest.mark.sqlite_only("no database takes part")
def test_honcho_accepts_the_procfile():
    checked = run("honcho check -f Procfile", {})
    assert checked.returncode == 0
    assert "release, web, worker" in checked.stdout + checked.stderr


@pytest.mark.sqlite_only("no database takes part")
def test_app_json_names_settings_that_exist():
    described = json.loads((ROOT / "app.json").read_text())
    known = {name.upper() for name in Settings.model_fields}
    known |= set(re.findall(r"`([A-Z_]+)`", run("flask settings", {"ENVIRONMENT": "development"}).stdout))
    assert set(described["env"]) <= known
    assert set(described["formation"]) <= {"web", "worker"}
    required = {name for name, entry in described["env"].items() if entry.get("required", True)}
    assert {"SECRET_KEY", "PASSWORD_PEPPER", "BASE_URL", "ENVIRONMENT"} <= required
    assert procfile("release") == "flask db upgrade heads"
