"""Accounts: sign-up, sessions, passwords and access tokens.

Exports what other blueprints may ask: who someone is, and accounts for people who proved their mailbox.
"""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.access import Client
from app.database import db
from app.plugins import Mount, Plugin, current
from blueprints.auth import emails
from blueprints.auth.cli import users
from blueprints.auth.models import User, UserSession
from blueprints.auth.routes import bp, ended_session, let_in, session_of, user_of
from blueprints.auth.schemas import Blocker, BlockerAction, Person, SessionOut, UserOut, UserType
from blueprints.auth.services import accounts, cleaning, identities, invited, new_passwords, sessions, sign_ups
from blueprints.auth.services.sessions import Started
from blueprints.auth.settings import AuthSettings

__all__ = [
    "Blocker",
    "BlockerAction",
    "Person",
    "SessionOut",
    "Started",
    "UserOut",
    "UserType",
    "find_by_email",
    "let_in",
    "open_verified_account",
    "people",
    "plugin",
    "prepare_password",
    "session_of",
    "start_session",
    "user_of",
]

plugin = Plugin(
    "auth",
    mounts=(Mount(bp),),
    settings=AuthSettings,
    jobs=(*emails.mails, sign_ups.signed_up, sign_ups.asked_again, new_passwords.forgotten, cleaning.cleaning),
    cli=users,
    home=("auth.account", 10),
    hooks={
        "identify": identities.identify,
        "seen": identities.seen,
        "sign_in_page": lambda: "auth.sign_in",
        "sign_out_page": lambda: "auth.sign_out",
        "reauthenticate_page": lambda: "auth.reauthenticate",
        "account_page": lambda: "auth.account",
        "template_values": lambda: {
            "password_min_length": current(AuthSettings).password_min_length,
            "ended_session": ended_session,
        },
    },
)

prepare_password = invited.prepare_password


def people(ids: Iterable[UUID]) -> dict[UUID, Person]:
    """Names, addresses and when last seen, by user id, in one query."""
    last_seen = func.max(UserSession.last_seen_at).label("last_seen_at")
    query = select(User.id, User.email, User.name, last_seen).outerjoin(UserSession, UserSession.user_id == User.id)
    rows = db.session.execute(query.where(User.id.in_(set(ids))).group_by(User.id))
    return {row.id: Person(id=row.id, email=row.email, name=row.name, last_seen_at=row.last_seen_at) for row in rows}


def find_by_email(address: str) -> Person | None:
    """The verified account of an address, or None."""
    user = accounts.find_by_email(address)
    if user is None or user.email_verified_at is None:
        return None
    return Person(id=user.id, email=user.email, name=user.name)


def open_verified_account(
    session: Session, email: str, password_hash: str, name: str | None, user_type: str = "creator"
) -> UUID:
    """Open the account of a proved mailbox inside the current transaction; returns its id.

    :raises app.errors.Conflict: a verified account has the address.
    """
    return invited.open_verified_account(session, email, password_hash, name, user_type).id


def start_session(session: Session, user_id: UUID, client: Client) -> Started:
    """Begin a session inside the current transaction; send its cookie with `let_in`."""
    return sessions.start_session(session, accounts.get_user(user_id), client)
