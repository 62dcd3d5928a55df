"""What accounts remember: users, their sessions, devices, access tokens and mailed tokens."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Index, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, UtcDateTime, utc_now


class User(Base):
    """One account; `email_key` is the canonical form under which an address exists once."""

    __tablename__ = "users"
    __table_args__ = (
        Index("idx_users_email", "email_key", unique=True),
        Index("idx_users_username", "username", unique=True),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    email: Mapped[str] = mapped_column(String(254))
    email_key: Mapped[str] = mapped_column(String(254))
    name: Mapped[str | None] = mapped_column(String(100))
    username: Mapped[str | None] = mapped_column(String(30))
    user_type: Mapped[str] = mapped_column(String(20), default="creator")
    password_hash: Mapped[str] = mapped_column(String(200))  # empty: no password fits, only a mailed link helps
    is_admin: Mapped[bool] = mapped_column(default=False)
    sign_up_id: Mapped[str] = mapped_column(String(32))  # fresh at each sign-up, so the first one's browser is void
    email_verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, onupdate=utc_now)

    @property
    def email_verified(self) -> bool:
        return self.email_verified_at is not None


class UserSession(Base):
    """One signed-in browser; only the hash of its cookie is kept, and its public id survives rotation."""

    __tablename__ = "sessions"
    __table_args__ = (
        Index("idx_sessions_user_id", "user_id"),
        Index("idx_sessions_token", "token_hash", unique=True),
        Index("idx_sessions_expires_at", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    token_hash: Mapped[str] = mapped_column(String(64))
    remember: Mapped[bool] = mapped_column(default=False)
    ip_address: Mapped[str] = mapped_column(String(45))
    user_agent: Mapped[str] = mapped_column(String(300))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    reauthenticated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_by: Mapped[str | None] = mapped_column(String(40))  # a value of `sessions.End`
    ended_ip: Mapped[str | None] = mapped_column(String(45))  # from where, when a person's request ended it
    ended_user_agent: Mapped[str | None] = mapped_column(String(300))


class Device(Base):
    """A browser that has signed in to an account before."""

    __tablename__ = "devices"
    __table_args__ = (
        Index("idx_devices_user_id_token_hash", "user_id", "token_hash", unique=True),
        Index("idx_devices_last_used_at", "last_used_at"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    token_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=utc_now)  # at a sign-in


class AccessToken(Base):
    """A named bearer token for programs; only its hash is kept."""

    __tablename__ = "access_tokens"
    __table_args__ = (
        Index("idx_access_tokens_user_id", "user_id"),
        Index("idx_access_tokens_token_hash", "token_hash", unique=True),
        Index("idx_access_tokens_expires_at", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(100))
    token_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class MailedToken(Base):
    """One link that was mailed: enough to derive it again and to recognise it, never the token itself."""

    __tablename__ = "mailed_tokens"
    __table_args__ = (
        Index("idx_mailed_tokens_user_id", "user_id"),
        Index("idx_mailed_tokens_token_hash", "token_hash", unique=True),
        Index("idx_mailed_tokens_expires_at", "expires_at"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    purpose: Mapped[str] = mapped_column(String(30))  # a name that `mailed.purpose` knows
    address: Mapped[str | None] = mapped_column(String(254))  # where the link went: using it proves that mailbox
    nonce: Mapped[str] = mapped_column(String(32))
    key_id: Mapped[str] = mapped_column(String(16))
    token_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # used, or superseded by a newer one
