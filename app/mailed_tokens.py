"""Tokens in mailed links: derived from the secret key, never stored, so a dump of the database holds none."""

import base64
import hashlib
import hmac
from secrets import token_hex
from typing import Any
from uuid import UUID

from flask import current_app


def new_nonce() -> str:
    """A fresh random part for a token's row."""
    return token_hex(16)


def key_id() -> str:
    """Which SECRET_KEY new tokens are derived from."""
    return _id_of(current_app.config["SETTINGS"].secret_key)


def derive(purpose: str, row_id: UUID, nonce: str, key: str) -> str:
    """The token of a row: base64url(HMAC-SHA-256(key, purpose, id, nonce)), 43 characters.

    The same at each call, so a mail that is sent again carries the same link.
    :raises LookupError: the key it was made with is neither SECRET_KEY nor one of its fallbacks.
    """
    settings: Any = current_app.config["SETTINGS"]
    for secret in (settings.secret_key, *settings.secret_key_fallbacks):
        if _id_of(secret) == key:
            mac_key = hashlib.sha256(b"mailed token:" + secret.encode()).digest()
            message = f"{purpose}\0{row_id}\0{nonce}".encode()
            digest = hmac.new(mac_key, message, hashlib.sha256).digest()
            return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    raise LookupError(f"No key {key}")


def digest(token: str) -> str:
    """What is stored of any token: its SHA-256 in hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()


def _id_of(secret: str) -> str:
    return hashlib.sha256(b"key id:" + secret.encode()).hexdigest()[:16]
