"""Access tokens for programs."""

from uuid import UUID

from app import access
from app.access import me
from app.schemas import Message, Nothing
from app.web import Done, done
from blueprints.auth import schemas
from blueprints.auth.routes.accounts import account
from blueprints.auth.routes.browser import bp
from blueprints.auth.services import access_tokens


@bp.page("/tokens", only="api")
@access.session_only
def list_tokens() -> schemas.Tokens:
    """The caller's access tokens, without their values."""
    return schemas.Tokens(tokens=access_tokens.list_tokens(me()))


@bp.form("/tokens", statuses=(201,), on=account, refuses=(access_tokens.TooManyTokens,))
@access.fresh_session
def create_token(form: schemas.CreateToken) -> Done[schemas.TokenCreated]:
    """Make an access token; its value is shown this once."""
    return done(access_tokens.create_token(me(), form), location="/api/auth/tokens")


@bp.form("/tokens/<uuid:token_id>", verb="DELETE", on=account)
@access.session_only
def delete_token(token_id: UUID, form: Nothing) -> Done[Message]:
    """Revoke an access token."""
    access_tokens.delete_token(me(), token_id)
    return done(Message(message="The token is revoked."), to="auth.account", say="The token is revoked.")
