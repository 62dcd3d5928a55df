"""Links that accounts mail: made, recognised once, and void when a newer one exists."""

from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import mailed_tokens
from app.database import db, utc_now
from app.errors import AppError
from app.web import absolute_url
from blueprints.auth.models import MailedToken, User

LIFETIMES = {"verify-email": timedelta(hours=24), "reset-password": timedelta(hours=1)}
PAGES = {"verify-email": "auth.verify_email", "reset-password": "auth.reset_password"}


class InvalidToken(AppError):
    """A mailed token is unknown, used, expired, superseded, or for something else: one answer."""

    code = "INVALID_TOKEN"
    message = "This link does not work any more. It may have been used, or a newer one was sent."


class InvalidVerification(InvalidToken):
    next_step = ("Send a new link", "auth.resend_verification")


class InvalidReset(InvalidToken):
    next_step = ("Ask for a new link", "auth.forgot_password")


REFUSALS = {"verify-email": InvalidVerification, "reset-password": InvalidReset}


def make_token(session: Session, user_id: UUID, purpose: str) -> MailedToken:
    """A new link for the user, who is locked; earlier ones of the same purpose are void from now on."""
    void_tokens(session, user_id, purpose)
    row = MailedToken(id=uuid4(), user_id=user_id, purpose=purpose, nonce=mailed_tokens.new_nonce())
    row.key_id = mailed_tokens.key_id()
    row.token_hash = mailed_tokens.digest(mailed_tokens.derive(purpose, row.id, row.nonce, row.key_id))
    row.expires_at = utc_now() + LIFETIMES[purpose]
    session.add(row)
    session.flush()
    return row


def void_tokens(session: Session, user_id: UUID, purpose: str) -> None:
    """Make every open link of this purpose useless."""
    mine = MailedToken.user_id == user_id, MailedToken.purpose == purpose, MailedToken.ended_at.is_(None)
    session.execute(update(MailedToken).where(*mine).values(ended_at=utc_now()))


def find_user(token: str, purpose: str) -> User:
    """Whose open link this is, without using it up.

    :raises InvalidToken:
    """
    query = (
        select(User)
        .join(MailedToken, MailedToken.user_id == User.id)
        .where(MailedToken.token_hash == mailed_tokens.digest(token), MailedToken.purpose == purpose)
        .where(MailedToken.ended_at.is_(None), MailedToken.expires_at > utc_now(), User.disabled_at.is_(None))
    )
    user = db.session.scalar(query)
    if user is None:
        raise REFUSALS[purpose]
    return user


def use_token(session: Session, token: str, purpose: str) -> User:
    """Use a link up, once; returns whose it is, locked. Of ten at the same moment one succeeds.

    :raises InvalidToken:
    """
    mine = MailedToken.token_hash == mailed_tokens.digest(token), MailedToken.purpose == purpose
    # A user is locked before their links, here as everywhere: else two requests could wait for each other.
    whose = select(User).join(MailedToken, MailedToken.user_id == User.id).where(*mine)
    user = session.scalar(whose.with_for_update(of=User))
    still_open = MailedToken.ended_at.is_(None), MailedToken.expires_at > utc_now()
    use = update(MailedToken).where(*mine, *still_open).values(ended_at=utc_now())
    if user is None or user.disabled_at is not None or not session.execute(use).rowcount:  # type: ignore[attr-defined]
        raise REFUSALS[purpose]
    return user


def link(token_id: UUID) -> str | None:
    """The address to mail for a token's row, derived anew; None when the link is void."""
    row = db.session.get(MailedToken, token_id)
    if row is None or row.ended_at is not None or row.expires_at < utc_now():
        return None
    return absolute_url(PAGES[row.purpose], token=mailed_tokens.derive(row.purpose, row.id, row.nonce, row.key_id))
