"""Sessions: started, given new cookies, listed, and ended for everyone at once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from secrets import token_urlsafe
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import and_, func, not_, or_, select, update
from sqlalchemy.orm import Session

from app.access import Client, Identity
from app.database import db, transaction, utc_now
from app.errors import NotFound, Unauthorized
from app.mailed_tokens import digest
from blueprints.auth.models import User, UserSession
from blueprints.auth.schemas import EndedSession, SessionRow
from blueprints.auth.services import devices

SHORT = timedelta(hours=12)
LONG = timedelta(days=30)
LONG_IDLE = timedelta(days=14)
MOST = 20
TOLD_FOR = timedelta(days=30)  # how long the account page knows what ended a session
TOLD = 10
CANDIDATES = 100


class End(StrEnum):
    """What ended a session; `auth/ended.html` has a sentence for each."""

    EXPIRED = "expired"  # never stored: read from the times
    SIGN_OUT = "sign-out"
    SIGN_IN = "sign-in"  # another sign-in in the same browser
    TOO_MANY = "too many sessions"
    YOU = "you"
    PASSWORD_CHANGE = "password change"  # noqa: S105  not a password
    PASSWORD_RESET = "password reset"  # noqa: S105
    NOT_ME = "not me"
    ADDRESS_RESTORED = "address restored"
    NEW_OWNER = "a new owner of the mailbox"
    OPERATOR = "an operator"


@dataclass(frozen=True)
class Started:
    """A session that has just begun, or got a new cookie: the only moment its token is known."""

    token: str
    session_id: UUID
    user: User
    expires_at: datetime
    max_age_seconds: int | None
    device: str | None = None


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


def start_session(
    session: Session, user: User, client: Client, *, remember: bool = False, replaces: str | None = None
) -> Started:
    """Begin a session inside the current transaction; the one of the cookie it `replaces` ends, and the oldest
    beyond 20.

    The user's row is locked.
    """
    now = utc_now()
    token = token_urlsafe(32)
    row = UserSession(id=uuid4(), user_id=user.id, token_hash=digest(token), remember=remember)
    row.ip_address, row.user_agent = client.ip, client.user_agent
    row.created_at = row.last_seen_at = row.reauthenticated_at = now
    row.expires_at = now + (LONG if remember else SHORT)
    if replaces is not None:
        end_sessions(session, End.SIGN_IN, UserSession.token_hash == digest(replaces), by=client)
    open_ones = select(UserSession.id).where(UserSession.user_id == user.id, *running())
    surplus = session.scalars(open_ones.order_by(UserSession.created_at.desc()).offset(MOST - 1)).all()
    end_sessions(session, End.TOO_MANY, UserSession.id.in_(surplus), by=client)
    session.add(row)
    device = devices.remember(session, user.id, client.device)
    return Started(token, row.id, user, ends_at(row), int(LONG.total_seconds()) if remember else None, device)


def rotate(session: Session, session_id: UUID, user: User) -> Started:
    """Give a session whose password was just proved a new cookie value, inside the current transaction.

    :raises Unauthorized: it has ended in the meantime.
    """
    row = session.get(UserSession, session_id)
    if row is None or row.ended_at is not None:
        raise Unauthorized
    token = token_urlsafe(32)
    row.token_hash = digest(token)
    row.last_seen_at = row.reauthenticated_at = utc_now()
    max_age = int((row.expires_at - utc_now()).total_seconds()) if row.remember else None
    return Started(token, row.id, user, ends_at(row), max_age)


def end_sessions(session: Session, reason: End, *which: Any, by: Client | None) -> int:
    """End the running sessions that `which` selects, inside the current transaction; returns how many.

    `by` is whose request ended them, None when nobody's did.
    """
    ended: dict[str, Any] = {"ended_at": utc_now(), "ended_by": reason.value}
    if by is not None:
        ended |= {"ended_ip": by.ip, "ended_user_agent": by.user_agent}
    found = session.execute(update(UserSession).where(*running(), *which).values(ended))
    return found.rowcount  # type: ignore[attr-defined]


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


def list_ended(who: Identity) -> list[EndedSession]:
    """The caller's last ten sessions that ended within 30 days, latest end first, and what ended them."""
    since = utc_now() - TOLD_FOR
    # The database orders by the end it knows. Only a remembered session that idled out ended earlier than that,
    # and no more than 62 can have within 30 days: 20 run at a time, each for 14 days or longer.
    known_end = func.coalesce(UserSession.ended_at, UserSession.expires_at)
    over = UserSession.user_id == who.user_id, not_(and_(*running())), known_end > since
    rows = db.session.scalars(select(UserSession).where(*over).order_by(known_end.desc()).limit(CANDIDATES))
    found = sorted((ended_out(row) for row in rows), key=lambda row: row.ended_at, reverse=True)
    return [row for row in found if row.ended_at > since][:TOLD]


def find_ended(cookie: str) -> EndedSession | None:
    """What ended the session that a cookie stood for, None when it runs, was signed out, or never was."""
    row = db.session.scalar(select(UserSession).where(UserSession.token_hash == digest(cookie)))
    if (
        row is None
        or row.ended_by in (End.SIGN_OUT, End.SIGN_IN)
        or (row.ended_at is None and ends_at(row) > utc_now())
    ):
        return None
    return ended_out(row)


def ended_out(row: UserSession) -> EndedSession:
    """A session that is over, as its owner sees it."""
    return EndedSession(
        ip_address=row.ip_address,
        user_agent=row.user_agent,
        ended_at=row.ended_at or ends_at(row),
        reason=row.ended_by or End.EXPIRED,
        by_ip_address=row.ended_ip,
        by_user_agent=row.ended_user_agent,
    )


def end_session(who: Identity, session_id: UUID, client: Client) -> None:
    """End one of the caller's sessions.

    :raises NotFound: absent, ended already, or someone else's.
    """
    with transaction() as session:
        mine = UserSession.id == session_id, UserSession.user_id == who.user_id
        if not end_sessions(session, End.YOU, *mine, by=client):
            raise NotFound


def end_other_sessions(who: Identity, client: Client) -> int:
    """End every session of the caller but the current one; returns how many."""
    with transaction() as session:
        others = UserSession.user_id == who.user_id, UserSession.id != who.session_id
        return end_sessions(session, End.YOU, *others, by=client)


def sign_out(cookie: str | None, client: Client) -> None:
    """End the session that a cookie stands for; fine when there is none."""
    if cookie:
        with transaction() as session:
            end_sessions(session, End.SIGN_OUT, UserSession.token_hash == digest(cookie), by=client)
