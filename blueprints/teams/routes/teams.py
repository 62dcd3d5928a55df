"""Teams themselves: listed, made, shown, edited, deleted."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from flask import redirect

from app import access
from app.access import Identity, me
from app.errors import Forbidden
from app.schemas import Message, Nothing
from app.web import Blueprint, Done, done, page_url
from blueprints.teams import schemas
from blueprints.teams.roles import ROLES, Role, get_role, grantable, is_at_least
from blueprints.teams.services import invitations, membership, ownership
from blueprints.teams.services import teams as team_services

bp = Blueprint("teams")
links = Blueprint("team_links", templates="teams")


@bp.page("")
@access.signed_in
def teams() -> schemas.Teams:
    """The caller's teams, by name."""
    return schemas.Teams(teams=team_services.list_teams(me()))


@bp.form("", form="/new", statuses=(201,))
@access.signed_in
def create_team(form: schemas.CreateTeam) -> Done[schemas.OneTeam]:
    """Make a team; the caller is its owner."""
    team = team_services.create_team(me(), form)
    answer = schemas.OneTeam(team=team)
    say = f"{team.name} is ready. Invite the people you work with."
    return done(answer, to="teams.team", team_id=team.id, say=say, location=f"/api/teams/{team.id}")


@bp.page("/<uuid:team_id>", only="page")
@access.signed_in
def team(team_id: UUID) -> schemas.TeamPage:
    """A team: who is in it, and for those who may invite, who is asked to be."""
    who = me()
    found = team_services.get_team(who, team_id)
    role = membership.require_member(who, team_id)
    can_invite = get_role(role).can_invite
    return schemas.TeamPage(
        team=found,
        members=[member_row(member, who, role) for member in found.members],
        role=role,
        can_invite=can_invite,
        invites=invitations.list_invites_with_mail(who, team_id) if can_invite else [],
        grantable_roles=choices(grantable(role)),
        offer=ownership.find_my_offer(who, team_id),
    )


@bp.page("/<uuid:team_id>", only="api")
@access.signed_in
def get_team(team_id: UUID) -> schemas.OneTeamWithMembers:
    """A team and who is in it."""
    return schemas.OneTeamWithMembers(team=team_services.get_team(me(), team_id))


@links.raw("/members", only="page")
@access.signed_in
def members() -> Any:
    """The members of the caller's one team, or the list of teams to choose from."""
    found = team_services.list_teams(me())
    return redirect(page_url("teams.team", team_id=found[0].id) if len(found) == 1 else page_url("teams.teams"), 303)


@bp.page("/<uuid:team_id>/settings", only="page")
@access.signed_in
def team_settings(team_id: UUID) -> schemas.SettingsPage:
    """What the caller may do about a team as a whole: edit it, hand it over, leave it, delete it."""
    who = me()
    found = team_services.get_team(who, team_id)
    role = membership.require_member(who, team_id)
    can_delete = get_role(role).can_delete
    return schemas.SettingsPage(
        team=found,
        role=role,
        can_edit=is_at_least(role, "admin"),
        can_delete=can_delete,
        candidates=[member for member in found.members if can_delete and not get_role(member.role).can_delete],
        offer=ownership.find_sent_offer(who, team_id),
    )


@bp.form("/<uuid:team_id>", verb="PUT", on=team_settings, refuses=(Forbidden,))
@access.signed_in
def edit_team(team_id: UUID, form: schemas.EditTeam) -> Done[schemas.OneTeamWithMembers]:
    """Change a team's name and description."""
    changed = team_services.edit_team(me(), team_id, form)
    return done(schemas.OneTeamWithMembers(team=changed), to="teams.team", team_id=team_id, say="The team is saved.")


@bp.form("/<uuid:team_id>", verb="DELETE", on=team_settings, refuses=(Forbidden,))
@access.fresh_session
def delete_team(team_id: UUID, form: Nothing) -> Done[Message]:
    """Delete a team for everyone."""
    team_services.delete_team(me(), team_id)
    return done(Message(message="The team is deleted."), to="teams.teams", say="The team is deleted.")


def member_row(member: schemas.MemberOut, who: Identity, role: str) -> schemas.MemberRow:
    """A member with what somebody of this role may do about them."""
    is_me = member.user_id == who.user_id
    may = get_role(role).can_manage_roles and not is_me and is_at_least(role, member.role)
    roles = [choice for choice in ROLES if may and is_at_least(role, choice.id)]
    return schemas.MemberRow(**dict(member), is_me=is_me, roles=choices(roles), can_remove=may)


def choices(roles: Iterable[Role]) -> list[schemas.GrantableRole]:
    """Roles as the choices of a form."""
    return [schemas.GrantableRole.model_validate(role) for role in roles]
