"""The same code with the services of production: PostgreSQL, Redis, S3 and a mail server, all real."""

import re
from collections.abc import Iterator

import pytest
import redis
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from app.errors import NotFound
from app.storage import storage
from tests.operations.processes import PRODUCTION, Running, Session, eventually, run, serving
from tests.services import ServiceUnavailable
from tests.services.redis_server import Redis, redis_server
from tests.services.s3 import S3, s3
from tests.services.smtp import ReceivedMessage, smtp

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def redis_here() -> Iterator[Redis]:
    try:
        with redis_server() as server:
            yield server
    except ServiceUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def bucket() -> Iterator[S3]:
    with s3() as found:
        yield found


def s3_settings(bucket: S3) -> dict[str, str]:
    return {
        "S3_BUCKET": bucket.bucket,
        "S3_ENDPOINT_URL": bucket.endpoint_url,
        "AWS_ACCESS_KEY_ID": bucket.access_key,
        "AWS_SECRET_ACCESS_KEY": bucket.secret_key,
        "AWS_REGION": bucket.region,
    }


def heroku_url(url: str) -> str:
    """The same database over TCP, in the scheme that Heroku writes."""
    parts = make_url(url)
    if "host" in parts.query:
        return f"postgres://{parts.username}@127.0.0.1:{parts.query['port']}/{parts.database}"
    return parts.set(drivername="postgres").render_as_string(hide_password=False)


@pytest.mark.postgresql_only("asks for the scheme of Heroku's DATABASE_URL")
def test_it_runs_on_postgresql_under_herokus_address(new_database, tmp_path):
    environ = PRODUCTION | {"DATABASE_URL": heroku_url(new_database()), "BASE_URL": "http://localhost"}
    for _ in range(2):  # a release phase finds nothing to do the second time
        done = run("flask db upgrade heads", environ)
        assert (done.returncode, done.stderr) == (0, "")
    with serving(environ, tmp_path) as web:
        health = web.call("GET", "/health")
        assert health.status == 200
        assert health.json["checks"]["database"] == "healthy"
        body = {"email": "ada@example.com", "password": PASSWORD}
        assert web.call("POST", "/api/auth/sign-up", data=body).status == 202
    with created(environ["DATABASE_URL"]) as connection:
        assert connection.scalar(text("SELECT email FROM users")) == "ada@example.com"
        assert connection.scalar(text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")) == 0


def created(url: str):
    engine = create_engine("postgresql+psycopg2" + url.removeprefix("postgres"), poolclass=NullPool)
    return engine.connect()


def test_limits_are_counted_in_redis_over_all_processes(migrated, redis_here, tmp_path):
    environ = migrated | {"REDIS_URL": redis_here.url, "LIMIT_SIGN_IN_ACCOUNT": "3/5 minutes"}
    body = {"email": "nobody@example.com", "password": "wrong wrong"}
    with serving(environ, tmp_path / "one") as one, serving(environ, tmp_path / "two") as two:
        statuses = [web.call("POST", "/api/auth/sign-in", data=body).status for web in (one, two, one, two, one)]
        assert statuses == [401, 401, 401, 429, 429]
        refused = two.call("POST", "/api/auth/sign-in", data=body)
        assert int(refused.headers["Retry-After"]) in range(1, 301)
        assert one.call("GET", "/health").json["checks"]["cache"] == "healthy"
    with redis.Redis.from_url(redis_here.url) as client:
        keys = client.keys("*sign-in-account*")
        assert keys
        assert all(client.ttl(key) > 0 for key in keys)
    engine = create_engine(migrated["DATABASE_URL"], poolclass=NullPool)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM limit_hits")) == 0


def test_files_are_kept_in_the_bucket(make_app, bucket):
    app = make_app(**s3_settings(bucket))
    kept = storage(app)
    kept.put("exports/members.csv", b"a,b\n", "text/csv")
    assert kept.get("exports/members.csv") == b"a,b\n"
    kept.put("exports/members.csv", b"c\n", "text/csv")
    assert kept.get("exports/members.csv") == b"c\n"
    kept.delete("exports/members.csv")
    kept.delete("exports/members.csv")
    with pytest.raises(NotFound):
        kept.get("exports/members.csv")


def test_health_asks_redis_and_the_bucket(make_app, bucket, redis_here):
    both = make_app(REDIS_URL=redis_here.url, **s3_settings(bucket))
    checks = both.test_client().get("/health").json["checks"]
    assert checks == checks | {"database": "healthy", "cache": "healthy", "storage": "healthy"}
    answer = make_app(**s3_settings(bucket) | {"S3_BUCKET": "not-there"}).test_client().get("/health")
    assert (answer.status_code, answer.json["status"]) == (200, "degraded")
    assert answer.json["checks"]["storage"] == "unhealthy"


def test_a_lost_redis_and_a_lost_bucket_only_degrade(make_app):
    nowhere = {"S3_BUCKET": "b", "S3_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "a"}
    app = make_app(REDIS_URL="redis://127.0.0.1:9/0", AWS_SECRET_ACCESS_KEY="b", **nowhere)
    answer = app.test_client().get("/health")
    assert (answer.status_code, answer.json["status"]) == (200, "degraded")
    checks = answer.json["checks"]
    assert checks == checks | {"database": "healthy", "cache": "unhealthy", "storage": "unhealthy"}
    body = {"email": "nobody@example.com", "password": "wrong wrong"}
    assert app.test_client().post("/api/auth/sign-in", json=body).status_code == 401  # counted in memory


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "starttls-and-password"])
def test_the_mail_of_a_sign_up_is_delivered(migrated, tmp_path, secured):
    auth = ("mailer", "let me in") if secured else None
    with smtp(tls=secured, auth=auth) as mailbox:
        environ = (
            migrated
            | PRODUCTION
            | {
                "BCRYPT_COST": "10",
                "MAIL_SERVER": "localhost",
                "MAIL_PORT": str(mailbox.port),
                "MAIL_USE_TLS": "true" if secured else "false",
                "MAIL_DEFAULT_SENDER": "Pitchey <team@example.com>",
            }
        )
        if auth is not None and mailbox.ca_file is not None:
            environ |= {"MAIL_USERNAME": auth[0], "MAIL_PASSWORD": auth[1], "SSL_CERT_FILE": mailbox.ca_file}
        with serving(environ, tmp_path) as web:
            person = Session(web.port)
            body = {"email": "ada@example.com", "password": PASSWORD}
            assert person.call("POST", "/api/auth/sign-up", data=body).status == 202
            (message,) = eventually(lambda: mailbox.messages, lambda: web.said)
            check_message(message, web)
            token = re.search(r"/auth/verify-email\?token=(\S+)", text_of(message))
            assert token
            verified = person.call("POST", "/api/auth/verify-email", data={"token": token[1]})
            assert verified.status == 200
            assert person.call("GET", "/api/auth/session").json["data"]["user"]["email"] == "ada@example.com"
            assert web.call("GET", "/health").json["checks"]["email"] == "healthy"
            assert web.call("GET", "/dev/mailbox").status == 404
        assert token[1] not in web.said
        assert "ada@example.com" not in web.said


def check_message(message: ReceivedMessage, web: Running) -> None:
    assert message.mail_from == "team@example.com"
    assert message.rcpt_tos == ("ada@example.com",)
    assert message["From"] == "Pitchey <team@example.com>"
    assert re.fullmatch(r"<[0-9a-f-]{36}@example.com>", message["Message-ID"])
    assert message["Auto-Submitted"] == "auto-generated"
    for part in ("plain", "html"):
        assert f"http://localhost:{web.port}/auth/verify-email?token=" in text_of(message, part)


def text_of(message: ReceivedMessage, part: str = "plain") -> str:
    body = message.get_body((part,))
    assert body is not None
    return body.get_content()


def test_a_mail_waits_for_a_server_that_nobody_can_trust(migrated, tmp_path):
    with smtp(tls=True) as mailbox:
        environ = migrated | {"MAIL_SERVER": "localhost", "MAIL_PORT": str(mailbox.port)}
        with serving(environ, tmp_path) as web:
            body = {"email": "ada@example.com", "password": PASSWORD}
            assert web.call("POST", "/api/auth/sign-up", data=body).status == 202
            eventually(lambda: "job_failed" in web.stdout)
            listed = run("flask jobs list --state queued", environ).stdout
            assert "mail.verify_email  SSLCertVerificationError" in listed
        assert mailbox.messages == []
