"""The browser that a person sits at: let in, forgotten, and what it is told of them."""

from flask import session

from app import access, csrf
from app.web import Blueprint
from blueprints.auth import schemas
from blueprints.auth.services import sessions

bp = Blueprint("auth")

MARK = "sign_up"


def let_in(started: sessions.Started) -> None:
    """Send the session's cookie, mark the device, and give the forms of this browser a new secret."""
    access.set_session(started.token, started.max_age_seconds)
    if started.device is not None:
        access.mark_device(started.device)
    csrf.renew()


def forget_browser() -> None:
    """Delete the session's cookie, and give the forms of this browser a new secret."""
    access.clear_session()
    csrf.renew()
    session.pop(MARK, None)


def ended_session() -> schemas.EndedSession | None:
    """For the sign-in page: what ended the session that this browser still has a cookie of."""
    cookie = access.session_cookie()
    return sessions.find_ended(cookie) if cookie else None


def counted(number: int, thing: str) -> str:
    """`1 session has`, `2 sessions have`."""
    return f"{number} {thing} has" if number == 1 else f"{number} {thing}s have"


def user_of(user: object) -> schemas.UserOut:
    """An account as its owner sees it."""
    return schemas.UserOut.model_validate(user)


def session_of(started: sessions.Started) -> schemas.SessionOut:
    """The session that has just begun, as the outside sees it."""
    return schemas.SessionOut(id=started.session_id, expires_at=started.expires_at)
