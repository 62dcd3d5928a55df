"""What an operator does with accounts: administrators made, accounts shut and opened, sessions looked at."""

from secrets import token_hex
from uuid import uuid4

from sqlalchemy import delete, select

from app.addresses import address_key
from app.database import transaction, utc_now
from blueprints.auth.models import AccessToken, User, UserSession
from blueprints.auth.services import devices, mailed, sessions
from blueprints.auth.services.passwords import check_password, hash_password
from blueprints.auth.services.sessions import End


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
        mailed.void_tokens(session, user.id)
        sessions.end_sessions(session, End.OPERATOR, UserSession.user_id == user.id, by=None)
        session.execute(delete(AccessToken).where(AccessToken.user_id == user.id))
        devices.forget(session, user.id)
        return new
