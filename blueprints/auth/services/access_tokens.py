"""Access tokens for programs: made, shown once, listed, revoked."""

from datetime import timedelta
from secrets import token_urlsafe
from uuid import UUID

from sqlalchemy import delete, exists, func, select
from sqlalchemy.orm import Session

from app.access import Identity
from app.database import db, transaction, utc_now
from app.errors import Conflict, NotFound, Unauthorized
from app.mailed_tokens import digest
from blueprints.auth.models import AccessToken, User, UserSession
from blueprints.auth.schemas import CreateToken, TokenCreated, TokenRow
from blueprints.auth.services import sessions

MOST = 50
LISTED_FOR = timedelta(days=30)  # after its end, so that its owner sees why a program stopped


class TooManyTokens(Conflict):
    """The user has as many access tokens as anyone may have."""

    message = f"You have {MOST} access tokens. Revoke one that is no longer needed, and try again."


def list_tokens(who: Identity) -> list[TokenRow]:
    """The caller's access tokens, newest first; an expired one stays for 30 days."""
    mine = AccessToken.user_id == who.user_id, AccessToken.expires_at > utc_now() - LISTED_FOR
    query = select(AccessToken).where(*mine).order_by(AccessToken.created_at.desc(), AccessToken.id)
    return [TokenRow.model_validate(row) for row in db.session.scalars(query)]


def create_token(who: Identity, form: CreateToken) -> TokenCreated:
    """A new access token; its value is in the answer and nowhere else.

    :raises TooManyTokens: fifty have not expired.
    :raises Unauthorized: the caller's session ended at the same moment.
    """
    value = f"pat_{token_urlsafe(32)}"
    with transaction() as session:
        _lock_caller(session, who)
        now = utc_now()
        open_ones = AccessToken.user_id == who.user_id, AccessToken.expires_at > now
        if (session.scalar(select(func.count()).select_from(AccessToken).where(*open_ones)) or 0) >= MOST:
            raise TooManyTokens
        row = AccessToken(user_id=who.user_id, name=form.name, token_hash=digest(value), created_at=now)
        row.expires_at = now + timedelta(days=form.expires_in_days)
        session.add(row)
        session.flush()
        return TokenCreated(token=TokenRow.model_validate(row), value=value)


def _lock_caller(session: Session, who: Identity) -> None:
    """Tokens of one user are made one after the other, and none by a session that was shut out meanwhile."""
    session.execute(select(User.id).where(User.id == who.user_id).with_for_update())
    still_runs = exists().where(UserSession.id == who.own_session, *sessions.running())
    if not session.scalar(select(still_runs)):
        raise Unauthorized


def delete_token(who: Identity, token_id: UUID) -> None:
    """Revoke one of the caller's access tokens.

    :raises NotFound: absent or someone else's.
    """
    with transaction() as session:
        mine = AccessToken.id == token_id, AccessToken.user_id == who.user_id
        if not session.execute(delete(AccessToken).where(*mine)).rowcount:  # type: ignore[attr-defined]
            raise NotFound
