"""Sign-up: an account, and the proof of its mailbox by a mailed link."""

from dataclasses import dataclass
from secrets import token_hex
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import exists, select

from app import limits, mail, plugins
from app.access import Client
from app.addresses import address_key
from app.database import transaction, utc_now
from app.errors import AppError, Conflict
from app.jobs import Job, enqueue
from app.mailed_tokens import digest
from blueprints.auth import emails
from blueprints.auth.lane import lane
from blueprints.auth.models import MailedToken, User
from blueprints.auth.schemas import SignUp, VerifyEmail
from blueprints.auth.services import accounts, mailed, sessions
from blueprints.auth.services.passwords import check_length, check_password, hash_password
from blueprints.auth.services.sessions import Started
from blueprints.auth.settings import AuthSettings


class AddressTaken(AppError):
    """Two sign-ups of one address at the same moment; never seen outside."""


class UsernameTaken(AppError):
    """Somebody took the username at the same moment; never seen outside."""


@dataclass(frozen=True)
class SignUpMark:
    """What the browser that signed up keeps: only there does the mailed link sign in.

    Salted digests: two sign-ups of one address have nothing in common for whoever reads their cookies, and
    those of a taken address look like any others.
    """

    salt: str
    sign_up: str

    @classmethod
    def of(cls, account: str, sign_up: str) -> "SignUpMark":
        """The mark of a sign-up, with a salt of its own."""
        salt = token_hex(16)
        return cls(salt, digest(f"{salt} {account} {sign_up}"))

    @classmethod
    def read(cls, kept: Any) -> "SignUpMark | None":
        """The mark that a browser kept; None without one, and for one of another form."""
        return cls(*kept) if isinstance(kept, list) and len(kept) == 2 else None

    def fits(self, user: User) -> bool:
        """Whether the account's last sign-up was made in this browser."""
        return self.sign_up == digest(f"{self.salt} {user.id} {user.sign_up_id}")


def sign_up(form: SignUp, client: Client) -> SignUpMark:
    """Create an account and mail its link; for a taken address mail its owner instead.

    Status, work and mark are the same either way.
    :raises ValidationFailed: the password is refused.
    :raises app.errors.RateLimited:
    """
    check_length(form.password, "password")
    settings = plugins.current(AuthSettings)
    limits.count("sign-up-ip", settings.limit_sign_up_ip, limits.ip_bucket(client.ip))
    check_password(form.password, form.email, "password")
    with lane():
        password_hash = hash_password(form.password)
    may_mail = limits.tried("sign-up-address", settings.limit_mail_address, address_key(form.email)) is None
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
        if username is not None:
            accounts.free_username(session, username, key)
            taken = session.scalar(select(User.id).where(User.username == username, User.email_key != key))
            username = None if taken else username
        account, sign_up_id = uuid4(), token_hex(16)
        if user is None or (user.email_verified_at is None and user.disabled_at is None):
            if user is None:
                user = User(id=account, email=form.email, email_key=key)
                session.add(user)
            # A second sign-up of an unverified address voids the first one's password, name and browser.
            account = user.id
            user.email, user.password_hash, user.sign_up_id = form.email, password_hash, sign_up_id
            user.name, user.username, user.user_type = form.name, username, form.user_type
        else:
            user.updated_at = utc_now()  # a write, as for a new account
        session.flush()
        mailed.void_tokens(session, user.id, "verify-email")  # now: an earlier link would verify the new password
        if may_mail:
            enqueue(signed_up, user_id=str(user.id))
        return SignUpMark.of(str(account), sign_up_id)


def mail_after_sign_up(user_id: str) -> None:
    """Mail the link of a new account, or tell the owner of an existing one that somebody signed up anew."""
    with transaction() as session:
        user = session.scalar(select(User).where(User.id == UUID(user_id)).with_for_update())
        if user is None or user.disabled_at is not None:
            return
        if user.email_verified_at is not None:
            mail.queue(emails.already_registered, user.email, user_id=user.id)
            return
        again = exists().where(MailedToken.user_id == user.id, MailedToken.purpose == "verify-email")
        more = {"again": True} if session.scalar(select(again)) else {}
        token = mailed.make_token(session, user, "verify-email")
        mail.queue(emails.verify_email, user.email, token_id=token.id, **more)


def resend_verification(address: str, client: Client) -> None:
    """Mail a new link if the address waits for one; answer and work are the same if not.

    :raises app.errors.RateLimited: by the caller's address of the network; that of the mailbox is silent.
    """
    limits.count("mail-ip", plugins.current(AuthSettings).limit_mail_ip, limits.ip_bucket(client.ip))
    resend(address)


def resend(address: str) -> None:
    """Mail a new link under the limit of its mailbox, if the address waits for one."""
    if mailed.may_ask("verify-email", address):
        with transaction():
            enqueue(asked_again, email=address)


def mail_verification_again(email: str) -> None:
    """Mail a new link if the address waits for one."""
    with transaction() as session:
        user = session.scalar(select(User).where(User.email_key == address_key(email)).with_for_update())
        if user is not None and user.email_verified_at is None and user.disabled_at is None:
            token = mailed.make_token(session, user, "verify-email")
            mail.queue(emails.verify_email, user.email, token_id=token.id)


def verify_email(form: VerifyEmail, mark: SignUpMark | None, client: Client, cookie: str | None) -> Started | None:
    """Believe the mailbox; signs in only the browser whose sign-up this is.

    :raises InvalidToken: unknown, used, expired or superseded.
    """
    with transaction() as session:
        user, _ = mailed.use_token(session, form.token, "verify-email")
        user.email_verified_at = user.email_verified_at or utc_now()
        if mark is None or not mark.fits(user):
            return None
        return sessions.start_session(session, user, client, replaces=cookie)


# What depends on whether there is an account happens in a job: the request does the same work either way.
signed_up = Job("auth.signed_up", mail_after_sign_up, atomic=True)
asked_again = Job("auth.verification_asked_again", mail_verification_again, atomic=True)
