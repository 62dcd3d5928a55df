"""The current password: proved before what could take an account over, and counted first."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import limits, plugins
from app.access import Identity
from app.database import db, end_read, transaction
from app.errors import AppError, Conflict
from blueprints.auth.lane import lane
from blueprints.auth.models import User
from blueprints.auth.schemas import Reauthenticate
from blueprints.auth.services import sessions
from blueprints.auth.services.passwords import verify_password
from blueprints.auth.services.sessions import Started
from blueprints.auth.settings import AuthSettings


class CurrentPasswordIncorrect(AppError):
    status, code, message = 401, "UNAUTHORIZED", "Current password is incorrect"
    field = "current_password"


class PasswordIncorrect(CurrentPasswordIncorrect):
    field = "password"


def prove(who: Identity, password: str, refusal: type[AppError] = PasswordIncorrect) -> str:
    """Count a try over every session of the user, then check the password; returns the hash that it fits.

    :raises app.errors.RateLimited: before the password is looked at.
    :raises PasswordIncorrect: or the `refusal` that is given.
    """
    limits.count("password-check", plugins.current(AuthSettings).limit_password_check, str(who.user_id))
    with lane():
        verified = db.session.scalar(select(User.password_hash).where(User.id == who.user_id))
        end_read()
        if not verify_password(password, verified) or verified is None:
            raise refusal
    return verified


def lock_user(session: Session, user_id: UUID, verified: str) -> User:
    """The user's row, locked inside the current transaction, if its password is still the one verified.

    :raises Conflict: it was changed, or hashed anew, in the meantime.
    """
    same = User.id == user_id, User.password_hash == verified
    user = session.scalar(select(User).where(*same).with_for_update())
    if user is None:
        raise Conflict
    return user


def reauthenticate(who: Identity, form: Reauthenticate) -> Started:
    """Prove the password again: opens ten minutes, and gives the session a new cookie value.

    :raises PasswordIncorrect:
    """
    verified = prove(who, form.password)
    with transaction() as session:
        return sessions.rotate(session, who.own_session, lock_user(session, who.user_id, verified))
