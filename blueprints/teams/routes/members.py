"""Members: listed, given roles, removed, gone; and ownership handed over."""

from io import BytesIO
from typing import Any
from uuid import UUID

from flask import send_file

from app import access
from app.access import me
from app.errors import Forbidden
from app.schemas import Message, Nothing
from app.web import Done, done
from blueprints.teams import schemas
from blueprints.teams.routes.teams import bp, team, team_settings
from blueprints.teams.services import export, member_changes, membership, ownership, refusals

CHANGING = (Forbidden, refusals.LastOwner)


@bp.page("/<uuid:team_id>/members", only="api")
@access.signed_in
def list_members(team_id: UUID) -> schemas.Members:
    """Who is in a team, by name."""
    return schemas.Members(members=membership.list_members(me(), team_id))


@bp.raw("/<uuid:team_id>/members.csv", only="page")
@access.signed_in
def export_members(team_id: UUID) -> Any:
    """Who is in a team, as a file for a spreadsheet."""
    file = export.export_members(me(), team_id)
    answer = send_file(BytesIO(file.text.encode()), "text/csv", as_attachment=True, download_name=file.name)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@bp.page("/<uuid:team_id>/roles", only="api")
@access.signed_in
def list_roles(team_id: UUID) -> schemas.Roles:
    """The roles of a team, what they allow, and how many have them."""
    return schemas.Roles(roles=membership.list_roles(me(), team_id))


@bp.form("/<uuid:team_id>/members/<uuid:member_id>", verb="PUT", on=team, refuses=CHANGING)
@access.signed_in
def change_role(team_id: UUID, member_id: UUID, form: schemas.ChangeRole) -> Done[schemas.OneMember]:
    """Give a member another role."""
    member = member_changes.change_role(me(), team_id, member_id, form)
    say = f"{member.name or member.email} is {member.role} now."
    return done(schemas.OneMember(member=member), to="teams.team", team_id=team_id, say=say)


@bp.form("/<uuid:team_id>/members/<uuid:member_id>", verb="DELETE", on=team, refuses=CHANGING)
@access.signed_in
def remove_member(team_id: UUID, member_id: UUID, form: Nothing) -> Done[Message]:
    """Remove a member; on oneself it is leaving."""
    left = member_changes.remove_member(me(), team_id, member_id)
    if left:
        return done(Message(message="You have left the team."), to="teams.teams", say="You have left the team.")
    message = "The member is removed."
    return done(Message(message=message), to="teams.team", team_id=team_id, say=message)


@bp.form("/<uuid:team_id>/leave", on=team_settings, refuses=(refusals.LastOwner,))
@access.signed_in
def leave_team(team_id: UUID, form: Nothing) -> Done[Message]:
    """Leave a team."""
    member_changes.leave(me(), team_id)
    return done(Message(message="You have left the team."), to="teams.teams", say="You have left the team.")


@bp.form("/<uuid:team_id>/ownership", on=team_settings, refuses=(Forbidden,))
@access.fresh_session
def offer_ownership(team_id: UUID, form: schemas.OfferOwnership) -> Done[schemas.OneMember]:
    """Offer a member to take the caller's place as an owner."""
    member = ownership.offer_ownership(me(), team_id, form)
    say = f"We have mailed your offer to {member.name or member.email}. You stay the owner until it is accepted."
    return done(schemas.OneMember(member=member), to="teams.team", team_id=team_id, say=say)


@bp.form("/<uuid:team_id>/ownership/accept", on=team)
@access.fresh_session
def accept_ownership(team_id: UUID, form: Nothing) -> Done[schemas.OneMember]:
    """Become an owner by an offer."""
    member = ownership.accept_ownership(me(), team_id)
    return done(schemas.OneMember(member=member), to="teams.team", team_id=team_id, say="You own this team now.")
