"""Invitations as the team sees them: sent once, listed while they wait for an answer."""

import math
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import limits, mail, plugins
from app.access import Identity
from app.addresses import address_key
from app.database import transaction, utc_now
from app.errors import Forbidden, NotFound
from blueprints.auth import find_by_email
from blueprints.teams import emails
from blueprints.teams.models import Invitation, Team
from blueprints.teams.roles import is_at_least
from blueprints.teams.schemas import InvitationOut, InvitationRow, InviteToTeam
from blueprints.teams.services import cases
from blueprints.teams.services.membership import find_role, require
from blueprints.teams.services.refusals import AlreadyInvited, AlreadyMember, TooManyPending
from blueprints.teams.settings import TeamsSettings

MOST_PENDING = 100


@dataclass(frozen=True)
class Sent:
    """An invitation that waits for its answer, and what became of its mail; `new` is false for a repeat."""

    invitation: InvitationOut
    email_status: str
    new: bool


def invite(who: Identity, team_id: UUID, form: InviteToTeam) -> Sent:
    """Invite an address to a team; the same again sends no second mail.

    :raises NotFound: absent, deleted, or not the caller's.
    :raises Forbidden: the caller may not invite, or not to this role.
    :raises AlreadyMember: the address is the caller's or a member's.
    :raises AlreadyInvited: it has an open invitation with another role.
    :raises TooManyPending: the team waits for a hundred answers.
    :raises app.errors.RateLimited:
    """
    settings = plugins.current(TeamsSettings)
    limits.count("invite-user", settings.limit_invite_user, str(who.user_id))
    require(who, team_id, "can_invite")  # nobody uses up the tries of a team that is not theirs
    limits.count("invite-team", settings.limit_invite_team, str(team_id))
    with transaction(uq_invitations_pending=AlreadyInvited) as session:
        # Invitations of one team wait for each other here: the same one is seen, and a hundred stay a hundred.
        team = session.scalar(select(Team).where(Team.id == team_id).with_for_update())
        if team is None:
            raise NotFound
        my_role = require(who, team_id, "can_invite")
        if not is_at_least(my_role, form.role):
            raise Forbidden
        _refuse_member(who, team_id, form.email)
        case = _find_open(session, team_id, form)
        new = case is None
        if case is None:
            invitation = send(session, who, team_id, form.email, form.role, form.message)
            case = cases.Case(invitation, team, my_role)
        return Sent(cases.describe([case])[0], cases.mail_states([case])[case.invitation.id], new)


def _refuse_member(who: Identity, team_id: UUID, email: str) -> None:
    if address_key(email) == address_key(who.email):
        raise AlreadyMember("You are in this team already.")
    person = find_by_email(email)
    if person is not None and find_role(team_id, person.id) is not None:
        raise AlreadyMember


def _find_open(session: Session, team_id: UUID, form: InviteToTeam) -> cases.Case | None:
    """The invitation this one repeats; one that can no longer be accepted gets its state and makes room."""
    same = Invitation.team_id == team_id, Invitation.email_key == address_key(form.email)
    waiting = select(Invitation).where(*same, Invitation.status == "pending")
    session.execute(waiting.with_for_update())
    for case in cases.find_cases(*same, Invitation.status == "pending"):
        if case.state != "pending":
            case.invitation.status = case.state
            session.flush()
        elif case.invitation.role != form.role:
            raise AlreadyInvited
        else:
            return case
    return None


def send(
    session: Session, who: Identity, team_id: UUID, email: str, role: str, message: str | None, *, is_new: bool = True
) -> Invitation:
    """A new row and its mail, within the caps of its address; not `is_new` when it takes another one's place.

    :raises TooManyPending, app.errors.RateLimited:
    """
    _refuse_too_many(session, team_id)
    # Counted in this transaction, and not before it: what counts is new invitations, so a repeat or a
    # refusal costs nothing, and ten at the same moment cost one.
    settings, key = plugins.current(TeamsSettings), address_key(email)
    if is_new:
        limits.count("invite-address", settings.limit_invite_address, key)
        limits.tried("invite-resend", settings.limit_invite_resend, str(team_id), key)  # the first mail counts, too
    limits.count("invite-pair", settings.limit_invite_pair, str(team_id), key)
    invitation = cases.new_invitation(
        team_id=team_id, email=email, email_key=key, role=role, message=message, invited_by=who.user_id
    )
    session.add(invitation)
    session.flush()
    invitation.mail_job_id = mail.queue(emails.invitation, invitation.email, invitation_id=invitation.id)
    session.flush()
    return invitation


def _refuse_too_many(session: Session, team_id: UUID) -> None:
    now = utc_now()
    waiting = Invitation.team_id == team_id, Invitation.status == "pending", Invitation.expires_at > now
    count, first = session.execute(select(func.count(), func.min(Invitation.expires_at)).where(*waiting)).one()
    if count >= MOST_PENDING:
        raise TooManyPending(math.ceil((first - now).total_seconds()))


def list_invites(who: Identity, team_id: UUID) -> list[InvitationOut]:
    """The team's invitations that wait for an answer, newest first.

    :raises NotFound: absent, deleted, or not the caller's.
    :raises Forbidden: the caller may not invite.
    """
    require(who, team_id, "can_invite")
    return cases.describe(cases.find_pending(Invitation.team_id == team_id))


def list_invites_with_mail(who: Identity, team_id: UUID) -> list[InvitationRow]:
    """The same, with what became of each mail.

    :raises NotFound: absent, deleted, or not the caller's.
    :raises Forbidden: the caller may not invite.
    """
    require(who, team_id, "can_invite")
    found = cases.find_pending(Invitation.team_id == team_id)
    states = cases.mail_states(found)
    return [InvitationRow(**dict(row), email_status=states[row.id]) for row in cases.describe(found)]


def my_invites(who: Identity) -> list[InvitationOut]:
    """The invitations that wait for the caller's answer, by verified address, newest first."""
    return cases.describe(cases.find_pending(Invitation.email_key == address_key(who.email)))
