"""Sign-up and the proof of the mailbox."""

from flask import session

from app import access
from app.access import client
from app.schemas import Message
from app.web import Done, done
from blueprints.auth import schemas
from blueprints.auth.routes.browser import MARK, bp, let_in, session_of, user_of
from blueprints.auth.services import mailed, sign_ups

CHECK_MAIL = "If the address is right, a mail is on its way."


@bp.form("/sign-up", statuses=(202,), guests_only=True, starts_session=True)
@access.public
def sign_up(form: schemas.SignUp) -> Done[Message]:
    """Create an account; the answer is the same for a taken address."""
    mark = sign_ups.sign_up(form, client())
    session[MARK] = [mark.salt, mark.sign_up]
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
    mark = sign_ups.SignUpMark.read(session.get(MARK))
    started = sign_ups.verify_email(form, mark, client(), access.session_cookie())
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
    sign_ups.resend_verification(form.email, client())
    return done(Message(message=CHECK_MAIL), to="auth.check_mail")
