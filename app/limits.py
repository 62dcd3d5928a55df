"""How often something may be tried: one function that counts, exact over every process.

With REDIS_URL the hits live in Redis, else in a table of the application's database. A lost Redis falls
back to this process's memory with the limit divided by the processes, and is asked again after a while.
"""

import hashlib
import ipaddress
import math
import re
import time
from functools import cached_property
from typing import Annotated, Any

from flask import Flask, current_app
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage
from limits.storage.base import MovingWindowSupport, Storage
from limits.strategies import MovingWindowRateLimiter
from pydantic import AfterValidator, ValidationInfo
from sqlalchemy import BigInteger, Float, Identity, Index, Integer, String, delete, func, insert, literal, select, text
from sqlalchemy.orm import Mapped, mapped_column

from app import log
from app.database import Base, db, transaction
from app.errors import RateLimited
from app.jobs import Job

REDIS_RETRY_SECONDS = 30
NUMBER = "[1-9][0-9]{0,8}"
SYNTAX = re.compile(rf"{NUMBER}\s*(/|per)\s*({NUMBER})?\s*(second|minute|hour|day|month|year)s?", re.IGNORECASE)


def check_limit(value: str, info: ValidationInfo) -> str:
    """A limit in the syntax of `limits` (`10/5 minutes`, several joined by `;`), or `off` outside production."""
    if value == "off":
        environ = (info.context or {}).get("environ", {})
        if environ.get("ENVIRONMENT", "production") == "production":
            raise ValueError("off is not allowed in production")
        return value
    if not all(SYNTAX.fullmatch(part.strip()) for part in value.split(";")):
        raise ValueError("write it like 10/5 minutes")
    return value


Limit = Annotated[str, AfterValidator(check_limit)]


class LimitHit(Base):
    """One counted try; the key is a hash, so no address stands here."""

    __tablename__ = "limit_hits"
    __table_args__ = (Index("idx_limit_hits_key_at", "key", "at"), Index("idx_limit_hits_expires_at", "expires_at"))

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True)
    key: Mapped[str] = mapped_column(String(64))
    at: Mapped[float] = mapped_column(Float)  # seconds since 1970
    expires_at: Mapped[float] = mapped_column(Float)


class DatabaseStorage(Storage, MovingWindowSupport):
    """A storage of the `limits` library in the application's database: a moving window, exact under races."""

    STORAGE_SCHEME = ["database"]

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        return ()

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count a hit if the window of `expiry` seconds still has room for it."""
        if amount != 1:
            raise NotImplementedError("tries are counted one by one")
        now, key = time.time(), hashed(key)
        within = select(func.count()).where(LimitHit.key == key, LimitHit.at > now - expiry).scalar_subquery()
        hit = select(literal(key), literal(now), literal(now + expiry)).where(within < limit)
        with transaction() as session:
            if db.engine.dialect.name == "postgresql":  # SQLite: the transaction itself is alone
                session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key})
            counted = session.execute(insert(LimitHit).from_select(("key", "at", "expires_at"), hit))
            return counted.rowcount == 1  # type: ignore[attr-defined]

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """When the oldest hit in the window was, in seconds since 1970, and how many there are."""
        now, key = time.time(), hashed(key)
        with transaction() as session:
            query = select(func.min(LimitHit.at), func.count()).where(LimitHit.key == key, LimitHit.at > now - expiry)
            oldest, count = session.execute(query).one()
        return (oldest if oldest is not None else now), count

    def check(self) -> bool:
        return True

    def clear(self, key: str) -> None:
        with transaction() as session:
            session.execute(delete(LimitHit).where(LimitHit.key == hashed(key)))

    def reset(self) -> int | None:
        with transaction() as session:
            return session.execute(delete(LimitHit)).rowcount  # type: ignore[attr-defined]

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        raise NotImplementedError("only the moving window is counted here")

    def get(self, key: str) -> int:
        raise NotImplementedError("only the moving window is counted here")

    def get_expiry(self, key: str) -> float:
        raise NotImplementedError("only the moving window is counted here")


def hashed(key: str) -> str:
    """The key under which hits are stored."""
    return hashlib.sha256(key.encode()).hexdigest()


class Counter:
    """Counts hits in the shared storage, or in this process while Redis does not answer."""

    def __init__(self, settings: Any) -> None:
        self.processes = max(1, settings.web_concurrency)
        self.shared_again_at = 0.0
        options: dict[str, Any] = {}
        if settings.redis_url:
            options = {"socket_timeout": 0.25, "socket_connect_timeout": 0.25, **redis_options(settings)}
        limiter = Limiter(
            get_remote_address,
            # Its hooks look at every request for limits of views, and there are none: services count, never a
            # view (one served twice would have two buckets). On an application of its own they cost nothing.
            app=Flask("limits"),
            storage_uri=settings.redis_url or "database://",
            storage_options=options,
            strategy="moving-window",
            key_prefix="limit",
        )
        self.shared = limiter.limiter
        self.uses_redis = bool(settings.redis_url)

    def hit(self, item: RateLimitItem, name: str, *identifiers: str) -> int | None:
        """Count one try; None when it fits, else the whole seconds until it would. No identifier is stored."""
        identifiers = (name, hashed("\0".join(identifiers)))
        if self.uses_redis:
            return self._hit_redis(item, *identifiers)
        return self._hit(self.shared, item, *identifiers)

    def _hit_redis(self, item: RateLimitItem, *identifiers: str) -> int | None:
        import redis

        if time.monotonic() >= self.shared_again_at:
            try:
                return self._hit(self.shared, item, *identifiers)
            except redis.RedisError as error:
                self.shared_again_at = time.monotonic() + REDIS_RETRY_SECONDS
                log.warning("limits_fall_back", error_type=type(error).__name__)
        smaller = type(item)(max(1, item.amount // self.processes), item.multiples)
        return self._hit(self.local, smaller, *identifiers)

    @cached_property
    def local(self) -> MovingWindowRateLimiter:
        """This process's own count; made at its first use, for its storage starts a thread."""
        return MovingWindowRateLimiter(MemoryStorage())

    def _hit(self, strategy: Any, item: RateLimitItem, *identifiers: str) -> int | None:
        if strategy.hit(item, *identifiers):
            return None
        reset_at, _ = strategy.get_window_stats(item, *identifiers)
        return max(1, math.ceil(reset_at - time.time()))


def redis_options(settings: Any) -> dict[str, Any]:
    """A dyno's Redis has a self-signed certificate; only there is it not verified."""
    if settings.dyno and str(settings.redis_url).startswith("rediss://"):
        return {"ssl_cert_reqs": None}
    return {}


def init_app(app: Flask, settings: Any) -> None:
    """Set up counting; connects to nothing."""
    app.extensions["limits"] = Counter(settings)


def count(name: str, limit: str, *identifiers: str) -> None:
    """Count one try of `name` by `identifiers` against `limit`, in a transaction of its own.

    Call it before the use case opens its transaction, so that a rollback gives no try back.
    :raises RateLimited: with the seconds until the next try.
    """
    wait = tried(name, limit, *identifiers)
    if wait is not None:
        log.info("limit_hit", limit=name)
        raise RateLimited(wait)


def tried(name: str, limit: str, *identifiers: str) -> int | None:
    """Like `count`, for limits that answer silently: None when it fits, else the seconds to wait."""
    if limit == "off":
        return None
    counter: Counter = current_app.extensions["limits"]
    for item in parse_many(limit):
        wait = counter.hit(item, name, *identifiers)
        if wait is not None:
            return wait
    return None


def ip_bucket(ip: str) -> str:
    """What an address counts as: IPv6 by its /64; no address is a bucket of its own."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return "unknown"
    if address.version == 6:
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def prune() -> None:
    """Forget hits that no window reaches any more."""
    with transaction() as session:
        session.execute(delete(LimitHit).where(LimitHit.expires_at < time.time()))


pruning = Job("limits.prune", prune, every_seconds=600)
