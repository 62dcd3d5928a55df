"""When someone else is in an account: its owner ends everything by a mailed link, and starts anew by another."""

from secrets import token_hex

from sqlalchemy import delete
from sqlalchemy.orm import Session

from app import limits, log, mail, plugins
from app.access import Client
from app.addresses import address_key
from app.database import transaction, utc_now
from app.errors import AppError
from blueprints.auth import emails
from blueprints.auth.models import AccessToken, User, UserSession
from blueprints.auth.schemas import NotMe
from blueprints.auth.services import devices, mailed, sessions
from blueprints.auth.services.passwords import NO_PASSWORD
from blueprints.auth.services.sessions import End
from blueprints.auth.settings import AuthSettings


class AddressTaken(AppError):
    """Another account has proved the address; said only to who has just proved it too. The link stays good."""

    status, code = 409, "CONFLICT"
    message = "Another account has this address. Delete it or change its address, then open this link again."


def not_me(form: NotMe, client: Client) -> None:
    """End everything in an account, and mail its owner a link for a new password.

    The account gets the address back that the notice went to, if whoever was in it changed that, too.
    :raises InvalidToken:
    :raises AddressTaken: another account has proved the address since. Without it the new link would go to
        whoever has the account now, so nothing happens.
    :raises app.errors.RateLimited:
    """
    limits.count("reset-ip", plugins.current(AuthSettings).limit_reset_ip, limits.ip_bucket(client.ip))
    with transaction() as session:
        user, address = mailed.use_token(session, form.token, "not-me")
        if address_key(address) != user.email_key:
            take_address(session, user, address)
        secure(session, user, End.NOT_ME, client)


def secure(session: Session, user: User, reason: End, client: Client) -> None:
    """Shut everyone out of the account of a locked user: sessions, tokens, devices and the password.

    The links ended with the one that was used. Its owner gets one for a new password at the account's address,
    and nothing else opens it.
    """
    user.password_hash, user.sign_up_id = NO_PASSWORD, token_hex(16)
    sessions.end_sessions(session, reason, UserSession.user_id == user.id, by=client)
    session.execute(delete(AccessToken).where(AccessToken.user_id == user.id))
    devices.forget(session, user.id)
    token = mailed.make_token(session, user, "reset-password")
    mail.queue(emails.reset_password, user.email, token_id=token.id)
    log.warning("account_secured", user_id=str(user.id), reason=reason.value)


def take_address(session: Session, user: User, address: str) -> None:
    """Give a locked user an address whose mailbox was just proved.

    An account that signed up with it and never proved it makes room: all it said is void.
    :raises AddressTaken: another account has proved it.
    """
    unproved = User.email_verified_at.is_(None), User.disabled_at.is_(None)
    # Not looked at first: whoever has proved it is met by the index, and no second account is locked for that.
    session.execute(delete(User).where(User.email_key == address_key(address), User.id != user.id, *unproved))
    with transaction(idx_users_email=AddressTaken):
        user.email, user.email_key, user.email_verified_at = address, address_key(address), utc_now()
        session.flush()
