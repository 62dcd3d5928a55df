"""Links that accounts mail: made, recognised once, and void when a newer one exists."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import and_, not_, select, update
from sqlalchemy.orm import Session

from app import limits, mailed_tokens, plugins
from app.addresses import address_key
from app.database import db, utc_now
from app.errors import AppError
from app.web import absolute_url
from blueprints.auth.models import MailedToken, User
from blueprints.auth.settings import AuthSettings


class InvalidToken(AppError):
    """A mailed token is unknown, used, expired, superseded, or for something else: one answer."""

    code = "INVALID_TOKEN"
    message = "This link does not work any more. It may have been used, or a newer one was sent."
    next_step = ("Choose a new password", "auth.forgot_password")


class InvalidVerification(InvalidToken):
    next_step = ("Send a new link", "auth.resend_verification")


class InvalidReset(InvalidToken):
    next_step = ("Ask for a new link", "auth.forgot_password")


class InvalidEmailChange(InvalidToken):
    next_step = ("Ask for a new link", "auth.change_email")


@dataclass(frozen=True)
class Purpose:
    """What a kind of link is for."""

    name: str
    page: str
    lifetime: timedelta
    refusal: type[InvalidToken] = InvalidToken


# The links that undo harm. Neither a newer one voids them nor the use of one that went to a later address:
# whoever got into an account could otherwise take its owner's link away.
PROTECTING = ("undo-change-email", "not-me")
PROTECTION = timedelta(hours=72)


def purpose(name: str) -> Purpose:
    """The purpose of a name, with the lifetime that is set."""
    settings = plugins.current(AuthSettings)
    match name:
        case "verify-email":
            return Purpose(name, "auth.verify_email", timedelta(hours=settings.verify_link_hours), InvalidVerification)
        case "reset-password":
            return Purpose(name, "auth.reset_password", timedelta(minutes=settings.reset_link_minutes), InvalidReset)
        case "change-email":
            hours = timedelta(hours=settings.verify_link_hours)
            return Purpose(name, "auth.confirm_email_change", hours, InvalidEmailChange)
        case "undo-change-email":
            return Purpose(name, "auth.undo_email_change", PROTECTION)
        case "not-me":
            return Purpose(name, "auth.not_me", PROTECTION)
    raise LookupError(name)


def may_ask(name: str, address: str) -> bool:
    """Whether anyone may cause another link of a purpose to be mailed to an address this hour; counted, never told.

    Each purpose for itself: asking for what is not mailed to this address would use up what is.
    """
    limit = plugins.current(AuthSettings).limit_mail_address
    return limits.tried("mail-address", limit, name, address_key(address)) is None


def make_token(session: Session, user: User, name: str, address: str | None = None) -> MailedToken:
    """A new link for the user, who is locked, to be mailed to `address` or to the user's own.

    Earlier ones of the same purpose are void from now on, unless it is one that protects.
    """
    what = purpose(name)
    if name not in PROTECTING:
        void_tokens(session, user.id, name)
    row = MailedToken(id=uuid4(), user_id=user.id, purpose=name, nonce=mailed_tokens.new_nonce())
    row.address = address or user.email
    row.key_id = mailed_tokens.key_id()
    row.token_hash = mailed_tokens.digest(mailed_tokens.derive(name, row.id, row.nonce, row.key_id))
    row.expires_at = utc_now() + what.lifetime
    session.add(row)
    session.flush()
    return row


def void_tokens(session: Session, user_id: UUID, *names: str) -> None:
    """Make every open link of these purposes useless; of all purposes when none is named."""
    mine = [MailedToken.user_id == user_id, MailedToken.ended_at.is_(None)]
    if names:
        mine.append(MailedToken.purpose.in_(names))
    session.execute(update(MailedToken).where(*mine).values(ended_at=utc_now()))


def void_outranked(session: Session, user_id: UUID, address: str, since: datetime) -> None:
    """Make every open link of an account useless that went to `address`, or anywhere else `since` then.

    What protects an address that the account had before stays: who had it first has the last word.
    """
    earlier = MailedToken.purpose.in_(PROTECTING), MailedToken.address != address, MailedToken.created_at < since
    others = MailedToken.user_id == user_id, MailedToken.ended_at.is_(None), not_(and_(*earlier))
    session.execute(update(MailedToken).where(*others).values(ended_at=utc_now()))


def void_between(session: Session, user_id: UUID, address: str) -> None:
    """When an account goes back to an address it had: void what protects those that it had in between.

    Whoever had got in would keep a way back otherwise. That it had the address is known by an open link to it.
    """
    protecting = MailedToken.user_id == user_id, MailedToken.purpose.in_(PROTECTING)
    still_open = MailedToken.ended_at.is_(None), MailedToken.expires_at > utc_now()
    had = False
    for row in session.scalars(select(MailedToken).where(*protecting, *still_open).order_by(MailedToken.created_at)):
        if address_key(row.address or "") == address_key(address):
            had = True
        elif had:
            row.ended_at = utc_now()


def find_user(token: str, name: str) -> User:
    """Whose open link this is, without using it up.

    :raises InvalidToken:
    """
    query = (
        select(User)
        .join(MailedToken, MailedToken.user_id == User.id)
        .where(MailedToken.token_hash == mailed_tokens.digest(token), MailedToken.purpose == name)
        .where(MailedToken.ended_at.is_(None), MailedToken.expires_at > utc_now(), User.disabled_at.is_(None))
    )
    user = db.session.scalar(query)
    if user is None:
        raise purpose(name).refusal
    return user


def use_token(session: Session, token: str, name: str) -> tuple[User, str]:
    """Use a link up, once; returns whose it is, locked, and the address it was mailed to.

    Of ten at the same moment one succeeds. One that protects voids all others but what protects an earlier address.
    :raises InvalidToken:
    """
    mine = MailedToken.token_hash == mailed_tokens.digest(token), MailedToken.purpose == name
    # A user is locked before their links, here as everywhere: else two requests could wait for each other.
    whose = select(User).join(MailedToken, MailedToken.user_id == User.id).where(*mine)
    user = session.scalar(whose.with_for_update(of=User))
    still_open = MailedToken.ended_at.is_(None), MailedToken.expires_at > utc_now()
    what = MailedToken.address, MailedToken.created_at
    use = update(MailedToken).where(*mine, *still_open).values(ended_at=utc_now()).returning(*what)
    used = session.execute(use).first() if user is not None and user.disabled_at is None else None
    if user is None or used is None:
        raise purpose(name).refusal
    address = used.address or user.email  # links of before addresses were kept
    if name in ("verify-email", "reset-password") and address_key(address) != user.email_key:
        raise purpose(name).refusal  # it proves a mailbox that is not the account's any more
    if name in PROTECTING:
        void_outranked(session, user.id, address, used.created_at)
    return user, address


@dataclass(frozen=True)
class Link:
    """An open link as it is mailed."""

    url: str
    address: str | None
    lasts: str


def find_link(token_id: UUID) -> Link | None:
    """The link of a token's row, derived anew; None when it is void."""
    row = db.session.get(MailedToken, token_id)
    if row is None or row.ended_at is not None or row.expires_at < utc_now():
        return None
    token = mailed_tokens.derive(row.purpose, row.id, row.nonce, row.key_id)
    what = purpose(row.purpose)
    return Link(absolute_url(what.page, token=token), row.address, in_words(what.lifetime))


def in_words(span: timedelta) -> str:
    """`24 hours`, `1 hour`, `45 minutes`."""
    minutes = int(span.total_seconds() // 60)
    count, unit = (minutes // 60, "hour") if minutes % 60 == 0 else (minutes, "minute")
    return f"{count} {unit}{'' if count == 1 else 's'}"
