"""What health asks of the things that the kernel uses: database, cache, storage, email."""

from threading import Lock

from flask import Flask
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from app import cache, storage
from app.database import engine_options
from app.mail import SafeConnection
from app.plugins import Check

_engine_lock = Lock()


def database(app: Flask) -> bool:
    """Ask the database over a connection of our own: an exhausted pool must be reported, not waited for."""
    settings = app.config["SETTINGS"]
    with _engine_lock:
        engine = app.extensions.get("health_engine")
        if engine is None:
            connect_args = engine_options(settings)["connect_args"]
            engine = create_engine(settings.database_url, poolclass=NullPool, connect_args=connect_args)
            app.extensions["health_engine"] = engine
    # SQLite opens anything; only reading shows that it is a database.
    question = "PRAGMA schema_version" if settings.is_sqlite else "SELECT 1"
    with engine.connect() as connection:
        connection.execute(text(question))
    return True


def redis(app: Flask) -> bool | None:
    """Ping Redis; None without REDIS_URL."""
    client = cache.client(app)
    return bool(client.ping()) if client is not None else None


def files(app: Flask) -> bool | None:
    """Ask for the bucket; None without S3_BUCKET."""
    kept = storage.storage(app)
    if not isinstance(kept, storage.Bucket):
        return None
    kept.check()
    return True


def email(app: Flask) -> bool | None:
    """Greet the mail server without sending; None without one."""
    if not app.config["MAIL_TRANSPORT"]:
        return None
    with app.app_context():
        host = SafeConnection(app.extensions["mail"]).configure_host()
        try:
            host.noop()
        finally:
            host.quit()
    return True


checks = (
    Check("database", database, critical=True),
    Check("cache", redis),
    Check("storage", files, cached_seconds=30),
    Check("email", email, cached_seconds=60),
)
