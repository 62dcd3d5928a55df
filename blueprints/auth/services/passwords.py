"""Passwords: what is refused, how they are stored, and how they are checked."""

import base64
import hashlib
import hmac
import re
from functools import cache

import bcrypt

from app import log, plugins
from app.addresses import address_key
from app.errors import ValidationFailed
from blueprints.auth.services.breaches import is_breached
from blueprints.auth.services.common_passwords import is_common
from blueprints.auth.settings import AuthSettings

SCHEME = "bcrypt-sha384"  # bcrypt over base64(HMAC-SHA-384(pepper, password)): 64 bytes, under its 72
NO_PASSWORD = ""  # fits nothing: only a mailed link helps
STORED = re.compile(
    rf"(?:{SCHEME}\$(?P<pepper_id>[0-9a-f]{{8}})\$)?"
    r"(?P<hashed>\$2[aby]\$(?P<cost>0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31})"
)


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
    """Refuse a new password that is too short, too long, the address or product name, common, or known from a breach.

    May ask a service for half a second: call it outside the lane, and hold no database connection.
    :raises ValidationFailed: with the sentence under `field`, the outside name.
    """
    check_length(password, field)
    product = plugins.kernel_settings().product_name
    if address_key(password) in (address_key(email), address_key(product)):
        raise ValidationFailed({field: ["Choose something other than your address or the product's name."]})
    if is_common(password):
        raise ValidationFailed({field: ["This password is one of the most common ones. Choose another."]})
    if is_breached(password):
        raise ValidationFailed({field: ["This password has appeared in a data breach. Choose another."]})


def hash_password(password: str) -> str:
    """The hash to store; it names its pepper. Takes about 0.2 s at cost 12: call it in the lane."""
    settings = plugins.kernel_settings()
    salt = bcrypt.gensalt(settings.bcrypt_cost)
    hashed = bcrypt.hashpw(_peppered(settings.password_pepper, password), salt).decode()
    return f"{SCHEME}${_id_of(settings.password_pepper)}${hashed}"


def verify_password(password: str, stored: str | None) -> bool:
    """Whether the password fits the stored hash; any no takes as long as hashing does, so it tells nothing.

    No account (None), NO_PASSWORD, a broken hash and one whose pepper is gone fit nothing. Plain bcrypt hashes
    of an earlier system verify too. Only a hash of a higher cost than BCRYPT_COST takes longer.
    """
    cost = plugins.kernel_settings().bcrypt_cost
    found = STORED.fullmatch(stored or NO_PASSWORD)
    if stored and not found:
        log.warning("password_hash_malformed")
    secret = _secret(password, found["pepper_id"]) if found else None
    if found is None or secret is None:
        _spend(cost)
        return False
    if bcrypt.checkpw(secret, found["hashed"].encode()):
        return True
    # A cheaper hash has cost 2**lower; with 2**lower + … + 2**(cost - 1) that makes 2**cost.
    for lower in range(int(found["cost"]), cost):
        _spend(lower)
    return False


def needs_rehash(stored: str) -> bool:
    """Whether the hash has another scheme, pepper or cost than a new one would."""
    settings = plugins.kernel_settings()
    current = f"{SCHEME}${_id_of(settings.password_pepper)}$$2b${settings.bcrypt_cost:02d}$"
    return not stored.startswith(current)


def _secret(password: str, pepper_id: str | None) -> bytes | None:
    """What bcrypt gets to see of a password; None when its pepper is unknown."""
    if pepper_id is None:
        return password.encode()[:72]  # as the systems did that stored a plain hash
    settings = plugins.kernel_settings()
    for pepper in (settings.password_pepper, *settings.password_pepper_fallbacks):
        if _id_of(pepper) == pepper_id:
            return _peppered(pepper, password)
    _warn_of_unknown(pepper_id)
    return None


@cache
def _warn_of_unknown(pepper_id: str) -> None:
    """Once for each: such hashes come with every sign-in that fails for it."""
    log.warning("pepper_unknown", key_id=pepper_id)


def _spend(cost: int) -> None:
    """Work as long as checking a password of this cost; the hash is nobody's."""
    bcrypt.checkpw(b"nobody", f"$2b${cost:02d}${'.' * 53}".encode())


def _peppered(pepper: str, password: str) -> bytes:
    return base64.b64encode(hmac.new(pepper.encode(), password.encode(), hashlib.sha384).digest())


def _id_of(pepper: str) -> str:
    return hashlib.sha256(b"pepper id:" + pepper.encode()).hexdigest()[:8]
