"""The ways to a new password: with the current one, or by a mailed link."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app import limits, mail
from app.access import Client, Identity
from app.addresses import address_key
from app.database import db, end_read, transaction, utc_now
from app.errors import Conflict
from blueprints.auth import emails
from blueprints.auth.lane import lane
from blueprints.auth.models import AccessToken, User, UserSession
from blueprints.auth.schemas import ChangePassword, ForgotPassword, ResetPassword
from blueprints.auth.services import mailed, sessions
from blueprints.auth.services.accounts import limits_allow_mail, settings
from blueprints.auth.services.passwords import check_length, check_password, hash_password, verify_password
from blueprints.auth.services.sessions import CurrentPasswordIncorrect, Started


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
    sessions.count_password_check(who)
    with lane():
        user = db.session.get_one(User, who.user_id)
        end_read()
        verified = user.password_hash  # the transaction below reads the row anew
        if not verify_password(form.current_password, verified):
            raise CurrentPasswordIncorrect
        check_password(form.new_password, user.email, "newPassword")
        new_hash = hash_password(form.new_password)
    with transaction() as session:
        _replace_password(session, user.id, verified, new_hash)
        assert who.session_id is not None  # noqa: S101  access let only a session come here
        revoked = 0
        if form.revoke_other_sessions:
            others = UserSession.user_id == user.id, UserSession.id != who.session_id
            revoked = sessions.end_sessions(session, "password change", *others)
            session.execute(delete(AccessToken).where(AccessToken.user_id == user.id))
        _mail_notice(user, client)
        started = sessions.rotate(session, who.session_id, user, reauthenticated=True)
        return Changed(started, revoked)


def _replace_password(session: Session, user_id: UUID, verified: str, new_hash: str) -> None:
    """Put the new hash in the place of the one that was verified, or lose the race."""
    same = User.id == user_id, User.password_hash == verified
    changed = update(User).where(*same).values(password_hash=new_hash, updated_at=utc_now())
    if not session.execute(changed).rowcount:  # type: ignore[attr-defined]
        raise Conflict
    mailed.void_tokens(session, user_id, "reset-password")


def _mail_notice(user: User, client: Client) -> None:
    now = utc_now().isoformat()
    mail.queue(emails.password_changed, user.email, user_id=user.id, at=now, ip=client.ip, browser=client.user_agent)


def forgot_password(form: ForgotPassword, client: Client) -> None:
    """Mail a link to the stored address if there is an account; the answer is the same if not."""
    limits.count("mail-ip", settings().limit_mail_ip, limits.ip_bucket(client.ip))
    if not limits_allow_mail(form.email):
        return
    with transaction() as session:
        user = session.scalar(select(User).where(User.email_key == address_key(form.email)).with_for_update())
        if user is not None and user.disabled_at is None:
            token = mailed.make_token(session, user.id, "reset-password")
            mail.queue(emails.reset_password, user.email, token_id=token.id)


def reset_password(form: ResetPassword, client: Client) -> None:
    """Set a new password by a mailed link: ends every session and token, verifies the address, signs nobody in.

    :raises InvalidToken:
    :raises ValidationFailed: the new password is refused; the link stays good.
    """
    check_length(form.new_password, "newPassword")
    limits.count("reset-ip", settings().limit_reset_ip, limits.ip_bucket(client.ip))
    with lane():
        user = mailed.find_user(form.token, "reset-password")
        end_read()
        check_password(form.new_password, user.email, "newPassword")
        new_hash = hash_password(form.new_password)
    with transaction() as session:
        user = mailed.use_token(session, form.token, "reset-password")
        user.password_hash = new_hash
        user.email_verified_at = user.email_verified_at or utc_now()
        mailed.void_tokens(session, user.id, "verify-email")
        sessions.end_sessions(session, "password reset", UserSession.user_id == user.id)
        session.execute(delete(AccessToken).where(AccessToken.user_id == user.id))
        _mail_notice(user, client)
