"""Accounts for people who prove their mailbox by another blueprint's mailed link."""

from secrets import token_hex
from uuid import uuid4

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app import limits, plugins
from app.access import Client
from app.addresses import address_key
from app.database import transaction, utc_now
from app.errors import Conflict
from blueprints.auth.lane import lane
from blueprints.auth.models import AccessToken, User, UserSession
from blueprints.auth.services import mailed, sessions
from blueprints.auth.services.passwords import check_length, check_password, hash_password
from blueprints.auth.services.sessions import End
from blueprints.auth.settings import AuthSettings


def prepare_password(email: str, password: str, client: Client) -> str:
    """Count the sign-up, check the password and hash it; before any transaction.

    :raises ValidationFailed: with the sentence under `password`.
    :raises app.errors.RateLimited:
    """
    check_length(password, "password")
    limits.count("sign-up-ip", plugins.current(AuthSettings).limit_sign_up_ip, limits.ip_bucket(client.ip))
    check_password(password, email, "password")
    with lane():
        return hash_password(password)


def open_verified_account(
    session: Session, email: str, password_hash: str, name: str | None, user_type: str = "creator"
) -> User:
    """Create a verified account, or verify the unverified one that has the address; all it said is void.

    :raises Conflict: a verified account has the address, or someone signed up with it at the same moment.
    """
    user = session.scalar(select(User).where(User.email_key == address_key(email)).with_for_update())
    if user is None:
        user = User(id=uuid4(), email=email, email_key=address_key(email))
        session.add(user)
    elif user.email_verified_at is not None or user.disabled_at is not None:
        raise Conflict
    # As with a second sign-up, nothing of an unverified first one stays: it may have been someone else's.
    user.password_hash, user.sign_up_id = password_hash, token_hex(16)
    user.name, user.username, user.user_type = name, None, user_type
    user.email_verified_at = utc_now()
    with transaction(idx_users_email=Conflict):
        session.flush()
    mailed.void_tokens(session, user.id)
    sessions.end_sessions(session, End.NEW_OWNER, UserSession.user_id == user.id, by=None)
    session.execute(delete(AccessToken).where(AccessToken.user_id == user.id))
    return user
