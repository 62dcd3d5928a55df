"""Who asks: a cookie or an access token recognised in one query, and when it was last used."""

from datetime import UTC, datetime

from sqlalchemy import or_, select, update

from app.access import ADMIN_IDLE, SEEN_EVERY, Client, Identity
from app.database import db, end_read, transaction, utc_now
from app.mailed_tokens import digest
from blueprints.auth.models import AccessToken, User, UserSession
from blueprints.auth.services.sessions import alive, ends_at

NEVER = datetime.min.replace(tzinfo=UTC)


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


def seen(who: Identity, client: Client) -> None:
    """Remember when a session or token was last used, and from where; once a minute, of many at the same moment one."""
    before = utc_now() - SEEN_EVERY
    with transaction() as session:
        if who.token_id is not None:
            due = or_(AccessToken.last_used_at.is_(None), AccessToken.last_used_at <= before)
            used = update(AccessToken).where(AccessToken.id == who.token_id, due)
            session.execute(used.values(last_used_at=utc_now()))
            return
        values = {"last_seen_at": utc_now(), "ip_address": client.ip, "user_agent": client.user_agent}
        if who.last_seen_at is not None and utc_now() - who.last_seen_at > ADMIN_IDLE:
            values["reauthenticated_at"] = None  # an administrator who was away proves the password again
        mine = UserSession.id == who.session_id, UserSession.ended_at.is_(None), UserSession.last_seen_at <= before
        session.execute(update(UserSession).where(*mine).values(values))
