"""A new address: proved by a link mailed to it, and taken back by a link mailed to the old one."""

from sqlalchemy import exists, select

from app import limits, log, mail, plugins
from app.access import Client, Identity
from app.addresses import address_key
from app.database import transaction, utc_now
from app.errors import ValidationFailed
from blueprints.auth import emails
from blueprints.auth.models import User
from blueprints.auth.schemas import ChangeEmail, ConfirmEmailChange, UndoEmailChange
from blueprints.auth.services import current_password, mailed, takeovers
from blueprints.auth.services.sessions import End
from blueprints.auth.settings import AuthSettings


def change_email(who: Identity, form: ChangeEmail) -> None:
    """Mail a link to the new address; nothing changes before it is opened.

    A taken address gets another mail, and the caller the same answer after the same work.
    :raises ValidationFailed: it is the caller's address already.
    :raises PasswordIncorrect:
    :raises app.errors.RateLimited: counted before the check, over every session of the user.
    :raises Conflict: the password was changed at the same moment.
    """
    key = address_key(form.new_email)
    if key == address_key(who.email):
        raise ValidationFailed({"newEmail": ["This is your address already."]})
    verified = current_password.prove(who, form.password)
    limit = plugins.current(AuthSettings).limit_mail_address
    may_mail = limits.tried("change-email-address", limit, key) is None
    with transaction() as session:
        user = current_password.lock_user(session, who.user_id, verified)
        proved = User.email_verified_at.is_not(None) | User.disabled_at.is_not(None)
        taken = session.scalar(select(exists().where(User.email_key == key, proved)))
        token = mailed.make_token(session, user, "change-email", form.new_email)
        if may_mail:
            job = emails.address_taken if taken else emails.confirm_email_change
            mail.queue(job, form.new_email, token_id=token.id)


def confirm_email_change(form: ConfirmEmailChange, client: Client) -> None:
    """Give the account its new address, and mail the old one a link that takes it back for 72 hours.

    When the account only goes back to an address it had, who had it in between is told without a link.
    :raises InvalidToken:
    :raises AddressTaken: another account has proved the address since.
    :raises app.errors.RateLimited:
    """
    limits.count("sign-up-ip", plugins.current(AuthSettings).limit_sign_up_ip, limits.ip_bucket(client.ip))
    with transaction() as session:
        user, address = mailed.use_token(session, form.token, "change-email")
        old = user.email
        takeovers.take_address(session, user, address)
        mailed.void_tokens(session, user.id, "verify-email", "reset-password")
        undo = mailed.make_token(session, user, "undo-change-email", old)
        mailed.void_between(session, user.id, address)
        at = utc_now().isoformat()
        mail.queue(
            emails.email_changed, old, token_id=undo.id, user_id=user.id, at=at, ip=client.ip, browser=client.user_agent
        )
        log.info("email_changed", user_id=str(user.id))


def undo_email_change(form: UndoEmailChange, client: Client) -> None:
    """Give the account its old address back, and shut out whoever changed it.

    :raises InvalidToken:
    :raises AddressTaken: another account has proved the address since.
    :raises app.errors.RateLimited:
    """
    limits.count("reset-ip", plugins.current(AuthSettings).limit_reset_ip, limits.ip_bucket(client.ip))
    with transaction() as session:
        user, address = mailed.use_token(session, form.token, "undo-change-email")
        takeovers.take_address(session, user, address)
        takeovers.secure(session, user, End.ADDRESS_RESTORED, client)
