"""Settings of accounts: passwords, the life of mailed links, and the limits."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field

from app.limits import Limit

RANGE_URL = re.compile(
    r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]+)?/([a-z0-9._~%/-]*/)?", re.IGNORECASE | re.ASCII
)


def check_range_url(value: str) -> str:
    """An address to whose end the first digits of a hash are added."""
    try:
        fits = RANGE_URL.fullmatch(value) is not None and urlsplit(value).port != 0
    except ValueError:  # no such port, no such IPv6 address
        fits = False
    if not fits:
        raise ValueError("write it like https://api.pwnedpasswords.com/range/")
    return value


class AuthSettings(BaseModel):
    """What an operator may set; limits are written like `10/5 minutes`."""

    password_min_length: int = Field(8, ge=8, le=64, description="Least characters of a password.")
    password_max_length: int = Field(128, ge=64, le=1024, description="Most characters of a password.")
    breached_passwords_url: Annotated[str, AfterValidator(check_range_url)] | None = Field(
        None, description="`https://api.pwnedpasswords.com/range/` asks Have I Been Pwned about each new password."
    )
    verify_link_hours: int = Field(24, ge=1, le=168, description="Hours a link that proves an address works.")
    reset_link_minutes: int = Field(60, ge=5, le=1440, description="Minutes a link for a new password works.")
    limit_sign_in_account: Limit = Field("10/5 minutes", description="Sign-ins an account; a known device is exempt.")
    limit_sign_in_ip: Limit = Field("20/5 minutes", description="Sign-ins an address (IPv6: a /64).")
    limit_sign_in_total: Limit = Field("1000/5 minutes", description="Sign-ins in all; a known device is exempt.")
    limit_password_check: Limit = Field("5/15 minutes", description="Current-password checks a user.")
    limit_mail_address: Limit = Field("5/hour", description="Reset and verification mails an address, silently.")
    limit_mail_ip: Limit = Field("20/hour", description="Requests for such mails an address of the network.")
    limit_sign_up_ip: Limit = Field("20/hour", description="Sign-ups an address of the network.")
    limit_reset_ip: Limit = Field("20/hour", description="Password resets an address of the network.")
