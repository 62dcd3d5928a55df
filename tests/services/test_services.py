"""Each service really works."""

import contextlib
import smtplib
import ssl
from email.message import EmailMessage

import psycopg2
import pytest
import redis
import sentry_sdk
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from tests.services import install
from tests.services.postgres import create_database, drop_database, postgres
from tests.services.redis_server import redis_server
from tests.services.s3 import s3
from tests.services.sentry import parse_envelope, sentry
from tests.services.smtp import Mailbox, smtp


@pytest.fixture(scope="module")
def server():
    with postgres() as running:
        yield running


def test_postgres_answers_on_its_socket_and_on_tcp(server):
    for url in (server.url, server.tcp_url):
        plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        with contextlib.closing(psycopg2.connect(plain)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT current_database()")
            assert cursor.fetchone() == (make_url(url).database,)


def test_a_database_is_created_empty_and_dropped_under_a_client(server):
    url = create_database(server.url)
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        assert connection.scalar(text(tables)) == 0
        drop_database(url)
        with pytest.raises(OperationalError):
            connection.scalar(text("SELECT 1"))
    with pytest.raises(OperationalError, match="does not exist"):
        engine.connect()


def test_redis_answers():
    with redis_server() as running, redis.Redis.from_url(running.url) as client:
        assert client.ping()


def test_a_redis_can_come_back_on_its_port():
    with redis_server() as first:
        port = make_url(first.url).port
        if first.process is None:
            pytest.skip("TEST_REDIS_URL names a server that is not ours to stop")
        first.process.terminate()
        first.process.wait()
        with redis_server(port=port) as second, redis.Redis.from_url(second.url) as client:
            assert second.url == first.url
            assert client.ping()


def send(mailbox: Mailbox, ca_file: str | None = None, auth: tuple[str, str] | None = None) -> None:
    message = EmailMessage()
    message["Subject"] = "Grüße"
    message["From"] = "From <header@example.com>"
    message.set_content("Hello")
    message.add_alternative("<p>Hello</p>", subtype="html")
    with smtplib.SMTP(mailbox.host, mailbox.port, timeout=5) as client:
        if ca_file:
            client.starttls(context=ssl.create_default_context(cafile=ca_file))
        if auth:
            client.login(*auth)
        client.send_message(message, "envelope@example.com", ["one@example.com", "two@example.com"])


def test_a_mail_arrives():
    with smtp() as mailbox:
        send(mailbox)
    (message,) = mailbox.messages
    assert message["Subject"] == "Grüße"
    assert message.mail_from == "envelope@example.com"
    assert message.rcpt_tos == ("one@example.com", "two@example.com")
    assert message.get_body(("plain",)).get_content() == "Hello\n"
    assert message.get_body(("html",)).get_content() == "<p>Hello</p>\n"


def test_smtp_insists_on_tls_and_on_the_password():
    with smtp(tls=True, auth=("user", "password")) as mailbox:
        with pytest.raises(smtplib.SMTPException):
            send(mailbox)
        with pytest.raises(smtplib.SMTPException):
            send(mailbox, mailbox.ca_file)
        with pytest.raises(smtplib.SMTPAuthenticationError):
            send(mailbox, mailbox.ca_file, ("user", "wrong"))
        send(mailbox, mailbox.ca_file, ("user", "password"))
    assert len(mailbox.messages) == 1


def test_smtp_is_not_trusted_without_its_certificate():
    with smtp(tls=True) as mailbox, smtplib.SMTP(mailbox.host, mailbox.port, timeout=5) as client:
        with pytest.raises(ssl.SSLCertVerificationError):
            client.starttls(context=ssl.create_default_context())
        client.close()
    assert mailbox.messages == []


def test_smtp_can_ask_for_a_password_alone():
    with smtp(auth=("user", "password")) as mailbox:
        with pytest.raises(smtplib.SMTPSenderRefused):
            send(mailbox)
        send(mailbox, auth=("user", "password"))
    assert len(mailbox.messages) == 1


def test_s3_keeps_an_object():
    import boto3
    from botocore.config import Config

    with s3() as storage:
        client = boto3.client(
            "s3",
            endpoint_url=storage.endpoint_url,
            aws_access_key_id=storage.access_key,
            aws_secret_access_key=storage.secret_key,
            region_name=storage.region,
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )
        with contextlib.closing(client):
            client.put_object(Bucket=storage.bucket, Key="a/b.txt", Body=b"content")
            answer = client.get_object(Bucket=storage.bucket, Key="a/b.txt")
            with answer["Body"] as body:
                assert body.read() == b"content"


def test_sentry_receives_an_event():
    with sentry() as ingest:
        client = sentry_sdk.Client(dsn=ingest.dsn, default_integrations=False)
        with sentry_sdk.new_scope() as scope:
            scope.set_client(client)
            scope.capture_message("It broke.")
        client.close(timeout=5)
    assert [event["message"] for event in ingest.items("event")] == ["It broke."]


def test_an_envelope_may_hold_bytes_with_line_ends():
    body = b'{"event_id":"1"}\n{"type":"attachment","length":4}\n\xff\n\xff\n\n{"type":"event"}\n{"a":1}\n'
    assert parse_envelope(body) == (
        {"event_id": "1"},
        [({"type": "attachment", "length": 4}, b"\xff\n\xff\n"), ({"type": "event"}, {"a": 1})],
    )


def test_a_missing_program_is_announced_loudly(monkeypatch, capsys):
    monkeypatch.setattr(install, "chromium_path", lambda: None)
    monkeypatch.setattr(install, "has_redis", lambda: True)
    monkeypatch.setattr(install.shutil, "which", lambda _: None)
    install.main()
    assert "BROWSER TESTS WILL NOT RUN" in capsys.readouterr().err
