"""A new address, and the mailed links that undo what somebody else did."""

from app import access
from app.access import client, me
from app.schemas import Message
from app.web import Done, done
from blueprints.auth import schemas
from blueprints.auth.routes.browser import bp, forget_browser
from blueprints.auth.services import current_password, email_changes, mailed, takeovers


@bp.form("/change-email", refuses=(current_password.PasswordIncorrect,))
@access.session_only
def change_email(form: schemas.ChangeEmail) -> Done[Message]:
    """Mail a link to a new address; it is the account's once the link is opened."""
    email_changes.change_email(me(), form)
    message = f"We have mailed a link to {form.new_email}. Your address changes when you open it."
    return done(Message(message=message), to="auth.account", say=message)


@bp.form("/change-email/confirm", refuses=(mailed.InvalidToken, takeovers.AddressTaken))
@access.public
def confirm_email_change(form: schemas.ConfirmEmailChange) -> Done[Message]:
    """Give the account the address that the link was mailed to."""
    email_changes.confirm_email_change(form, client())
    return done(Message(message="Your address is changed."), to="auth.account", say="Your address is changed.")


@bp.form("/change-email/undo", refuses=(mailed.InvalidToken, takeovers.AddressTaken))
@access.public
def undo_email_change(form: schemas.UndoEmailChange) -> Done[Message]:
    """Take an address back, end everything, and mail a link for a new password."""
    email_changes.undo_email_change(form, client())
    message = "Your address is as it was, and everything has ended. We have mailed you a link for a new password."
    return done(Message(message=message), to="auth.account", say=message)


@bp.form("/not-me", refuses=(mailed.InvalidToken, takeovers.AddressTaken))
@access.public
def not_me(form: schemas.NotMe) -> Done[Message]:
    """End everything in the account, and mail a link for a new password."""
    takeovers.not_me(form, client())
    forget_browser()
    message = "Everything has ended. We have mailed you a link for a new password."
    return done(Message(message=message), to="auth.check_mail", say=message)
