"""Access tokens for programs: made, shown once, listed, revoked."""

from datetime import timedelta
from secrets import token_urlsafe
from uuid import UUID

from sqlalchemy import delete, select

from app.access import Identity
from app.database import db, transaction, utc_now
from app.errors import NotFound
from app.mailed_tokens import digest
from blueprints.auth.models import AccessToken
from blueprints.auth.schemas import CreateToken, TokenCreated, TokenRow


def list_tokens(who: Identity) -> list[TokenRow]:
    """The caller's access tokens, newest first, expired ones included."""
    query = select(AccessToken).where(AccessToken.user_id == who.user_id)
    rows = db.session.scalars(query.order_by(AccessToken.created_at.desc(), AccessToken.id))
    return [TokenRow.model_validate(row) for row in rows]


def create_token(who: Identity, form: CreateToken) -> TokenCreated:
    """A new access token; its value is in the answer and nowhere else."""
    value = f"pat_{token_urlsafe(32)}"
    expires_at = utc_now() + timedelta(days=form.expires_in_days)
    with transaction() as session:
        row = AccessToken(user_id=who.user_id, name=form.name, token_hash=digest(value), expires_at=expires_at)
        session.add(row)
        session.flush()
        return TokenCreated(token=TokenRow.model_validate(row), value=value)


def delete_token(who: Identity, token_id: UUID) -> None:
    """Revoke one of the caller's access tokens.

    :raises NotFound: absent or someone else's.
    """
    with transaction() as session:
        mine = AccessToken.id == token_id, AccessToken.user_id == who.user_id
        if not session.execute(delete(AccessToken).where(*mine)).rowcount:  # type: ignore[attr-defined]
            raise NotFound
