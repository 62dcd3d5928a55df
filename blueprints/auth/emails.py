"""What accounts mail: each function gives its templates what they need, anew at each try."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.addresses import mask
from app.mail import mail_job
from app.web import absolute_url


def _verify_email(token_id: str, again: str = "") -> dict[str, Any] | None:
    found = _with_link(token_id)
    return found and found | {"again": bool(again), "forgot_link": absolute_url("auth.forgot_password")}


def _already_registered(user_id: str) -> dict[str, Any]:
    return {"sign_in_link": absolute_url("auth.sign_in"), "forgot_link": absolute_url("auth.forgot_password")}


def _reset_password(token_id: str) -> dict[str, Any] | None:
    return _with_link(token_id)


def _confirm_email_change(token_id: str) -> dict[str, Any] | None:
    return _with_link(token_id)


def _address_taken(token_id: str) -> dict[str, Any]:
    return {"sign_in_link": absolute_url("auth.sign_in"), "forgot_link": absolute_url("auth.forgot_password")}


def _email_changed(token_id: str, user_id: str, at: str, ip: str, browser: str) -> dict[str, Any]:
    from blueprints.auth.services import accounts

    user = accounts.find_user(UUID(user_id))
    return {"new_address": mask(user.email) if user else None, **_notice(token_id, at, ip, browser)}


def _password_changed(token_id: str, at: str, ip: str, browser: str) -> dict[str, Any]:
    return _notice(token_id, at, ip, browser)


def _new_device(token_id: str, at: str, ip: str, browser: str) -> dict[str, Any]:
    return _notice(token_id, at, ip, browser)


def _account_deleted(at: str, ip: str, browser: str) -> dict[str, Any]:
    return {"at": datetime.fromisoformat(at), "ip": ip, "browser": browser}


def _with_link(token_id: str) -> dict[str, Any] | None:
    """A link and how long it lasts, in words; None when it is void, and the mail with it."""
    from blueprints.auth.services import mailed

    found = mailed.find_link(UUID(token_id))
    return {"link": found.url, "lasts": found.lasts, "address": found.address} if found else None


def _notice(token_id: str, at: str, ip: str, browser: str) -> dict[str, Any]:
    """What happened, when and from where, with the link that undoes it; a notice is sent without one, too."""
    from blueprints.auth.services import mailed

    found = mailed.find_link(UUID(token_id))
    return {"at": datetime.fromisoformat(at), "ip": ip, "browser": browser, "link": found.url if found else None}


verify_email = mail_job("verify_email", _verify_email)
already_registered = mail_job("already_registered", _already_registered)
reset_password = mail_job("reset_password", _reset_password)
password_changed = mail_job("password_changed", _password_changed)
new_device = mail_job("new_device", _new_device)
confirm_email_change = mail_job("confirm_email_change", _confirm_email_change)
address_taken = mail_job("address_taken", _address_taken)
email_changed = mail_job("email_changed", _email_changed)
account_deleted = mail_job("account_deleted", _account_deleted)

mails = (
    verify_email,
    already_registered,
    reset_password,
    password_changed,
    new_device,
    confirm_email_change,
    address_taken,
    email_changed,
    account_deleted,
)
