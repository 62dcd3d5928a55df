"""Sessions: begun, ended, listed."""

from uuid import UUID

from app import access
from app.access import client, me
from app.schemas import Message, Nothing
from app.web import Done, done
from blueprints.auth import schemas
from blueprints.auth.lane import refuse_when_full
from blueprints.auth.routes.accounts import account
from blueprints.auth.routes.browser import bp, counted, forget_browser, let_in, session_of, user_of
from blueprints.auth.services import current_password, sessions, sign_ins


@bp.form(
    "/sign-in",
    refuses=(sign_ins.InvalidCredentials, sign_ins.EmailNotVerified),
    guests_only=True,
    starts_session=True,
    door=refuse_when_full,
)
@access.public
def sign_in(form: schemas.SignIn) -> Done[schemas.SignedIn]:
    """Begin a session."""
    started = sign_ins.sign_in(form, client(), access.session_cookie())
    let_in(started)
    signed_in = schemas.SignedIn(user=user_of(started.user), session=session_of(started))
    return done(signed_in, to="site.home", follow_next=True)


@bp.form("/sign-out", starts_session=True)  # it clears what a browser keeps, with or without a session
@access.public
def sign_out(form: Nothing) -> Done[Message]:
    """End the current session."""
    sessions.sign_out(access.session_cookie(), client())
    forget_browser()
    return done(Message(message="You are signed out."), to="auth.sign_in", say="You are signed out.", follow_next=True)


@bp.page("/session", only="api")
@access.signed_in
def current_session() -> schemas.SignedIn:
    """Who is signed in, and until when."""
    who = me()
    now = None
    if who.session_id is not None and who.expires_at is not None:
        now = schemas.SessionOut(id=who.session_id, expires_at=who.expires_at)
    return schemas.SignedIn(user=user_of(who), session=now)


@bp.form("/reauthenticate", refuses=(current_password.PasswordIncorrect,))
@access.session_only
def reauthenticate(form: schemas.Reauthenticate) -> Done[Message]:
    """Prove the password again, for what needs it."""
    let_in(current_password.reauthenticate(me(), form))
    return done(Message(message="Thank you."), to="auth.account", follow_next=True)


@bp.page("/sessions", only="api")
@access.session_only
def list_sessions() -> schemas.Sessions:
    """The caller's sessions, newest first."""
    return schemas.Sessions(sessions=sessions.list_sessions(me()))


@bp.form("/sessions/<uuid:session_id>", verb="DELETE", on=account)
@access.session_only
def end_session(session_id: UUID, form: Nothing) -> Done[Message]:
    """End one of the caller's sessions."""
    sessions.end_session(me(), session_id, client())
    return done(Message(message="The session has ended."), to="auth.account", say="The session has ended.")


@bp.form("/sessions/revoke-others", on=account)
@access.session_only
def end_other_sessions(form: Nothing) -> Done[schemas.OthersEnded]:
    """End every session of the caller but the current one."""
    count = sessions.end_other_sessions(me(), client())
    message = f"{counted(count, 'other session')} ended."
    return done(schemas.OthersEnded(message=message, revoked_count=count), to="auth.account", say=message)
