"""Who is in a team, in which role, and what that allows."""

from uuid import UUID

from sqlalchemy import func, select

from app.access import Identity
from app.database import db, transaction
from app.errors import Forbidden, NotFound, Unauthorized
from blueprints.auth import Person, people
from blueprints.teams.models import Team, TeamMember
from blueprints.teams.roles import DEFAULT, ROLES, Permission, get_role
from blueprints.teams.schemas import MemberOut, Permissions, RoleOut


def find_role(team_id: UUID, user_id: UUID) -> str | None:
    """The role somebody has in a team that still exists, or None."""
    query = select(TeamMember.role).join(Team, Team.id == TeamMember.team_id)
    mine = TeamMember.team_id == team_id, TeamMember.user_id == user_id, Team.deleted_at.is_(None)
    return db.session.scalar(query.where(*mine))


def require_member(who: Identity, team_id: UUID) -> str:
    """The caller's role in the team.

    :raises NotFound: absent, deleted, or not the caller's.
    """
    role = find_role(team_id, who.user_id)
    if role is None:
        raise NotFound
    return role


def require(who: Identity, team_id: UUID, permission: Permission) -> str:
    """The caller's role, which has the permission.

    :raises NotFound: absent, deleted, or not the caller's.
    :raises Forbidden: the caller's role does not allow it.
    """
    role = require_member(who, team_id)
    if not getattr(get_role(role), permission):
        raise Forbidden
    return role


def add_member(team_id: UUID, user_id: UUID, role: str) -> None:
    """Put somebody into a team, inside the current transaction.

    :raises Unauthorized: their account was deleted at the same moment.
    """
    if not people([user_id]):
        raise Unauthorized
    with transaction(fk_team_members_user_id=Unauthorized) as session:
        session.add(TeamMember(team_id=team_id, user_id=user_id, role=role))


def list_members(who: Identity, team_id: UUID) -> list[MemberOut]:
    """Who is in the team, by name.

    :raises NotFound: absent, deleted, or not the caller's.
    """
    require_member(who, team_id)
    return members_of(team_id)


def members_of(team_id: UUID) -> list[MemberOut]:
    """Who is in a team, by name; an address stands in for a missing name."""
    rows = list(db.session.scalars(select(TeamMember).where(TeamMember.team_id == team_id)))
    known = people(row.user_id for row in rows)
    found = [member_out(row, known[row.user_id]) for row in rows]
    return sorted(found, key=lambda member: ((member.name or member.email).casefold(), member.email))


def member_out(row: TeamMember, person: Person) -> MemberOut:
    """A member as the team sees them."""
    return MemberOut(
        id=row.id,
        user_id=row.user_id,
        name=person.name,
        email=person.email,
        role=row.role,
        permissions=Permissions.model_validate(get_role(row.role)),
        joined_date=row.joined_at,
        last_active=person.last_seen_at,
    )


def list_roles(who: Identity, team_id: UUID) -> list[RoleOut]:
    """Every role, highest first, with what it allows and how many members have it.

    :raises NotFound: absent, deleted, or not the caller's.
    """
    require_member(who, team_id)
    query = select(TeamMember.role, func.count().label("members")).where(TeamMember.team_id == team_id)
    counts = {row.role: row.members for row in db.session.execute(query.group_by(TeamMember.role))}
    return [
        RoleOut(
            id=role.id,
            name=role.name,
            permissions=Permissions.model_validate(role),
            member_count=counts.get(role.id, 0),
            is_default=role.id == DEFAULT,
        )
        for role in ROLES
    ]
