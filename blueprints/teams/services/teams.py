"""Teams themselves: made, listed, shown."""

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, func, select

from app import log
from app.access import Identity
from app.database import db, transaction, utc_now
from app.errors import Forbidden, NotFound
from blueprints.auth import Person, people
from blueprints.teams.models import OwnershipOffer, Team, TeamMember
from blueprints.teams.roles import OWNER, is_at_least
from blueprints.teams.schemas import CreateTeam, EditTeam, TeamOut, TeamWithMembers
from blueprints.teams.services.membership import add_member, members_of, require, require_member

_members = select(TeamMember).where(TeamMember.team_id == Team.id).correlate(Team)
_count = _members.with_only_columns(func.count()).scalar_subquery()
_owners = _members.with_only_columns(TeamMember.user_id).where(TeamMember.role == OWNER)
_owner = _owners.order_by(TeamMember.joined_at, TeamMember.id).limit(1).scalar_subquery()


def list_teams(who: Identity) -> list[TeamOut]:
    """The caller's teams, by name, in two queries whatever their number."""
    return find_teams(Team.id.in_(_teams_of(who)))


def _teams_of(who: Identity) -> Any:
    return select(TeamMember.team_id).where(TeamMember.user_id == who.user_id)


def find_teams(*conditions: Any) -> list[TeamOut]:
    """The teams that exist and fit, by name, each with its member count and longest-standing owner."""
    query = select(Team, _count.label("member_count"), _owner.label("owner_id"))
    rows = db.session.execute(query.where(Team.deleted_at.is_(None), *conditions)).all()
    owners = people(row.owner_id for row in rows if row.owner_id is not None)
    found = [_team_out(row.Team, row.member_count, owners.get(row.owner_id)) for row in rows]
    return sorted(found, key=lambda team: (team.name.casefold(), team.id))


def _team_out(team: Team, member_count: int, owner: Person | None) -> TeamOut:
    return TeamOut(
        id=team.id,
        name=team.name,
        description=team.description,
        owner_id=owner.id if owner else None,
        owner_name=(owner.name or owner.email) if owner else None,
        member_count=member_count,
        created_at=team.created_at,
        updated_at=team.updated_at,
    )


def create_team(who: Identity, form: CreateTeam) -> TeamOut:
    """A new team; the caller is its owner.

    :raises Unauthorized: the caller's account was deleted at the same moment.
    """
    with transaction() as session:
        team = Team(id=uuid4(), name=form.name, description=form.description)
        session.add(team)
        session.flush()
        add_member(team.id, who.user_id, OWNER)
        return find_teams(Team.id == team.id)[0]


def get_team(who: Identity, team_id: UUID) -> TeamWithMembers:
    """One of the caller's teams, with who is in it.

    :raises NotFound: absent, deleted, or not the caller's.
    """
    found = find_teams(Team.id == team_id, Team.id.in_(_teams_of(who)))
    if not found:
        raise NotFound
    return TeamWithMembers(**dict(found[0]), members=members_of(team_id))


def edit_team(who: Identity, team_id: UUID, form: EditTeam) -> TeamWithMembers:
    """Change name and description; what is absent stays.

    :raises NotFound: absent, deleted, or not the caller's.
    :raises Forbidden: the caller is neither owner nor admin.
    """
    with transaction() as session:
        team = session.scalar(select(Team).where(Team.id == team_id).with_for_update())
        if not is_at_least(require_member(who, team_id), "admin"):
            raise Forbidden
        for name, value in form.given.items():
            setattr(team, name, value)
        session.flush()
        return get_team(who, team_id)


def delete_team(who: Identity, team_id: UUID) -> None:
    """Delete a team: nobody sees it any more, and its invitations are gone; the rows stay for the record.

    :raises NotFound: absent, deleted, or not the caller's.
    :raises Forbidden: the caller is no owner.
    """
    with transaction() as session:
        team = session.scalar(select(Team).where(Team.id == team_id).with_for_update())
        require(who, team_id, "can_delete")
        if team is not None:
            team.deleted_at = utc_now()
        session.execute(delete(OwnershipOffer).where(OwnershipOffer.team_id == team_id))
        log.info("team_deleted", team_id=str(team_id))
