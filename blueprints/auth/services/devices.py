"""Devices: the browsers that have signed in to an account before, known by a cookie of their own."""

from datetime import datetime, timedelta
from secrets import token_urlsafe
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from app.access import Client
from app.database import db, utc_now
from app.mailed_tokens import digest
from blueprints.auth.models import Device, UserSession

KNOWN_FOR = timedelta(days=365)
MOST = 50
NOBODY = UUID(int=0)
# What ended a session that may have been an intruder's; `sessions.End` has them all.
SHUT_OUT = ("not me", "address restored", "password reset", "a new owner of the mailbox", "an operator")
LAST_USED = func.coalesce(Device.last_used_at, Device.created_at)  # a row of before times were kept has none


def is_known(user_id: UUID | None, device: str | None) -> bool:
    """Whether a device cookie belongs to a browser that signed in to this account within a year.

    An unknown account costs the same query.
    """
    return _has_known(user_id or NOBODY, Device.token_hash == digest(device or ""))


def is_new(user_id: UUID, client: Client) -> bool:
    """Whether this sign-in deserves a mail: the account has known browsers, and this is none of them.

    A client that keeps no cookies is known by its address and its name together, from an earlier session that
    was not ended to shut somebody out.
    """
    if is_known(user_id, client.device) or not _has_known(user_id):
        return False
    same = [UserSession.ip_address == client.ip, UserSession.user_agent == client.user_agent]
    same.append(func.coalesce(UserSession.ended_by, "").not_in(SHUT_OUT))
    return not db.session.scalar(select(exists().where(UserSession.user_id == user_id, *same)))


def _has_known(user_id: UUID, *which: ColumnElement[bool]) -> bool:
    known = Device.user_id == user_id, utc_now() - KNOWN_FOR < LAST_USED
    return bool(db.session.scalar(select(exists().where(*known, *which))))


def unused_since(moment: datetime) -> ColumnElement[bool]:
    """The condition under which a device was last used before `moment`; indexes find what fits."""
    never = Device.last_used_at.is_(None), Device.created_at < moment
    return or_(Device.last_used_at < moment, and_(*never))


def remember(session: Session, user_id: UUID, device: str | None) -> str:
    """Know this browser from now on, for a year; returns the value of its cookie.

    The account's user is locked. Beyond 50 the ones that were not used for longest are forgotten.
    """
    value = device if device and len(device) == 43 and device.isascii() else token_urlsafe(32)
    mine = Device.user_id == user_id
    used = update(Device).where(mine, Device.token_hash == digest(value)).values(last_used_at=utc_now())
    if not session.execute(used.returning(Device.id)).first():
        session.add(Device(user_id=user_id, token_hash=digest(value), last_used_at=utc_now()))
        session.flush()
        surplus = select(Device.id).where(mine).order_by(LAST_USED.desc()).offset(MOST)
        session.execute(delete(Device).where(Device.id.in_(session.scalars(surplus).all())))
    return value


def forget(session: Session, user_id: UUID, *, but: str | None = None) -> None:
    """Know the browsers of an account no more, but the one with the cookie `but`."""
    session.execute(delete(Device).where(Device.user_id == user_id, Device.token_hash != digest(but or "")))
