"""Settings of accounts: the password's bounds and the limits."""

from pydantic import BaseModel, Field

from app.limits import Limit


class AuthSettings(BaseModel):
    """What an operator may set; limits are written like `10/5 minutes`."""

    password_min_length: int = Field(8, ge=8, le=64, description="Least characters of a password.")
    password_max_length: int = Field(128, ge=64, le=1024, description="Most characters of a password.")
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
