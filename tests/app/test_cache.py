"""Redis, when it is configured."""

import pytest
import redis
from flask import Flask

from app import cache
from tests.services.redis_server import redis_server


def test_without_redis_there_is_none(app):
    assert cache.client(app) is None
    assert cache.client() is None


def test_one_client_a_process(make_app):
    with redis_server() as server:
        app: Flask = make_app(REDIS_URL=server.url)
        client = cache.client(app)
        assert client.ping()
        assert cache.client(app) is client
        client.set("key", "value", ex=60)
        assert client.get("key") == b"value"
        client.close()


def test_a_lost_redis_is_an_error_and_no_wait(make_app):
    client = cache.client(make_app(REDIS_URL="redis://127.0.0.1:1/0"))
    assert client.connection_pool.connection_kwargs["socket_timeout"] == cache.TIMEOUT_SECONDS
    assert client.connection_pool.connection_kwargs["socket_connect_timeout"] == cache.TIMEOUT_SECONDS
    with pytest.raises(redis.ConnectionError):
        client.ping()
    client.close()


@pytest.mark.parametrize("dyno, verified", [("web.1", False), ("", True)])
def test_only_a_dynos_redis_is_not_verified(production, environ, dyno, verified):
    app = production(REDIS_URL="rediss://:secret@127.0.0.1:1/0", DYNO=dyno)
    options = cache.client(app).connection_pool.connection_kwargs
    assert ("ssl_cert_reqs" not in options) is verified
