"""What accounts mail: each function gives its templates what they need, anew at each try."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.mail import mail_job
from app.web import absolute_url


def _verify_email(token_id: str) -> dict[str, Any] | None:
    from blueprints.auth.services import mailed

    link = mailed.link(UUID(token_id))
    return {"link": link, "hours": 24} if link else None


def _already_registered(user_id: str) -> dict[str, Any]:
    return {"sign_in_link": absolute_url("auth.sign_in"), "forgot_link": absolute_url("auth.forgot_password")}


def _reset_password(token_id: str) -> dict[str, Any] | None:
    from blueprints.auth.services import mailed

    link = mailed.link(UUID(token_id))
    return {"link": link} if link else None


def _password_changed(user_id: str, at: str, ip: str, browser: str) -> dict[str, Any]:
    return {"at": datetime.fromisoformat(at), "ip": ip, "browser": browser}


verify_email = mail_job("verify_email", _verify_email)
already_registered = mail_job("already_registered", _already_registered)
reset_password = mail_job("reset_password", _reset_password)
password_changed = mail_job("password_changed", _password_changed)

jobs = (verify_email, already_registered, reset_password, password_changed)
