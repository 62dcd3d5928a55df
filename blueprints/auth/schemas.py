"""What may come into accounts, and what the outside may see of them."""

import re
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import AfterValidator, AliasChoices, Field, WithJsonSchema

from app.schemas import Email, In, Line, Name, NewPassword, Out, Password, Timestamp, Token, Whole

UserType = Literal["creator", "investor", "production"]
USERNAME = r"^[a-z0-9_]{3,30}$"


def check_username(value: str) -> str:
    """A username, trimmed.

    :raises ValueError: it has another form; the text is for people.
    """
    found = re.fullmatch(USERNAME.strip("^$"), value.strip())
    if not found:
        raise ValueError("Use 3 to 30 of the letters a to z, digits and underscores.")
    return found[0]


Username = Annotated[str, AfterValidator(check_username), WithJsonSchema({"type": "string", "pattern": USERNAME})]


class SignUp(In):
    email: Email
    password: NewPassword
    name: Annotated[str, Name(100)] | None = None
    username: Username | None = None
    user_type: UserType = "creator"


class VerifyEmail(In):
    token: Token


class ResendVerification(In):
    email: Email


class SignIn(In):
    email: Email
    password: Password
    remember_me: bool = False


class ChangePassword(In):
    missing_message: ClassVar[str | None] = "Current and new passwords are required"

    current_password: Password
    new_password: NewPassword
    revoke_other_sessions: bool = False


class ForgotPassword(In):
    email: Email


class ResetPassword(In):
    token: Token
    new_password: NewPassword


class Reauthenticate(In):
    password: Password


class EditAccount(In):
    name: Annotated[str, Name(100)] | None = None
    username: Username | None = None


class DeleteAccount(In):
    password: Password


class ChangeEmail(In):
    new_email: Email
    password: Password


class ConfirmEmailChange(In):
    token: Token


class UndoEmailChange(In):
    token: Token


class NotMe(In):
    token: Token


class CreateToken(In):
    name: Annotated[str, Line(100)]
    expires_in_days: Annotated[int, Whole(1, 365)] = 90


class UserOut(Out):
    """An account, as its owner sees it; read from a `User` or from an `Identity`."""

    id: UUID = Field(validation_alias=AliasChoices("id", "user_id"))
    email: str
    name: str | None
    username: str | None
    user_type: str
    email_verified: bool
    two_factor_enabled: bool = False
    is_admin: bool
    created_at: Timestamp


class SessionOut(Out):
    """The session of a sign-in."""

    id: UUID
    expires_at: Timestamp


class Account(Out):
    user: UserOut


class SignedIn(Out):
    """Who is signed in; `session` is null for an access token."""

    user: UserOut
    session: SessionOut | None


class EmailVerified(Out):
    """With user and session in the browser that signed up; elsewhere without."""

    message: str
    user: UserOut | None = None
    session: SessionOut | None = None

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in super().as_json().items() if value is not None}


class PasswordChanged(Out):
    message: str = "Password changed successfully"
    revoked_sessions: Literal["all", "none"]
    revoked_count: int


class OthersEnded(Out):
    message: str
    revoked_count: int


class SessionRow(Out):
    """One signed-in browser of the list."""

    id: UUID
    current: bool
    ip_address: str
    user_agent: str
    created_at: Timestamp
    last_seen_at: Timestamp
    expires_at: Timestamp


class Sessions(Out):
    sessions: list[SessionRow]


class EndedSession(Out):
    """One session of the list that is over, and what ended it."""

    ip_address: str
    user_agent: str
    ended_at: Timestamp
    reason: str
    by_ip_address: str | None
    by_user_agent: str | None


class TokenRow(Out):
    """One access token of the list, never its value."""

    id: UUID
    name: str
    created_at: Timestamp
    expires_at: Timestamp
    last_used_at: Timestamp | None


class Tokens(Out):
    tokens: list[TokenRow]


class TokenCreated(Out):
    """The only time the value is shown."""

    token: TokenRow
    value: str


class BlockerAction(Out):
    """One way to settle what blocks a deletion, and the path of the page where that is done."""

    label: str
    url: str


class Blocker(Out):
    """One thing that must be settled before an account can be deleted: its page, and the ways to settle it."""

    label: str
    url: str | None = None
    actions: list[BlockerAction] = []


class AccountDeletion(Out):
    """What stands in the way of deleting the account; empty when nothing does."""

    blockers: list[Blocker]


class AccountPage(Out):
    """Everything on the account page."""

    user: UserOut
    sessions: list[SessionRow]
    ended: list[EndedSession]
    tokens: list[TokenRow]
    blockers: list[Blocker]


class Person(Out):
    """Somebody, as other blueprints see them."""

    id: UUID
    email: str
    name: str | None
    last_seen_at: datetime | None = None
