"""The ways to a new password: with the current one, or by a mailed link."""

from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app import limits, log, mail, plugins
from app.access import Client, Identity
from app.addresses import address_key
from app.database import end_read, transaction, utc_now
from app.jobs import Job, enqueue
from blueprints.auth import emails
from blueprints.auth.lane import lane
from blueprints.auth.models import AccessToken, User, UserSession
from blueprints.auth.schemas import ChangePassword, ForgotPassword, ResetPassword
from blueprints.auth.services import current_password, devices, mailed, sessions
from blueprints.auth.services.current_password import CurrentPasswordIncorrect
from blueprints.auth.services.passwords import check_length, check_password, hash_password
from blueprints.auth.services.sessions import End, Started
from blueprints.auth.settings import AuthSettings


@dataclass(frozen=True)
class Changed:
    """A changed password: the current session's new cookie, and how many others ended."""

    session: Started
    revoked_count: int


def change_password(who: Identity, form: ChangePassword, client: Client) -> Changed:
    """Set a new password; end the other sessions and every access token if asked to.

    :raises CurrentPasswordIncorrect:
    :raises app.errors.RateLimited: counted before the check, over every session of the user.
    :raises Conflict: someone changed it at the same moment.
    """
    check_length(form.new_password, "newPassword")
    verified = current_password.prove(who, form.current_password, CurrentPasswordIncorrect)
    check_password(form.new_password, who.email, "newPassword")
    with lane():
        new_hash = hash_password(form.new_password)
    with transaction() as session:
        user = current_password.lock_user(session, who.user_id, verified)
        user.password_hash = new_hash
        mailed.void_tokens(session, user.id, "reset-password", "change-email")
        revoked = 0
        if form.revoke_other_sessions:
            others = UserSession.user_id == user.id, UserSession.id != who.own_session
            revoked = sessions.end_sessions(session, End.PASSWORD_CHANGE, *others, by=client)
            session.execute(delete(AccessToken).where(AccessToken.user_id == user.id))
            devices.forget(session, user.id, but=client.device)
        _mail_notice(session, user, client)
        log.info("password_changed", user_id=str(user.id), revoked=revoked)
        return Changed(sessions.rotate(session, who.own_session, user), revoked)


def _mail_notice(session: Session, user: User, client: Client) -> None:
    token = mailed.make_token(session, user, "not-me")
    details = {"at": utc_now().isoformat(), "ip": client.ip, "browser": client.user_agent}
    mail.queue(emails.password_changed, user.email, token_id=token.id, **details)


def forgot_password(form: ForgotPassword, client: Client) -> None:
    """Mail a link to the stored address if there is an account; answer and work are the same if not.

    :raises app.errors.RateLimited: by the caller's address of the network; that of the mailbox is silent.
    """
    limits.count("mail-ip", plugins.current(AuthSettings).limit_mail_ip, limits.ip_bucket(client.ip))
    if mailed.may_ask("reset-password", form.email):
        with transaction():
            enqueue(forgotten, email=form.email)


def mail_reset(email: str) -> None:
    """Mail a link for a new password to the stored address of an account, if there is one."""
    with transaction() as session:
        user = session.scalar(select(User).where(User.email_key == address_key(email)).with_for_update())
        if user is not None and user.disabled_at is None:
            token = mailed.make_token(session, user, "reset-password")
            mail.queue(emails.reset_password, user.email, token_id=token.id)


@dataclass(frozen=True)
class Reset:
    """A password set by a mailed link: how many sessions ended, and the cookie by which this browser is known."""

    ended: int
    device: str


def reset_password(form: ResetPassword, client: Client) -> Reset:
    """Set a new password by a mailed link: ends every session and token, verifies the address, signs nobody in.

    The browser that did it is the one known device: nobody's tries keep it from signing in.
    :raises InvalidToken:
    :raises ValidationFailed: the new password is refused; the link stays good.
    :raises app.errors.RateLimited:
    """
    check_length(form.new_password, "newPassword")
    limits.count("reset-ip", plugins.current(AuthSettings).limit_reset_ip, limits.ip_bucket(client.ip))
    email = mailed.find_user(form.token, "reset-password").email
    end_read()
    check_password(form.new_password, email, "newPassword")
    with lane():
        new_hash = hash_password(form.new_password)
    with transaction() as session:
        user, _ = mailed.use_token(session, form.token, "reset-password")
        user.password_hash = new_hash
        user.email_verified_at = user.email_verified_at or utc_now()
        mailed.void_tokens(session, user.id, "verify-email", "change-email")
        ended = sessions.end_sessions(session, End.PASSWORD_RESET, UserSession.user_id == user.id, by=client)
        session.execute(delete(AccessToken).where(AccessToken.user_id == user.id))
        devices.forget(session, user.id)
        device = devices.remember(session, user.id, None)
        _mail_notice(session, user, client)
        log.info("password_reset", user_id=str(user.id), ended=ended)
        return Reset(ended, device)


# What depends on whether there is an account happens in a job: the request does the same work either way.
forgotten = Job("auth.password_forgotten", mail_reset, atomic=True)
