"""The roles of a team in order, highest first, and what each may do: the one table that everything reads."""

from dataclasses import dataclass
from typing import Literal

Permission = Literal["can_edit", "can_invite", "can_delete", "can_manage_roles"]


@dataclass(frozen=True)
class Role:
    """One role; `can_edit` is about what the team works on, the team itself is for owners and admins."""

    id: str
    name: str
    can_edit: bool = False
    can_invite: bool = False
    can_delete: bool = False
    can_manage_roles: bool = False


ROLES = (
    Role("owner", "Owner", can_edit=True, can_invite=True, can_delete=True, can_manage_roles=True),
    Role("admin", "Admin", can_edit=True, can_invite=True, can_manage_roles=True),
    Role("member", "Member", can_edit=True),
    Role("viewer", "Viewer"),
)
OWNER = "owner"  # given by an owner or by a transfer, never by invitation
DEFAULT = "member"
INVITED = tuple(role.id for role in ROLES if role.id != OWNER)

_RANKS = {role.id: rank for rank, role in enumerate(ROLES)}


def get_role(role_id: str) -> Role:
    """The role of a name that is stored or was checked."""
    return ROLES[_RANKS[role_id]]


def is_at_least(role_id: str, other_id: str) -> bool:
    """Whether a role is the other one or stands above it: what one needs to grant it."""
    return _RANKS[role_id] <= _RANKS[other_id]


def grantable(role_id: str) -> list[Role]:
    """What someone with this role may invite to, lowest first."""
    return [role for role in reversed(ROLES) if role.id in INVITED and is_at_least(role_id, role.id)]
