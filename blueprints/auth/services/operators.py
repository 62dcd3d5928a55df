"""What an operator does with accounts: administrators made, accounts shut and opened, sessions looked at."""

from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex
from typing import Any
from uuid import uuid4

from sqlalchemy import delete, exists, func, or_, select
from sqlalchemy.orm import Session

from app.addresses import address_key
from app.database import db, transaction, utc_now
from app.errors import NotFound
from blueprints.auth.models import AccessToken, User, UserSession
from blueprints.auth.schemas import SessionRow
from blueprints.auth.services import devices, mailed, sessions
from blueprints.auth.services.passwords import check_password, hash_password
from blueprints.auth.services.sessions import End, ends_at, running


class UnknownAddress(NotFound):
    """No account has the address; only an operator is told so."""

    def __init__(self, address: str) -> None:
        super().__init__(f"There is no account with the address {address}.")


@dataclass(frozen=True)
class Ended:
    """What came to an end with one command: how many sessions, and how many access tokens."""

    sessions: int
    tokens: int = 0


@dataclass(frozen=True)
class Disabled:
    """A disabled account; `ended` is None when it was disabled before."""

    email: str
    ended: Ended | None
    was_last_admin: bool = False


@dataclass(frozen=True)
class AccountFilter:
    """Which accounts are listed: those that every part selects."""

    admins: bool = False
    disabled: bool = False
    unverified: bool = False
    search: str = ""  # a part of the address, the name or the username, in either case

    @property
    def conditions(self) -> list[Any]:
        """The same for the database; what LIKE would take for a wildcard stands for itself."""
        found: list[Any] = []
        if self.admins:
            found.append(User.is_admin)
        if self.disabled:
            found.append(User.disabled_at.is_not(None))
        if self.unverified:
            found.append(User.email_verified_at.is_(None))
        if self.search:
            searched = (User.email, User.name, User.username)
            found.append(or_(*(column.icontains(self.search, autoescape=True) for column in searched)))
        return found


@dataclass(frozen=True)
class AccountRow:
    """One account of the list; `last_seen_at` is None when no session of the last month is left."""

    email: str
    name: str | None
    is_admin: bool
    is_disabled: bool
    is_unverified: bool
    created_at: datetime
    last_seen_at: datetime | None


def create_admin(email: str, password: str) -> bool:
    """Make a verified administrator, or make one of an existing account, newly secured; True when it is new.

    :raises ValidationFailed: the password is refused.
    """
    check_password(password, email, "password")
    password_hash = hash_password(password)
    with transaction() as session:
        user = session.scalar(select(User).where(User.email_key == address_key(email)).with_for_update())
        new = user is None
        if user is None:
            user = User(id=uuid4(), email=email, email_key=address_key(email))
            session.add(user)
        user.password_hash, user.is_admin, user.disabled_at = password_hash, True, None
        user.email_verified_at = user.email_verified_at or utc_now()
        user.sign_up_id = token_hex(16)
        session.flush()
        shut_out(session, user)
        return new


def disable_account(address: str) -> Disabled:
    """Shut an account: its next request finds neither session nor token, and no link opens it.

    :raises UnknownAddress:
    """
    with transaction() as session:
        user = lock_account(session, address)
        if user.disabled_at is not None:
            return Disabled(user.email, None)
        user.disabled_at = utc_now()
        other_admin = exists().where(User.is_admin, User.disabled_at.is_(None), User.id != user.id)
        was_last_admin = user.is_admin and not session.scalar(select(other_admin))
        return Disabled(user.email, shut_out(session, user), was_last_admin)


def enable_account(address: str) -> tuple[str, bool]:
    """Open a disabled account again; returns its address, and False when it was open before.

    What ended stays ended.
    :raises UnknownAddress:
    """
    with transaction() as session:
        user = lock_account(session, address)
        if user.disabled_at is None:
            return user.email, False
        user.disabled_at = None
        shut_out(session, user)  # one that was disabled by hand, in the database, still has its sessions
        return user.email, True


def list_accounts(which: AccountFilter, limit: int) -> tuple[list[AccountRow], int]:
    """The accounts by address, at most `limit`, and how many more there are."""
    seen = select(func.max(UserSession.last_seen_at)).where(UserSession.user_id == User.id).scalar_subquery()
    columns = (User.email, User.name, User.is_admin, User.disabled_at, User.email_verified_at, User.created_at)
    query = select(*columns, seen.label("last_seen_at")).where(*which.conditions)
    found = [
        AccountRow(
            email=row.email,
            name=row.name,
            is_admin=row.is_admin,
            is_disabled=row.disabled_at is not None,
            is_unverified=row.email_verified_at is None,
            created_at=row.created_at,
            last_seen_at=row.last_seen_at,
        )
        for row in db.session.execute(query.order_by(User.email_key).limit(limit))
    ]
    if len(found) < limit:
        return found, 0
    count = db.session.scalar(select(func.count()).select_from(User).where(*which.conditions)) or 0
    return found, max(count - len(found), 0)


def list_sessions(address: str) -> tuple[str, list[SessionRow]]:
    """The address of an account as it is stored, and its running sessions, newest first.

    :raises UnknownAddress:
    """
    user = db.session.execute(select(User.id, User.email).where(User.email_key == address_key(address))).first()
    if user is None:
        raise UnknownAddress(address)
    query = select(UserSession).where(UserSession.user_id == user.id, *running())
    rows = db.session.scalars(query.order_by(UserSession.created_at.desc(), UserSession.id))
    return user.email, [
        SessionRow(
            id=row.id,
            current=False,
            ip_address=row.ip_address,
            user_agent=row.user_agent,
            created_at=row.created_at,
            last_seen_at=row.last_seen_at,
            expires_at=ends_at(row),
        )
        for row in rows
    ]


def end_sessions(address: str, *, tokens: bool) -> tuple[str, Ended]:
    """End every session of an account, and delete its access tokens if asked to.

    Returns its address as it is stored, and what ended.
    :raises UnknownAddress:
    """
    with transaction() as session:
        user = lock_account(session, address)
        ended = sessions.end_sessions(session, End.OPERATOR, UserSession.user_id == user.id, by=None)
        return user.email, Ended(ended, delete_tokens(session, user) if tokens else 0)


def lock_account(session: Session, address: str) -> User:
    """The account of an address, its row locked inside the current transaction.

    :raises UnknownAddress:
    """
    user = session.scalar(select(User).where(User.email_key == address_key(address)).with_for_update())
    if user is None:
        raise UnknownAddress(address)
    return user


def shut_out(session: Session, user: User) -> Ended:
    """End the sessions of a locked user, delete the access tokens, void the open links and forget the devices."""
    mailed.void_tokens(session, user.id)
    devices.forget(session, user.id)
    ended = sessions.end_sessions(session, End.OPERATOR, UserSession.user_id == user.id, by=None)
    return Ended(ended, delete_tokens(session, user))


def delete_tokens(session: Session, user: User) -> int:
    """Delete the access tokens of a locked user; returns how many."""
    found = session.execute(delete(AccessToken).where(AccessToken.user_id == user.id))
    return found.rowcount  # type: ignore[attr-defined]
