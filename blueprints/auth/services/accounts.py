"""Accounts: looked up, edited, and deleted by their owner."""

from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app import hooks, log, mail
from app.access import Client, Identity
from app.addresses import address_key
from app.database import db, transaction, utc_now
from app.errors import AppError, Unauthorized, ValidationFailed
from blueprints.auth import emails
from blueprints.auth.models import User
from blueprints.auth.schemas import Blocker, DeleteAccount, EditAccount
from blueprints.auth.services import current_password

NAMED = 3  # of what stands in the way of a deletion


class UsernameTaken(ValidationFailed):
    """The username belongs to somebody else: a field error."""

    def __init__(self) -> None:
        super().__init__({"username": ["This username is taken."]})


class AccountNeeded(AppError):
    """Something would be left without its last owner; the sentence names it, the details say what can be done."""

    status, code = 409, "LAST_OWNER"
    message = "You are the only owner of a team. Make somebody else an owner, or delete the team, and try again."

    def __init__(self, blockers: list[Blocker]) -> None:
        first, more = [blocker.label for blocker in blockers[:NAMED]], len(blockers) - NAMED
        names = ", ".join(first) + (f" and {more} more" if more > 0 else "")
        message = "Make somebody else an owner, or delete it, and try again."
        details = {"blockers": [blocker.model_dump(mode="json", by_alias=True) for blocker in blockers]}
        super().__init__(f"You are the only owner of {names}. {message}", details=details)


def find_by_email(address: str) -> User | None:
    """The account of an address, verified or not, or None."""
    return db.session.scalar(select(User).where(User.email_key == address_key(address)))


def find_user(user_id: UUID) -> User | None:
    """The account of an id, or None."""
    return db.session.get(User, user_id)


def get_user(user_id: UUID) -> User:
    """The account of an id."""
    return db.session.get_one(User, user_id)


def edit_account(who: Identity, form: EditAccount) -> User:
    """Change name and username; what is absent stays, null clears.

    :raises UsernameTaken:
    :raises Unauthorized: the account was deleted at the same moment.
    """
    with transaction(idx_users_username=UsernameTaken) as session:
        user = session.scalar(select(User).where(User.id == who.user_id).with_for_update())
        if user is None:
            raise Unauthorized
        if form.given.get("username"):
            free_username(session, form.given["username"], user.email_key)
        for name, value in form.given.items():
            setattr(user, name, value)
        return user


def free_username(session: Session, username: str, key: str) -> None:
    """Take a username from an account that never proved its address: such a one reserves nothing, and tells nothing.

    `key` is the address of the account that wants it.
    """
    unproved = User.username == username, User.email_verified_at.is_(None), User.email_key != key
    session.execute(update(User).where(*unproved).values(username=None))


def find_blockers(who: Identity) -> list[Blocker]:
    """What must be settled before the caller's account can be deleted; empty when nothing stands in the way.

    Other blueprints say so by the hook `account_blockers(user_id)`. Inside a transaction it also locks what
    it looked at, before the user is locked.
    """
    return [blocker for found in hooks.ask_all("account_blockers", who.user_id) for blocker in found]


def delete_account(who: Identity, form: DeleteAccount, client: Client) -> None:
    """Delete the caller's account with its sessions, tokens and links; the last mail says so.

    :raises PasswordIncorrect:
    :raises app.errors.RateLimited: counted before the check, over every session of the user.
    :raises AccountNeeded: a blueprint still needs it.
    :raises Conflict: the password was changed at the same moment.
    """
    verified = current_password.prove(who, form.password)
    with transaction() as session:
        blockers = find_blockers(who)
        if blockers:
            raise AccountNeeded(blockers)
        user = current_password.lock_user(session, who.user_id, verified)
        hooks.tell("account_deleted", user.id)
        mail.queue(
            emails.account_deleted, user.email, at=utc_now().isoformat(), ip=client.ip, browser=client.user_agent
        )
        session.execute(delete(User).where(User.id == user.id))
        log.info("account_deleted", user_id=str(user.id))
