"""What docs/operating.md says of a lost dependency, in a running service."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from tests.operations.processes import Running, eventually, run, serving

PERSON = {"email": "ada@example.com", "password": "correct horse battery"}


@contextmanager
def lost(url: str) -> Iterator[None]:
    """The server takes no connection to this database, and has cut off those it had."""
    name = make_url(url).database
    engine = create_engine(make_url(url).set(database="postgres"), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS false'))
        connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"))
        yield
        connection.execute(text(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS true'))


@pytest.mark.postgresql_only("a file does not go away while it is open")
def test_a_lost_database_is_503_until_it_is_back(migrated, tmp_path):
    with serving(migrated, tmp_path) as web:
        assert web.call("POST", "/api/auth/sign-up", data=PERSON).status == 202
        with lost(migrated["DATABASE_URL"]):
            reply = web.call("POST", "/api/auth/sign-in", data=PERSON)
            assert (reply.status, reply.headers["Retry-After"]) == (503, "5")
            assert reply.json["error"]["code"] == "SERVICE_UNAVAILABLE"
            page = web.call("GET", "/auth/account", headers={"Cookie": "session=anything"})
            assert (page.status, page.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
            assert web.call("GET", "/health/live").status == 200
            eventually(lambda: web.call("GET", "/health/ready").status == 503)
            assert web.call("GET", "/health").json["checks"]["database"] == "unhealthy"
            assert web.process.poll() is None
        eventually(lambda: signs_in(web))
        eventually(lambda: web.call("GET", "/health").json["status"] == "healthy")


def signs_in(web: Running) -> bool:
    """The account is there and not verified, and the service is back."""
    return web.call("POST", "/api/auth/sign-in", data=PERSON).status == 403


def test_a_mail_waits_for_its_server_and_is_told_of(migrated, tmp_path):
    environ = migrated | {"MAIL_SERVER": "localhost", "MAIL_PORT": "9", "MAIL_USE_TLS": "false"}
    with serving(environ, tmp_path) as web:
        assert web.call("POST", "/api/auth/sign-up", data=PERSON).status == 202
        eventually(lambda: '"job_failed"' in web.stdout, lambda: web.said)
        assert web.call("GET", "/health").json["checks"]["email"] == "unhealthy"
        assert web.call("GET", "/health").json["status"] == "degraded"
        listed = run("flask jobs list --state queued", environ).stdout
        assert "mail.verify_email  ConnectionRefusedError" in listed


def test_without_a_mail_server_production_keeps_the_mail_queued(migrated, tmp_path):
    environ = migrated | {"ENVIRONMENT": "production", "BCRYPT_COST": "10"}
    with serving(environ, tmp_path) as web:
        assert "Mails stay queued: set MAIL_SERVER or RESEND_API_KEY" in web.stderr
        assert web.call("POST", "/api/auth/sign-up", data=PERSON).status == 202
        assert web.call("GET", "/health").json["checks"]["email"] == "unknown"
        listed = run("flask jobs list --state queued", environ | {"BASE_URL": "http://localhost"}).stdout
        assert "queued   0  mail.verify_email" in listed
