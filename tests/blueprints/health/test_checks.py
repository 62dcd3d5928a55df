"""The kernel's checks against real services, running and not."""

import re
import socket
import time

import pytest

from tests.services import free_port
from tests.services.redis_server import redis_server
from tests.services.s3 import s3
from tests.services.smtp import smtp

S3_KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}


def checked(get, app):
    """Status, overall word, and the checks that are set up; nothing of an exception is to be seen."""
    response = get("/health", app)
    body = response.get_json()
    assert not re.search(r"Error|Traceback|127\.0\.0\.1|refused|password", response.text)
    known = {name: word for name, word in body["checks"].items() if word != "unknown"}
    return response.status_code, body["status"], known


def test_without_any_service(get, app):
    status, word, known = checked(get, app)
    assert (status, word, known["database"]) == (200, "healthy", "healthy")
    assert not {"cache", "storage", "email"} & set(known)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app@127.0.0.1:{port}/none",
        "sqlite:////nonexistent/folder/app.db",
        "sqlite:///{folder}",
        "sqlite:///{garbage}",
    ],
)
def test_a_dead_database(make_app, get, tmp_path, url):
    garbage = tmp_path / "garbage.db"
    garbage.write_bytes(b"this is not a database " * 100)
    app = make_app(DATABASE_URL=url.format(port=free_port(), folder=tmp_path, garbage=garbage))
    status, word, known = checked(get, app)
    assert (status, word, known["database"]) == (503, "unhealthy", "unhealthy")
    assert get("/health/ready", app).status_code == 503
    assert get("/health/live", app).status_code == 200
    assert get("/health", app, Accept="text/html").status_code == 503
    assert "Unhealthy" in get("/health", app, Accept="text/html").text


def test_a_database_that_does_not_answer(make_app, get):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        app = make_app(DATABASE_URL=f"postgresql://app@127.0.0.1:{silent.getsockname()[1]}/none")
        began = time.monotonic()
        assert checked(get, app)[:2] == (503, "unhealthy")
        assert time.monotonic() - began < 3


@pytest.mark.postgresql_only("SQLite has no pool that can run out")
def test_an_exhausted_pool_is_not_waited_for(make_app, get):
    app = make_app(DB_POOL_SIZE="1")
    from app.database import db

    with app.app_context(), db.engine.connect():
        status, _, known = checked(get, app)
        assert (status, known["database"]) == (200, "healthy")
        assert get("/health", app).get_json()["metrics"]["activeConnections"] == 1


@pytest.mark.parametrize(
    "check, values",
    [
        ("cache", {"REDIS_URL": "redis://127.0.0.1:{port}/0"}),
        ("storage", {"S3_BUCKET": "bucket", "S3_ENDPOINT_URL": "http://127.0.0.1:{port}", **S3_KEYS}),
        ("email", {"MAIL_SERVER": "127.0.0.1", "MAIL_PORT": "{port}"}),
    ],
)
def test_a_dead_service_degrades(make_app, get, check, values):
    port = free_port()
    app = make_app(**{name: value.format(port=port) for name, value in values.items()})
    status, word, known = checked(get, app)
    assert (status, word, known["database"], known[check]) == (200, "degraded", "healthy", "unhealthy")
    assert get("/health/ready", app).status_code == 200


@pytest.mark.parametrize(
    "check, values",
    [
        ("cache", {"REDIS_URL": "redis://127.0.0.1:{port}/0"}),
        ("storage", {"S3_BUCKET": "bucket", "S3_ENDPOINT_URL": "http://127.0.0.1:{port}", **S3_KEYS}),
        ("email", {"MAIL_SERVER": "127.0.0.1", "MAIL_PORT": "{port}"}),
    ],
)
def test_a_service_that_does_not_answer_degrades(make_app, get, check, values):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        app = make_app(**{name: value.format(port=port) for name, value in values.items()})
        began = time.monotonic()
        assert checked(get, app)[1:] == ("degraded", {"database": "healthy", check: "unhealthy"})
        assert time.monotonic() - began < 3


def test_redis(make_app, get):
    with redis_server() as running:
        assert checked(get, make_app(REDIS_URL=running.url))[2]["cache"] == "healthy"


def test_email(make_app, get):
    with smtp() as mailbox:
        app = make_app(MAIL_SERVER=mailbox.host, MAIL_PORT=str(mailbox.port), MAIL_USE_TLS="false")
        assert checked(get, app)[2]["email"] == "healthy"
        assert mailbox.messages == []


def test_a_mail_server_that_wants_another_password(make_app, get):
    with smtp(auth=("user", "right")) as mailbox:
        values = {"MAIL_SERVER": mailbox.host, "MAIL_PORT": str(mailbox.port), "MAIL_USE_TLS": "false"}
        app = make_app(**values, MAIL_USERNAME="user", MAIL_PASSWORD="wrong")
        assert checked(get, app)[1:] == ("degraded", {"database": "healthy", "email": "unhealthy"})


def test_storage(make_app, get):
    with s3() as storage:
        values = {
            "S3_ENDPOINT_URL": storage.endpoint_url,
            "AWS_ACCESS_KEY_ID": storage.access_key,
            "AWS_SECRET_ACCESS_KEY": storage.secret_key,
        }
        assert checked(get, make_app(**values, S3_BUCKET=storage.bucket))[2]["storage"] == "healthy"
        assert checked(get, make_app(**values, S3_BUCKET="another"))[2]["storage"] == "unhealthy"


def test_production_without_mail_is_unknown(make_app, get):
    app = make_app(ENVIRONMENT="production", BASE_URL="https://localhost", BCRYPT_COST="10")
    assert get("/health", app).get_json()["checks"]["email"] == "unknown"
