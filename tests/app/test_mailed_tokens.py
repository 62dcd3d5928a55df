"""Tokens in mailed links: derived anew each time, from a key that can be replaced, and stored nowhere."""

from uuid import UUID, uuid4

import pytest

from app.mailed_tokens import derive, digest, key_id, new_nonce
from tests.app.conftest import PRODUCTION

ROW = UUID("00000000-0000-4000-8000-000000000001")
OLD, NEW = PRODUCTION["SECRET_KEY"], "n3w-" + PRODUCTION["SECRET_KEY"]


def test_a_token_is_the_same_at_each_call(app):
    nonce, key = new_nonce(), key_id()
    token = derive("verify-email", ROW, nonce, key)
    assert token == derive("verify-email", ROW, nonce, key)
    assert len(token) == 43
    assert token.replace("-", "").replace("_", "").isalnum()


def test_everything_is_part_of_it(app):
    nonce, key = new_nonce(), key_id()
    tokens = {
        derive("verify-email", ROW, nonce, key),
        derive("reset-password", ROW, nonce, key),
        derive("verify-email", uuid4(), nonce, key),
        derive("verify-email", ROW, new_nonce(), key),
    }
    assert len(tokens) == 4


def test_a_replaced_key_still_makes_its_tokens(production):
    with production(SECRET_KEY=OLD).app_context():
        nonce, key = new_nonce(), key_id()
        before = derive("verify-email", ROW, nonce, key)
    with production(SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=f"{OLD},other").app_context():
        assert derive("verify-email", ROW, nonce, key) == before
        assert key_id() != key
        assert derive("verify-email", ROW, nonce, key_id()) != before
    with production(SECRET_KEY=NEW).app_context(), pytest.raises(LookupError):
        derive("verify-email", ROW, nonce, key)


def test_the_key_is_not_told_by_its_id(app):
    settings = app.config["SETTINGS"]
    assert len(key_id()) == 16
    assert key_id() not in settings.secret_key
    assert key_id() not in digest(settings.secret_key)
