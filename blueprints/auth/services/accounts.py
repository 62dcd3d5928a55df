"""Accounts: sign-up, the proof of the mailbox, sign-in, and administrators."""

from dataclasses import dataclass
from secrets import token_hex
from uuid import UUID, uuid4

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app import limits, mail, plugins
from app.access import Client, Identity
from app.addresses import address_key
from app.database import db, end_read, transaction, utc_now
from app.errors import AppError, Conflict
from blueprints.auth import emails
from blueprints.auth.lane import lane
from blueprints.auth.models import AccessToken, User, UserSession
from blueprints.auth.schemas import SignIn, SignUp, VerifyEmail
from blueprints.auth.services import mailed, sessions
from blueprints.auth.services.passwords import (
    check_length,
    check_password,
    hash_password,
    needs_rehash,
    verify_password,
)
from blueprints.auth.services.sessions import Started
from blueprints.auth.settings import AuthSettings


class InvalidCredentials(AppError):
    """Unknown address, wrong password, disabled account: one answer."""

    status, code, message = 401, "INVALID_CREDENTIALS", "The address or the password is not right."


class EmailNotVerified(AppError):
    status, code = 403, "EMAIL_NOT_VERIFIED"
    message = "Verify your address first. We have sent you a new mail with a link."


class AddressTaken(AppError):
    """Two sign-ups of one address at the same moment; never seen outside."""


class UsernameTaken(AppError):
    status, code, message = 409, "CONFLICT", "This username is taken."


@dataclass(frozen=True)
class SignUpMark:
    """What the browser that signed up keeps: only there does the mailed link sign in."""

    account: str
    sign_up: str


def settings() -> AuthSettings:
    """The settings of accounts."""
    return plugins.current(AuthSettings)


def sign_up(form: SignUp, client: Client) -> SignUpMark:
    """Create an account and mail its link; for a taken address mail its owner instead.

    Status, work and mark are the same either way.
    :raises ValidationFailed: the password is refused.
    :raises app.errors.RateLimited:
    """
    check_length(form.password, "password")
    limits.count("sign-up-ip", settings().limit_sign_up_ip, limits.ip_bucket(client.ip))
    check_password(form.password, form.email, "password")
    with lane():
        password_hash = hash_password(form.password)
    may_mail = limits_allow_mail(form.email, "sign-up-address")
    username = form.username
    for _ in range(3):  # someone was faster: the same again, now against what is there
        try:
            return _sign_up(form, password_hash, username, may_mail=may_mail)
        except AddressTaken:
            continue
        except UsernameTaken:
            username = None
    raise Conflict


def _sign_up(form: SignUp, password_hash: str, username: str | None, *, may_mail: bool) -> SignUpMark:
    key = address_key(form.email)
    with transaction(idx_users_email=AddressTaken, idx_users_username=UsernameTaken) as session:
        user = session.scalar(select(User).where(User.email_key == key).with_for_update())
        if user is not None and (user.email_verified_at is not None or user.disabled_at is not None):
            if may_mail:
                mail.queue(emails.already_registered, user.email, user_id=user.id)
            return SignUpMark(str(uuid4()), token_hex(16))
        if username is not None:
            taken = session.scalar(select(User.id).where(User.username == username, User.email_key != key))
            username = None if taken else username
        if user is None:
            user = User(id=uuid4(), email=form.email, email_key=key, sign_up_id="")
            session.add(user)
        # A second sign-up of an unverified address voids the first one's password, name and browser.
        user.email, user.password_hash, user.sign_up_id = form.email, password_hash, token_hex(16)
        user.name, user.username, user.user_type = form.name, username, form.user_type
        session.flush()
        mailed.void_tokens(session, user.id, "verify-email")
        if may_mail:
            _mail_verification(session, user)
        return SignUpMark(str(user.id), user.sign_up_id)


def limits_allow_mail(address: str, name: str = "mail-address") -> bool:
    """Whether another mail of ours may go to an address this hour; counted, and never told."""
    return limits.tried(name, settings().limit_mail_address, address_key(address)) is None


def resend_verification(address: str, client: Client) -> None:
    """Mail a new link if the address waits for one; the answer is the same if not."""
    limits.count("mail-ip", settings().limit_mail_ip, limits.ip_bucket(client.ip))
    _mail_verification_again(address)


def _mail_verification_again(address: str) -> None:
    if not limits_allow_mail(address):
        return
    with transaction() as session:
        user = session.scalar(select(User).where(User.email_key == address_key(address)).with_for_update())
        if user is not None and user.email_verified_at is None and user.disabled_at is None:
            _mail_verification(session, user)


def _mail_verification(session: Session, user: User) -> None:
    token = mailed.make_token(session, user.id, "verify-email")
    mail.queue(emails.verify_email, user.email, token_id=token.id)


def verify_email(form: VerifyEmail, mark: SignUpMark | None, client: Client, who: Identity | None) -> Started | None:
    """Believe the mailbox; signs in only the browser whose sign-up this is.

    :raises InvalidToken: unknown, used, expired or superseded.
    """
    with transaction() as session:
        user = mailed.use_token(session, form.token, "verify-email")
        user.email_verified_at = user.email_verified_at or utc_now()
        if mark is None or (mark.account, mark.sign_up) != (str(user.id), user.sign_up_id):
            return None
        return sessions.start_session(session, user, client, replaces=who.session_id if who else None)


def sign_in(form: SignIn, client: Client, who: Identity | None) -> Started:
    """Begin a session; signing in while signed in ends the session the browser had.

    :raises InvalidCredentials:
    :raises EmailNotVerified: the password was right; a new mail goes out under its limit.
    :raises app.errors.RateLimited: counted before the check, successful tries too.
    """
    key = address_key(form.email)
    limits.count("sign-in-ip", settings().limit_sign_in_ip, limits.ip_bucket(client.ip))
    with lane():
        user = db.session.scalar(select(User).where(User.email_key == key))
        known = sessions.is_known_device(user.id if user else None, client.device)
        # Read now: any transaction below, that of the limits too, reads the row anew, and holds a connection for it.
        verified = user.password_hash if user is not None and user.disabled_at is None else None
        end_read()
        if not known:
            limits.count("sign-in-account", settings().limit_sign_in_account, key)
            limits.count("sign-in-total", settings().limit_sign_in_total)
        fits = verify_password(form.password, verified)
        if user is None or verified is None or not fits:
            raise InvalidCredentials
        new_hash = hash_password(form.password) if needs_rehash(verified) else None
    if user.email_verified_at is None:
        _mail_verification_again(user.email)
        raise EmailNotVerified
    with transaction() as session:
        same = User.id == user.id, User.password_hash == verified, User.disabled_at.is_(None)
        row = session.scalar(select(User).where(*same).with_for_update())
        if row is None:  # while we looked, the password was changed or hashed anew, or the account disabled
            raise Conflict if new_hash else InvalidCredentials
        row.password_hash = new_hash or row.password_hash
        mailed.void_tokens(session, row.id, "reset-password")
        replaces = who.session_id if who else None
        return sessions.start_session(session, row, client, remember=form.remember_me, replaces=replaces)


def create_admin(email: str, password: str) -> bool:
    """Make a verified administrator, or make one of an existing account, newly secured; True when it is new.

    :raises ValidationFailed: the password is refused.
    """
    check_password(password, email, "password")
    password_hash = hash_password(password)
    with transaction() as session:
        user = session.scalar(select(User).where(User.email_key == address_key(email)))
        new = user is None
        if user is None:
            user = User(id=uuid4(), email=email, email_key=address_key(email))
            session.add(user)
        user.password_hash, user.is_admin, user.disabled_at = password_hash, True, None
        user.email_verified_at = user.email_verified_at or utc_now()
        user.sign_up_id = token_hex(16)
        session.flush()
        for purpose in mailed.LIFETIMES:
            mailed.void_tokens(session, user.id, purpose)
        sessions.end_sessions(session, "an operator", UserSession.user_id == user.id)
        session.execute(delete(AccessToken).where(AccessToken.user_id == user.id))
        return new


def find_by_email(address: str) -> User | None:
    """The account of an address, verified or not, or None."""
    return db.session.scalar(select(User).where(User.email_key == address_key(address)))


def get_user(user_id: UUID) -> User:
    """The account of an id."""
    return db.session.get_one(User, user_id)
