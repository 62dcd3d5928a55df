"""What accounts forget: sessions, links, access tokens and devices that are long over."""

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, select

from app.database import transaction, utc_now
from app.jobs import Job
from blueprints.auth.models import AccessToken, Device, MailedToken, UserSession
from blueprints.auth.services import access_tokens, devices, sessions

LINKS_KEPT = timedelta(days=7)
AT_ONCE = 1000


def clean() -> None:
    """Forget what nobody is shown any more, a thousand rows a transaction."""
    now = utc_now()
    forget(UserSession, UserSession.expires_at < now - sessions.TOLD_FOR)
    forget(MailedToken, MailedToken.expires_at < now - LINKS_KEPT)
    forget(AccessToken, AccessToken.expires_at < now - access_tokens.LISTED_FOR)
    forget(Device, devices.unused_since(now - devices.KNOWN_FOR))


def forget(model: Any, over: ColumnElement[bool]) -> None:
    """Delete the rows that are over, in small transactions: nothing waits long for their locks.

    A row that somebody else holds is left to them: another worker deletes it, or a sign-in has just used it.
    """
    while True:
        with transaction() as session:
            some = select(model.id).where(over).limit(AT_ONCE).with_for_update(skip_locked=True)
            ids = session.scalars(some).all()
            session.execute(delete(model).where(model.id.in_(ids)).execution_options(synchronize_session=False))
        if len(ids) < AT_ONCE:
            return


cleaning = Job("auth.clean", clean, every_seconds=3600)
