"""Passwords: what is refused, how they are stored, and how they are checked."""

import base64
import hashlib
import hmac
from functools import lru_cache

import bcrypt

from app import plugins
from app.addresses import address_key
from app.errors import ValidationFailed
from blueprints.auth.settings import AuthSettings

SCHEME = "bcrypt-sha384"  # bcrypt over base64(HMAC-SHA-384(pepper, password)): 64 bytes, under its 72
NO_PASSWORD = ""  # fits nothing: only a mailed link helps


def check_length(password: str, field: str) -> None:
    """Refuse a new password that is too short or too long; a part of the schema, before any limit counts.

    :raises ValidationFailed: with the sentence under `field`, the outside name.
    """
    settings = plugins.current(AuthSettings)
    if len(password) < settings.password_min_length:
        raise ValidationFailed({field: [f"Use at least {settings.password_min_length} characters."]})
    if len(password) > settings.password_max_length:
        raise ValidationFailed({field: [f"Use at most {settings.password_max_length} characters."]})


def check_password(password: str, email: str, field: str) -> None:
    """Refuse a new password that is too short, too long, or the address or product name itself.

    :raises ValidationFailed: with the sentence under `field`, the outside name.
    """
    check_length(password, field)
    product = plugins.kernel_settings().product_name
    if address_key(password) in (address_key(email), address_key(product)):
        raise ValidationFailed({field: ["Choose something other than your address or the product's name."]})


def hash_password(password: str) -> str:
    """The hash to store; it names its pepper. Takes about 0.2 s at cost 12: call it in the lane."""
    settings = plugins.kernel_settings()
    salt = bcrypt.gensalt(settings.bcrypt_cost)
    hashed = bcrypt.hashpw(_peppered(settings.password_pepper, password), salt).decode()
    return f"{SCHEME}${_id_of(settings.password_pepper)}${hashed}"


def verify_password(password: str, stored: str | None) -> bool:
    """Whether the password fits the stored hash; without one it takes as long and says no.

    Plain bcrypt hashes of an earlier system verify too.
    """
    if stored is None:
        bcrypt.checkpw(b"nobody", _dummy(plugins.kernel_settings().bcrypt_cost))
        return False
    if not stored.startswith(f"{SCHEME}$"):
        return bcrypt.checkpw(password.encode()[:72], stored.encode())
    _, pepper_id, hashed = stored.split("$", 2)
    settings = plugins.kernel_settings()
    for pepper in (settings.password_pepper, *settings.password_pepper_fallbacks):
        if _id_of(pepper) == pepper_id:
            return bcrypt.checkpw(_peppered(pepper, password), hashed.encode())
    return False


def needs_rehash(stored: str) -> bool:
    """Whether the hash has another scheme, pepper or cost than a new one would."""
    settings = plugins.kernel_settings()
    current = f"{SCHEME}${_id_of(settings.password_pepper)}$$2b${settings.bcrypt_cost:02d}$"
    return not stored.startswith(current)


def _peppered(pepper: str, password: str) -> bytes:
    return base64.b64encode(hmac.new(pepper.encode(), password.encode(), hashlib.sha384).digest())


def _id_of(pepper: str) -> str:
    return hashlib.sha256(b"pepper id:" + pepper.encode()).hexdigest()[:8]


@lru_cache
def _dummy(cost: int) -> bytes:
    return bcrypt.hashpw(b"somebody", bcrypt.gensalt(cost))
