"""Sign-in: one answer and the same work for an unknown address, a wrong password and a disabled account."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import limits, log, mail, plugins
from app.access import Client
from app.addresses import address_key
from app.database import db, end_read, transaction, utc_now
from app.errors import AppError, Conflict
from blueprints.auth import emails
from blueprints.auth.lane import lane
from blueprints.auth.models import User
from blueprints.auth.schemas import SignIn
from blueprints.auth.services import devices, mailed, sessions, sign_ups
from blueprints.auth.services.passwords import hash_password, needs_rehash, verify_password
from blueprints.auth.services.sessions import Started
from blueprints.auth.settings import AuthSettings


class InvalidCredentials(AppError):
    """Unknown address, wrong password, disabled account: one answer."""

    status, code, message = 401, "INVALID_CREDENTIALS", "The address or the password is not right."


class EmailNotVerified(AppError):
    status, code = 403, "EMAIL_NOT_VERIFIED"
    message = "Verify your address first. We have sent you a new mail with a link."


def sign_in(form: SignIn, client: Client, cookie: str | None) -> Started:
    """Begin a session; the one that the browser's `cookie` stands for ends.

    :raises InvalidCredentials:
    :raises EmailNotVerified: the password was right; a new mail goes out under its limit.
    :raises app.errors.RateLimited: counted before the check, successful tries too.
    """
    key = address_key(form.email)
    settings = plugins.current(AuthSettings)
    limits.count("sign-in-ip", settings.limit_sign_in_ip, limits.ip_bucket(client.ip))
    with lane():
        user = db.session.scalar(select(User).where(User.email_key == key))
        known = devices.is_known(user.id if user else None, client.device)
        # Read now: any transaction below, that of the limits too, reads the row anew, and holds a connection for it.
        verified = user.password_hash if user is not None and user.disabled_at is None else None
        end_read()
        if not known:
            limits.count("sign-in-account", settings.limit_sign_in_account, key)
            limits.count("sign-in-total", settings.limit_sign_in_total)
        fits = verify_password(form.password, verified)
        if user is None or verified is None or not fits:
            log.info("sign_in_refused", request_id=client.request_id)
            raise InvalidCredentials
        new_hash = hash_password(form.password) if needs_rehash(verified) else None
    if user.email_verified_at is None:
        sign_ups.resend(user.email)
        raise EmailNotVerified
    with transaction() as session:
        same = User.id == user.id, User.password_hash == verified, User.disabled_at.is_(None)
        row = session.scalar(select(User).where(*same).with_for_update())
        if row is None:  # while we looked, the password was changed or hashed anew, or the account disabled
            raise Conflict if new_hash else InvalidCredentials
        row.password_hash = new_hash or row.password_hash
        mailed.void_tokens(session, row.id, "reset-password")
        _tell_of_new_device(session, row, client)
        log.info("signed_in", user_id=str(row.id), request_id=client.request_id)
        return sessions.start_session(session, row, client, remember=form.remember_me, replaces=cookie)


def _tell_of_new_device(session: Session, user: User, client: Client) -> None:
    if devices.is_new(user.id, client):
        token = mailed.make_token(session, user, "not-me")
        at = utc_now().isoformat()
        details = {"at": at, "ip": client.ip, "browser": client.user_agent}
        mail.queue(emails.new_device, user.email, token_id=token.id, **details)
