"""Sessions and devices: started, recognised in one query, ended for everyone at once."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from secrets import token_urlsafe
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import exists, or_, select, update
from sqlalchemy.orm import Session

from app import limits, plugins
from app.access import ADMIN_IDLE, Client, Identity
from app.database import db, end_read, transaction, utc_now
from app.errors import AppError, NotFound, Unauthorized
from app.mailed_tokens import digest
from blueprints.auth.lane import lane
from blueprints.auth.models import AccessToken, Device, User, UserSession
from blueprints.auth.schemas import Reauthenticate, SessionRow
from blueprints.auth.services.passwords import verify_password
from blueprints.auth.settings import AuthSettings

SHORT = timedelta(hours=12)
LONG = timedelta(days=30)
LONG_IDLE = timedelta(days=14)
MOST = 20
NEVER = datetime.min.replace(tzinfo=UTC)


class CurrentPasswordIncorrect(AppError):
    status, code, message = 401, "UNAUTHORIZED", "Current password is incorrect"
    field = "current_password"


class PasswordIncorrect(CurrentPasswordIncorrect):
    field = "password"


@dataclass(frozen=True)
class Started:
    """A session that has just begun, or got a new cookie: the only moment its token is known."""

    token: str
    session_id: UUID
    user: User
    expires_at: datetime
    max_age_seconds: int | None
    device: str | None = None


def identify(cookie: str | None, bearer: str | None) -> Identity | None:
    """Who a cookie or an access token belongs to; one indexed query, its connection given back."""
    if bearer is not None:
        found = _identify_token(bearer) if bearer.startswith("pat_") else None
    else:
        found = _identify_session(cookie or "")
    end_read()
    return found


def _identify_session(cookie: str) -> Identity | None:
    query = (
        select(User, UserSession)
        .join(UserSession, UserSession.user_id == User.id)
        .where(UserSession.token_hash == digest(cookie), *alive())
    )
    row = db.session.execute(query).first()
    return _identity(row.User, row.UserSession, None) if row else None


def _identify_token(bearer: str) -> Identity | None:
    query = (
        select(User, AccessToken)
        .join(AccessToken, AccessToken.user_id == User.id)
        .where(AccessToken.token_hash == digest(bearer), AccessToken.expires_at > utc_now())
        .where(User.disabled_at.is_(None))
    )
    row = db.session.execute(query).first()
    return _identity(row.User, None, row.AccessToken) if row else None


def _identity(user: User, session: UserSession | None, token: AccessToken | None) -> Identity:
    seen_at = session.last_seen_at if session else token.last_used_at or NEVER if token else None
    return Identity(
        user_id=user.id,
        email=user.email,
        name=user.name,
        username=user.username,
        user_type=user.user_type,
        is_admin=user.is_admin,
        created_at=user.created_at,
        session_id=session.id if session else None,
        token_id=token.id if token else None,
        expires_at=ends_at(session) if session else None,
        last_seen_at=seen_at,
        reauthenticated_at=session.reauthenticated_at if session else None,
    )


def alive() -> tuple[Any, ...]:
    """The conditions under which a session counts; they need its user beside it."""
    return *running(), User.disabled_at.is_(None)


def running() -> tuple[Any, ...]:
    """The conditions under which a session has not come to an end."""
    now = utc_now()
    in_use = or_(UserSession.remember.is_(False), UserSession.last_seen_at > now - LONG_IDLE)
    return UserSession.ended_at.is_(None), UserSession.expires_at > now, in_use


def ends_at(session: UserSession) -> datetime:
    """The earlier of a session's two ends."""
    return min(session.expires_at, session.last_seen_at + LONG_IDLE) if session.remember else session.expires_at


def seen(who: Identity, client: Client) -> None:
    """Remember when a session or token was last used, and from where; called at most once a minute."""
    with transaction() as session:
        if who.token_id is not None:
            session.execute(update(AccessToken).where(AccessToken.id == who.token_id).values(last_used_at=utc_now()))
            return
        values = {"last_seen_at": utc_now(), "ip_address": client.ip, "user_agent": client.user_agent}
        if who.last_seen_at is not None and utc_now() - who.last_seen_at > ADMIN_IDLE:
            values["reauthenticated_at"] = None  # an administrator who was away proves the password again
        mine = update(UserSession).where(UserSession.id == who.session_id, UserSession.ended_at.is_(None))
        session.execute(mine.values(values))


def start_session(
    session: Session, user: User, client: Client, *, remember: bool = False, replaces: UUID | None = None
) -> Started:
    """Begin a session inside the current transaction; the one it `replaces` ends, and the oldest beyond 20."""
    now = utc_now()
    token = token_urlsafe(32)
    row = UserSession(id=uuid4(), user_id=user.id, token_hash=digest(token), remember=remember)
    row.ip_address, row.user_agent = client.ip, client.user_agent
    row.created_at = row.last_seen_at = row.reauthenticated_at = now
    row.expires_at = now + (LONG if remember else SHORT)
    if replaces is not None:
        end_sessions(session, "sign-in", UserSession.id == replaces)
    open_ones = select(UserSession.id).where(UserSession.user_id == user.id, *running())
    surplus = session.scalars(open_ones.order_by(UserSession.created_at.desc()).offset(MOST - 1)).all()
    end_sessions(session, "too many sessions", UserSession.id.in_(surplus))
    session.add(row)
    device = _know_device(session, user.id, client.device)
    return Started(token, row.id, user, ends_at(row), int(LONG.total_seconds()) if remember else None, device)


def rotate(session: Session, session_id: UUID, user: User, *, reauthenticated: bool) -> Started:
    """Give a session a new cookie value inside the current transaction.

    :raises Unauthorized: it has ended in the meantime.
    """
    row = session.get(UserSession, session_id)
    if row is None or row.ended_at is not None:
        raise Unauthorized
    token = token_urlsafe(32)
    row.token_hash = digest(token)
    row.last_seen_at = utc_now()
    if reauthenticated:
        row.reauthenticated_at = utc_now()
    max_age = int((row.expires_at - utc_now()).total_seconds()) if row.remember else None
    return Started(token, row.id, user, ends_at(row), max_age)


def end_sessions(session: Session, reason: str, *which: Any) -> int:
    """End the running sessions that `which` selects, inside the current transaction; returns how many."""
    ended = update(UserSession).where(*running(), *which)
    return session.execute(ended.values(ended_at=utc_now(), ended_by=reason)).rowcount  # type: ignore[attr-defined]


def sign_out(who: Identity | None) -> None:
    """End the current session; fine when nobody is signed in."""
    if who is not None and who.session_id is not None:
        with transaction() as session:
            end_sessions(session, "sign-out", UserSession.id == who.session_id)


def list_sessions(who: Identity) -> list[SessionRow]:
    """The caller's sessions that still count, newest first, the current one marked."""
    query = (
        select(UserSession)
        .join(User, User.id == UserSession.user_id)
        .where(UserSession.user_id == who.user_id, *alive())
        .order_by(UserSession.created_at.desc(), UserSession.id)
    )
    return [
        SessionRow(
            id=row.id,
            current=row.id == who.session_id,
            ip_address=row.ip_address,
            user_agent=row.user_agent,
            created_at=row.created_at,
            last_seen_at=row.last_seen_at,
            expires_at=ends_at(row),
        )
        for row in db.session.scalars(query)
    ]


def end_session(who: Identity, session_id: UUID) -> None:
    """End one of the caller's sessions.

    :raises NotFound: absent, ended already, or someone else's.
    """
    with transaction() as session:
        mine = UserSession.id == session_id, UserSession.user_id == who.user_id
        if not end_sessions(session, "you", *mine):
            raise NotFound


def end_other_sessions(who: Identity) -> int:
    """End every session of the caller but the current one; returns how many."""
    with transaction() as session:
        return end_sessions(session, "you", UserSession.user_id == who.user_id, UserSession.id != who.session_id)


def reauthenticate(who: Identity, form: Reauthenticate) -> Started:
    """Prove the password again: opens ten minutes, and gives the session a new cookie value.

    :raises PasswordIncorrect:
    """
    count_password_check(who)
    with lane():
        user = db.session.get_one(User, who.user_id)
        end_read()
        if not verify_password(form.password, user.password_hash):
            raise PasswordIncorrect
    with transaction() as session:
        assert who.session_id is not None  # noqa: S101  access let only a session come here
        return rotate(session, who.session_id, session.get_one(User, who.user_id), reauthenticated=True)


def count_password_check(who: Identity) -> None:
    """Count a try of the current password, over all sessions of the user.

    :raises app.errors.RateLimited:
    """
    limits.count("password-check", plugins.current(AuthSettings).limit_password_check, str(who.user_id))


def is_known_device(user_id: UUID | None, device: str | None) -> bool:
    """Whether a device cookie belongs to a browser that signed in to this account before."""
    if user_id is None or not device:
        return False
    known = exists().where(Device.user_id == user_id, Device.token_hash == digest(device))
    return bool(db.session.scalar(select(known)))


def _know_device(session: Session, user_id: UUID, device: str | None) -> str | None:
    """Remember this browser; returns a cookie value to send when it has none that we know."""
    if is_known_device(user_id, device):
        return None
    value = device if device and len(device) == 43 and device.isascii() else token_urlsafe(32)
    session.add(Device(user_id=user_id, token_hash=digest(value)))
    return value
