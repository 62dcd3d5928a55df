"""Invitations as people who are signed in see them: sent, sent anew, withdrawn, answered."""

from uuid import UUID

from app import access
from app.access import me
from app.errors import Forbidden, NotFound
from app.schemas import Message, Nothing
from app.web import Done, done
from blueprints.auth import let_in, session_of, user_of
from blueprints.teams import schemas
from blueprints.teams.routes.teams import bp, team
from blueprints.teams.services import acceptance, invitations, refusals, replies, resending

INVITING = (NotFound, refusals.AlreadyMember, refusals.AlreadyInvited, refusals.TooManyPending)


@bp.form("/<uuid:team_id>/invite", on=team, statuses=(201, 200), refuses=INVITING)
@access.signed_in
def invite_to_team(team_id: UUID, form: schemas.InviteToTeam) -> Done[schemas.Invited]:
    """Invite an address to a team; the same again sends no second mail."""
    return invited(team_id, invitations.invite(me(), team_id, form))


@bp.form("/invite", only="api", statuses=(201, 200), refuses=(*INVITING, Forbidden))
@access.signed_in
def invite(form: schemas.Invite) -> Done[schemas.Invited]:
    """Invite an address to the team that the body names."""
    return invited(form.team_id, invitations.invite(me(), form.team_id, form))


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


@bp.page("/invites/<uuid:invitation_id>", only="page")
@access.signed_in
def team_invite(invitation_id: UUID) -> schemas.InvitationPart:
    """One invitation of a team, for those who may invite: sent anew or withdrawn from here."""
    return schemas.InvitationPart(invitation=resending.get_invitation(me(), invitation_id))


@bp.form("/invites/<uuid:invitation_id>/resend", on=team_invite, statuses=(201,), refuses=(*refusals.DEAD, Forbidden))
@access.signed_in
def resend_invite(invitation_id: UUID, form: Nothing) -> Done[schemas.Invited]:
    """Send an invitation anew, with a new link."""
    sent = resending.resend_invite(me(), invitation_id)
    return invited(sent.invitation.team_id, sent)


@bp.form("/invites/<uuid:invitation_id>", verb="DELETE", on=team_invite, refuses=(*refusals.DEAD, Forbidden))
@access.signed_in
def revoke_invite(invitation_id: UUID, form: Nothing) -> Done[Message]:
    """Withdraw an invitation."""
    team_id = resending.revoke_invite(me(), invitation_id)
    message = "The invitation is withdrawn."
    return done(Message(message=message), to="teams.team", team_id=team_id, say=message)


@bp.form("/invites/<uuid:invitation_id>/accept", on=my_invites, refuses=(*refusals.DEAD, refusals.AlreadyJoined))
@access.signed_in
def accept_my_invite(invitation_id: UUID, form: Nothing) -> Done[schemas.Joined]:
    """Join the team of an invitation to one's own address."""
    return joined(replies.accept_my_invite(me(), invitation_id))


@bp.form("/invites/<uuid:invitation_id>/reject", on=my_invites, refuses=(*refusals.DEAD, refusals.AlreadyJoined))
@access.signed_in
def reject_my_invite(invitation_id: UUID, form: Nothing) -> Done[schemas.OneInvitation]:
    """Turn an invitation to one's own address down."""
    return rejected(replies.reject_my_invite(me(), invitation_id))


def invited(team_id: UUID, sent: invitations.Sent) -> Done[schemas.Invited]:
    """The end of sending an invitation."""
    answer = schemas.Invited(invitation=sent.invitation, email_status=sent.email_status)
    address = sent.invitation.email
    say = f"An invitation is on its way to {address}." if sent.new else f"{address} has this invitation already."
    location = f"/api/teams/{team_id}/invites" if sent.new else None
    status = 201 if sent.new else 200
    return done(answer, to="teams.team", team_id=team_id, say=say, status=status, location=location)


def joined(found: acceptance.Acceptance) -> Done[schemas.Joined]:
    """The end of joining a team; lets in who opened an account on the way."""
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


def rejected(turned_down: schemas.InvitationOut) -> Done[schemas.OneInvitation]:
    """The end of turning an invitation down."""
    say = f"You have rejected the invitation to {turned_down.team_name}."
    return done(schemas.OneInvitation(invitation=turned_down), to="site.home", say=say)
