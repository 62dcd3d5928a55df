"""What may come into teams, and what the outside may see of them."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, WithJsonSchema

from app.schemas import Email, In, Lines, Name, Out, Password, Timestamp, Token
from blueprints.auth import SessionOut, UserOut, UserType
from blueprints.teams.roles import DEFAULT, INVITED


def invited_role(value: str) -> str:
    """A role that is given by invitation.

    :raises ValueError: unknown, or owner.
    """
    if value not in INVITED:
        raise ValueError(f"Choose one of: {', '.join(INVITED)}.")
    return value


def is_absent(value: object) -> bool:
    """Whether a part is left out of an answer."""
    return value is None


def without_default(schema: dict[str, Any]) -> None:
    """Leave a default out of the description of a field."""
    schema.pop("default", None)


InvitedRole = Annotated[str, AfterValidator(invited_role), WithJsonSchema({"type": "string", "enum": list(INVITED)})]


class CreateTeam(In):
    name: Annotated[str, Name(100)]
    description: Annotated[str, Lines(2000)] | None = None


class EditTeam(In):
    # Absent: unchanged; never cleared, so the default is only a mark of what is absent.
    name: Annotated[str, Name(100)] = Field("", validate_default=False, json_schema_extra=without_default)
    description: Annotated[str, Lines(2000)] | None = None


class ChangeRole(In):
    role: Literal["owner", "admin", "member", "viewer"]


class OfferOwnership(In):
    member_id: UUID


class InviteToTeam(In):
    email: Email
    role: InvitedRole = DEFAULT
    message: Annotated[str, Lines(1000)] | None = None


class Invite(InviteToTeam):
    """The same for a program that names the team in the body."""

    team_id: UUID


class AcceptInvitation(In):
    """All of it only for who has no account yet: the password opens one."""

    password: Password | None = None
    name: Annotated[str, Name(100)] | None = None
    user_type: UserType = "creator"


class AcceptInvite(AcceptInvitation):
    token: Token


class RejectInvite(In):
    token: Token


class PreviewInvite(In):
    token: Token


class Permissions(Out):
    """What a role may do."""

    can_edit: bool
    can_invite: bool
    can_delete: bool
    can_manage_roles: bool


class RoleOut(Out):
    """A role of a team, and how many have it."""

    id: str
    name: str
    permissions: Permissions
    member_count: int
    is_default: bool


class Roles(Out):
    roles: list[RoleOut]


class TeamOut(Out):
    """A team; its owner is the longest-standing one."""

    id: UUID
    name: str
    description: str | None
    owner_id: UUID | None
    owner_name: str | None
    member_count: int
    created_at: Timestamp
    updated_at: Timestamp


class Teams(Out):
    teams: list[TeamOut]


class OneTeam(Out):
    team: TeamOut


class MemberOut(Out):
    """Somebody in a team."""

    id: UUID
    user_id: UUID
    name: str | None
    email: str
    role: str
    permissions: Permissions
    status: str = "active"
    joined_date: Timestamp
    last_active: Timestamp | None


class OneMember(Out):
    member: MemberOut


class Members(Out):
    members: list[MemberOut]


class TeamWithMembers(TeamOut):
    members: list[MemberOut]


class OneTeamWithMembers(Out):
    team: TeamWithMembers


class InvitationOut(Out):
    """An invitation, never its token; the address is masked for others than the invited and the team."""

    id: UUID
    team_id: UUID
    team_name: str
    email: str
    role: str
    status: str
    invited_by: UUID | None
    invited_by_name: str | None
    message: str | None
    expires_at: Timestamp
    created_at: Timestamp


class Invites(Out):
    invites: list[InvitationOut]


class OneInvitation(Out):
    invitation: InvitationOut


class Invited(Out):
    """`emailSent`: the mail is durably queued; `emailStatus` is queued, sent or failed."""

    invitation: InvitationOut
    email_sent: bool = True
    email_status: str


class InvitationRow(InvitationOut):
    """An invitation as its team sees it, with the state of its mail."""

    email_status: str


class GrantableRole(Out):
    """A choice in the invite form."""

    id: str
    name: str


class MemberRow(MemberOut):
    """A member on the team's page, with what the visitor may do about them."""

    is_me: bool
    roles: list[GrantableRole]
    can_remove: bool


class Offer(Out):
    """An open offer of ownership; an address stands in for a missing name."""

    offered_by: str
    offered_to: str
    offered_at: Timestamp
    expires_at: Timestamp


class TeamPage(Out):
    """Everything on a team's page; the invitations are for those who may invite, the offer is to the visitor."""

    team: TeamOut
    members: list[MemberRow]
    role: str
    can_invite: bool
    invites: list[InvitationRow]
    grantable_roles: list[GrantableRole]
    offer: Offer | None


class SettingsPage(Out):
    """What the visitor may do about a team as a whole; for owners who could take it over, and their own offer."""

    team: TeamOut
    role: str
    can_edit: bool
    can_delete: bool
    candidates: list[MemberOut]
    offer: Offer | None


class InvitationPart(Out):
    """An invitation as the page about it shows it to its team."""

    invitation: InvitationRow


class Preview(Out):
    """What a mailed link is about; `signedInAs` is the caller's own address."""

    invitation: InvitationOut
    account_exists: bool
    signed_in_as: str | None


class InvitationPage(Preview):
    """The mailed link as a page: `address` is told in full to the invited, and to who opens the account."""

    is_mine: bool
    address: str | None
    sign_out_url: str | None


class Joined(Out):
    """Who is in the team now: with user and session when the account was opened on the way."""

    team: TeamOut
    member: MemberOut
    already_member: bool | None = Field(None, exclude_if=is_absent)
    user: UserOut | None = Field(None, exclude_if=is_absent)
    session: SessionOut | None = Field(None, exclude_if=is_absent)
