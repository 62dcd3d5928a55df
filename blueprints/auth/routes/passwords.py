"""The ways to a new password."""

from app import access
from app.access import client, me
from app.schemas import Message
from app.web import Done, done
from blueprints.auth import schemas
from blueprints.auth.routes.browser import bp, counted, let_in
from blueprints.auth.routes.sign_ups import CHECK_MAIL
from blueprints.auth.services import current_password, mailed, new_passwords


@bp.form("/change-password", refuses=(current_password.CurrentPasswordIncorrect,))
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
    reset = new_passwords.reset_password(form, client())
    access.mark_device(reset.device)
    message = f"Your password is set, and {counted(reset.ended, 'session')} ended. Sign in with it."
    return done(Message(message=message), to="auth.sign_in", say=message)
