"""The team pages, the mailed invitation link, and the JSON API of teams."""

from typing import Any
from uuid import UUID

from flask import redirect

from app import access, hooks
from app.access import client, find_me, me
from app.errors import Forbidden, NotFound
from app.schemas import Nothing
from app.web import Blueprint, Done, done, find_page_url, page_url
from blueprints.auth import let_in, session_of, user_of
from blueprints.teams import schemas
from blueprints.teams.roles import get_role, grantable
from blueprints.teams.services import acceptance, invitations, membership, refusals
from blueprints.teams.services import teams as team_services

bp = Blueprint("teams")
links = Blueprint("team_links", templates="teams")

INVITING = (NotFound, refusals.AlreadyMember, refusals.AlreadyInvited, refusals.TooManyPending)


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
        can_invite=can_invite,
        invites=invitations.list_invites_with_mail(who, team_id) if can_invite else [],
        grantable_roles=[schemas.GrantableRole.model_validate(choice) for choice in grantable(role)],
    )


@bp.page("/<uuid:team_id>", only="api")
@access.signed_in
def get_team(team_id: UUID) -> schemas.OneTeamWithMembers:
    """A team and who is in it."""
    return schemas.OneTeamWithMembers(team=team_services.get_team(me(), team_id))


@bp.page("/<uuid:team_id>/members", only="api")
@access.signed_in
def list_members(team_id: UUID) -> schemas.Members:
    """Who is in a team, by name."""
    return schemas.Members(members=membership.list_members(me(), team_id))


@bp.page("/<uuid:team_id>/roles", only="api")
@access.signed_in
def list_roles(team_id: UUID) -> schemas.Roles:
    """The roles of a team, what they allow, and how many have them."""
    return schemas.Roles(roles=membership.list_roles(me(), team_id))


@bp.form("/<uuid:team_id>/invite", on=team, statuses=(201, 200), refuses=INVITING)
@access.signed_in
def invite_to_team(team_id: UUID, form: schemas.InviteToTeam) -> Done[schemas.Invited]:
    """Invite an address to a team; the same again sends no second mail."""
    return _invited(team_id, invitations.invite(me(), team_id, form))


@bp.form("/invite", only="api", statuses=(201, 200), refuses=(*INVITING, Forbidden))
@access.signed_in
def invite(form: schemas.Invite) -> Done[schemas.Invited]:
    """Invite an address to the team that the body names."""
    return _invited(form.team_id, invitations.invite(me(), form.team_id, form))


@bp.page("/<uuid:team_id>/invites", only="api")
@access.signed_in
def list_invites(team_id: UUID) -> schemas.Invites:
    """A team's invitations that wait for an answer, newest first, for those who may invite."""
    return schemas.Invites(invites=invitations.list_invites(me(), team_id))


@bp.page("/invites")
@access.signed_in
def my_invites() -> schemas.Invites:
    """The invitations that wait for the caller's answer, newest first."""
    return schemas.Invites(invites=invitations.my_invites(me()))


@bp.page("/invites/preview", only="api", refuses=(*refusals.DEAD, refusals.AlreadyJoined))
@access.public
def preview_invite(query: schemas.PreviewInvite) -> schemas.Preview:
    """What a mailed link is about, for anyone who holds its token."""
    return acceptance.preview_invite(find_me(), query.token).preview


@bp.form("/invites/accept", only="api", refuses=(*refusals.ANSWERING, refusals.SignInToAnswer), starts_session=True)
@access.public
def accept_invite(form: schemas.AcceptInvite) -> Done[schemas.Joined]:
    """Join a team by a mailed token; with a password open an account on the way."""
    return _joined(acceptance.accept_invite(find_me(), form.token, form, client()))


@bp.form("/invites/reject", only="api", refuses=(*refusals.ANSWERING, refusals.SignInToAnswer))
@access.public
def reject_invite(form: schemas.RejectInvite) -> Done[schemas.OneInvitation]:
    """Turn an invitation down by its mailed token."""
    return _rejected(acceptance.reject_invite(find_me(), form.token))


@links.page("/invite/<token>")
@access.public
def invitation(token: str) -> schemas.InvitationPage:
    """The mailed link: who invites whom to what, and what the visitor can do about it."""
    look = acceptance.preview_invite(find_me(), token)
    return schemas.InvitationPage(
        **dict(look.preview),
        is_mine=look.is_mine,
        address=look.address,
        sign_out_url=find_page_url(hooks.ask("sign_out_page")),
    )


@links.form("/invite/<token>/accept", on=invitation)
@access.public
def accept_invitation(token: str, form: schemas.AcceptInvitation) -> Any:
    """Join the team; who has an account signs in first and comes back."""
    try:
        return _joined(acceptance.accept_invite(find_me(), token, form, client()))
    except refusals.SignInToAnswer:
        here = page_url("team_links.invitation", token=token)
        return redirect(find_page_url(hooks.ask("sign_in_page"), next=here) or here, 303)


@links.form("/invite/<token>/reject", on=invitation)
@access.public
def reject_invitation(token: str, form: Nothing) -> Any:
    """Turn the invitation down; who has an account signs in first."""
    try:
        return _rejected(acceptance.reject_invite(find_me(), token))
    except refusals.SignInToAnswer:
        return redirect(find_page_url(hooks.ask("sign_in_page")) or "/", 303)


@links.raw("/members", only="page")
@access.signed_in
def members() -> Any:
    """The members of the caller's one team, or the list of teams to choose from."""
    found = team_services.list_teams(me())
    return redirect(page_url("teams.team", team_id=found[0].id) if len(found) == 1 else page_url("teams.teams"), 303)


def _invited(team_id: UUID, sent: invitations.Sent) -> Done[schemas.Invited]:
    answer = schemas.Invited(invitation=sent.invitation, email_status=sent.email_status)
    address = sent.invitation.email
    say = f"An invitation is on its way to {address}." if sent.new else f"{address} has this invitation already."
    location = f"/api/teams/{team_id}/invites" if sent.new else None
    status = 201 if sent.new else 200
    return done(answer, to="teams.team", team_id=team_id, say=say, status=status, location=location)


def _joined(found: acceptance.Acceptance) -> Done[schemas.Joined]:
    started = found.started
    if started is not None:
        let_in(started)
    answer = schemas.Joined(
        team=found.team,
        member=found.member,
        already_member=True if found.already_member else None,
        user=user_of(started.user) if started else None,
        session=session_of(started) if started else None,
    )
    say = f"You are in {found.team.name} now." if not found.already_member else f"You are in {found.team.name} already."
    return done(answer, to="teams.team", team_id=found.team.id, say=say)


def _rejected(rejected: schemas.InvitationOut) -> Done[schemas.OneInvitation]:
    say = f"You have rejected the invitation to {rejected.team_name}."
    return done(schemas.OneInvitation(invitation=rejected), to="site.home", say=say)
