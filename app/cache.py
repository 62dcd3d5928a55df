"""Redis, when it is configured; loaded at its first use."""

from typing import Any

from flask import Flask, current_app

from app.limits import redis_options

TIMEOUT_SECONDS = 0.25


def client(app: Flask | None = None) -> Any:
    """The Redis client of this process, or None without REDIS_URL; every command has a deadline."""
    app = app or current_app._get_current_object()  # type: ignore[attr-defined]
    settings = app.config["SETTINGS"]
    if not settings.redis_url:
        return None
    if "redis" not in app.extensions:
        from redis import Redis
        from redis.backoff import ExponentialWithJitterBackoff
        from redis.retry import Retry

        app.extensions["redis"] = Redis.from_url(
            settings.redis_url,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(ExponentialWithJitterBackoff(base=0.02, cap=0.2), 1),
            **redis_options(settings),
        )
    return app.extensions["redis"]
