"""The account pages and the JSON API of accounts."""

from uuid import UUID

from flask import session

from app import access, csrf
from app.access import client, find_me, me
from app.schemas import Message, Nothing
from app.web import Blueprint, Done, done
from blueprints.auth import schemas
from blueprints.auth.services import access_tokens, accounts, mailed, new_passwords, sessions
from blueprints.auth.services.accounts import SignUpMark

bp = Blueprint("auth")

CHECK_MAIL = "If the address is right, a mail is on its way."
MARK = "sign_up"


@bp.form("/sign-up", statuses=(202,), guests_only=True, starts_session=True)
@access.public
def sign_up(form: schemas.SignUp) -> Done[Message]:
    """Create an account; the answer is the same for a taken address."""
    mark = accounts.sign_up(form, client())
    session[MARK] = [mark.account, mark.sign_up]
    return done(Message(message=CHECK_MAIL), to="auth.check_mail")


@bp.page("/check-mail", only="page")
@access.public
def check_mail() -> Message:
    """Tell that a mail is on its way."""
    return Message(message=CHECK_MAIL)


@bp.form("/verify-email", refuses=(mailed.InvalidToken,), starts_session=True)
@access.public
def verify_email(form: schemas.VerifyEmail) -> Done[schemas.EmailVerified]:
    """Prove the mailbox; signs in the browser that signed up, and no other."""
    mark = session.get(MARK)
    started = accounts.verify_email(form, SignUpMark(*mark) if mark else None, client(), find_me())
    message = "Your address is verified."
    if started is None:
        verified = schemas.EmailVerified(message=message)
        return done(verified, to="auth.sign_in", say=f"{message} You can sign in now.")
    session.pop(MARK)
    let_in(started)
    user, now = user_of(started.user), session_of(started)
    return done(schemas.EmailVerified(message=message, user=user, session=now), to="site.home", say=message)


@bp.form("/resend-verification")
@access.public
def resend_verification(form: schemas.ResendVerification) -> Done[Message]:
    """Send the verification mail again; the answer is the same for every address."""
    accounts.resend_verification(form.email, client())
    return done(Message(message=CHECK_MAIL), to="auth.check_mail")


@bp.form(
    "/sign-in",
    refuses=(accounts.InvalidCredentials, accounts.EmailNotVerified),
    guests_only=True,
    starts_session=True,
)
@access.public
def sign_in(form: schemas.SignIn) -> Done[schemas.SignedIn]:
    """Begin a session."""
    started = accounts.sign_in(form, client(), find_me())
    let_in(started)
    signed_in = schemas.SignedIn(user=user_of(started.user), session=session_of(started))
    return done(signed_in, to="site.home", follow_next=True)


@bp.form("/sign-out")
@access.public
def sign_out(form: Nothing) -> Done[Message]:
    """End the current session."""
    sessions.sign_out(find_me())
    access.clear_session()
    csrf.renew()
    session.pop(MARK, None)
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


@bp.form("/change-password", refuses=(sessions.CurrentPasswordIncorrect,))
@access.session_only
def change_password(form: schemas.ChangePassword) -> Done[schemas.PasswordChanged]:
    """Set a new password, and end the other sessions if asked to."""
    changed = new_passwords.change_password(me(), form, client())
    let_in(changed.session)
    revoked = "all" if form.revoke_other_sessions else "none"
    answer = schemas.PasswordChanged(revoked_sessions=revoked, revoked_count=changed.revoked_count)
    return done(answer, to="auth.account", say="Password changed successfully.")


@bp.form("/forgot-password")
@access.public
def forgot_password(form: schemas.ForgotPassword) -> Done[Message]:
    """Mail a link for a new password; the answer is the same for every address."""
    new_passwords.forgot_password(form, client())
    return done(Message(message=CHECK_MAIL), to="auth.check_mail")


@bp.form("/reset-password", refuses=(mailed.InvalidToken,))
@access.public
def reset_password(form: schemas.ResetPassword) -> Done[Message]:
    """Set a new password by a mailed link; ends every session, and signs nobody in."""
    new_passwords.reset_password(form, client())
    message = "Your password is set. Sign in with it."
    return done(Message(message=message), to="auth.sign_in", say=message)


@bp.form("/reauthenticate", refuses=(sessions.PasswordIncorrect,))
@access.session_only
def reauthenticate(form: schemas.Reauthenticate) -> Done[Message]:
    """Prove the password again, for what needs it."""
    let_in(sessions.reauthenticate(me(), form))
    return done(Message(message="Thank you."), to="auth.account", follow_next=True)


@bp.page("/account", only="page")
@access.session_only
def account() -> schemas.AccountPage:
    """Everything about the caller's account."""
    who = me()
    return schemas.AccountPage(
        user=user_of(who),
        sessions=sessions.list_sessions(who),
        tokens=access_tokens.list_tokens(who),
    )


@bp.page("/account", only="api")
@access.signed_in
def get_account() -> schemas.Account:
    """The caller's account."""
    return schemas.Account(user=user_of(me()))


@bp.page("/sessions", only="api")
@access.session_only
def list_sessions() -> schemas.Sessions:
    """The caller's sessions, newest first."""
    return schemas.Sessions(sessions=sessions.list_sessions(me()))


@bp.form("/sessions/<uuid:session_id>", verb="DELETE", on=account)
@access.session_only
def end_session(session_id: UUID, form: Nothing) -> Done[Message]:
    """End one of the caller's sessions."""
    sessions.end_session(me(), session_id)
    return done(Message(message="The session has ended."), to="auth.account", say="The session has ended.")


@bp.form("/sessions/revoke-others", on=account)
@access.session_only
def end_other_sessions(form: Nothing) -> Done[schemas.OthersEnded]:
    """End every session of the caller but the current one."""
    count = sessions.end_other_sessions(me())
    message = f"{count} other {'session has' if count == 1 else 'sessions have'} ended."
    return done(schemas.OthersEnded(message=message, revoked_count=count), to="auth.account", say=message)


@bp.page("/tokens", only="api")
@access.session_only
def list_tokens() -> schemas.Tokens:
    """The caller's access tokens, without their values."""
    return schemas.Tokens(tokens=access_tokens.list_tokens(me()))


@bp.form("/tokens", statuses=(201,), on=account)
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


def let_in(started: sessions.Started) -> None:
    """Send the session's cookie, mark the device, and give the forms of this browser a new secret."""
    access.set_session(started.token, started.max_age_seconds)
    if started.device is not None:
        access.mark_device(started.device)
    csrf.renew()


def user_of(user: object) -> schemas.UserOut:
    """An account as its owner sees it."""
    return schemas.UserOut.model_validate(user)


def session_of(started: sessions.Started) -> schemas.SessionOut:
    """The session that has just begun, as the outside sees it."""
    return schemas.SessionOut(id=started.session_id, expires_at=started.expires_at)
