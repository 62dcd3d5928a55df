"""What accounts forget: sessions, links, access tokens and devices that are long over."""

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, select

from app.database import transaction, utc_now
from app.jobs import Job
from blueprints.auth.models import AccessToken, Device, MailedToken, UserSession
from blueprints.auth.services.devices import KNOWN_FOR
from blueprints.auth.services.sessions import TOLD_FOR

LINKS_KEPT = timedelta(days=7)
TOKENS_KEPT = timedelta(days=30)  # an expired token stays in its owner's list that long
AT_ONCE = 1000


def clean() -> None:
    """Forget what nobody is shown any more, a thousand rows a transaction."""
    now = utc_now()
    forget(UserSession, UserSession.expires_at < now - TOLD_FOR)
    forget(MailedToken, MailedToken.expires_at < now - LINKS_KEPT)
    forget(AccessToken, AccessToken.expires_at < now - TOKENS_KEPT)
    forget(Device, Device.last_used_at < now - KNOWN_FOR)


def forget(model: Any, over: ColumnElement[bool]) -> None:
    """Delete the rows that are over, in small transactions: nothing waits long for their locks."""
    while True:
        with transaction() as session:
            ids = session.scalars(select(model.id).where(over).limit(AT_ONCE)).all()
            session.execute(delete(model).where(model.id.in_(ids)))
        if len(ids) < AT_ONCE:
            return


cleaning = Job("auth.clean", clean, every_seconds=3600)
