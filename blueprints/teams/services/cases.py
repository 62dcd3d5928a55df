"""Invitations with all that decides about them: the team, the inviter's role now, the state that follows."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import and_, select

from app import jobs, mailed_tokens
from app.addresses import mask
from app.database import db, utc_now
from app.web import absolute_url
from blueprints.auth import Person, people
from blueprints.teams.models import Invitation, Team, TeamMember
from blueprints.teams.roles import is_at_least
from blueprints.teams.schemas import InvitationOut

PURPOSE = "invitation"
LIFETIME = timedelta(days=7)


@dataclass(frozen=True)
class Case:
    """An invitation, its team, and the role its inviter has there now."""

    invitation: Invitation
    team: Team
    inviter_role: str | None

    @property
    def state(self) -> str:
        """The state that counts: a pending one may have expired, or lost who stood behind it."""
        invitation = self.invitation
        if invitation.status != "pending":
            return invitation.status
        if invitation.expires_at <= utc_now():
            return "expired"
        if self.inviter_role is None or not is_at_least(self.inviter_role, invitation.role):
            return "revoked"
        return "pending"


def find_cases(*conditions: Any) -> list[Case]:
    """The invitations that fit, newest first, in one query."""
    inviter = and_(TeamMember.team_id == Invitation.team_id, TeamMember.user_id == Invitation.invited_by)
    query = (
        select(Invitation, Team, TeamMember.role)
        .join(Team, Team.id == Invitation.team_id)
        .outerjoin(TeamMember, inviter)
        .where(*conditions)
        .order_by(Invitation.created_at.desc(), Invitation.id)
    )
    return [Case(*row) for row in db.session.execute(query)]


def find_pending(*conditions: Any) -> list[Case]:
    """The invitations that fit and can still be accepted, newest first."""
    found = find_cases(Invitation.status == "pending", Team.deleted_at.is_(None), *conditions)
    return [case for case in found if case.state == "pending"]


def inviters(found: list[Case]) -> dict[Any, Person]:
    """Who sent these invitations, by user id, in one query."""
    return people(case.invitation.invited_by for case in found if case.invitation.invited_by)


def invitation_out(case: Case, inviter: Person | None, *, masked: bool = False) -> InvitationOut:
    """An invitation as the outside sees it; an address stands in for the inviter's missing name."""
    invitation = case.invitation
    return InvitationOut(
        id=invitation.id,
        team_id=invitation.team_id,
        team_name=case.team.name,
        email=mask(invitation.email) if masked else invitation.email,
        role=invitation.role,
        status=case.state,
        invited_by=invitation.invited_by,
        invited_by_name=(inviter.name or inviter.email) if inviter else None,
        message=invitation.message,
        expires_at=invitation.expires_at,
        created_at=invitation.created_at,
    )


def describe(found: list[Case]) -> list[InvitationOut]:
    """Invitations as their team or the invited sees them."""
    known = inviters(found)
    return [invitation_out(case, known.get(case.invitation.invited_by)) for case in found]


def describe_one(case: Case, *, masked: bool) -> InvitationOut:
    """One invitation, its address masked for others than the invited."""
    return invitation_out(case, inviters([case]).get(case.invitation.invited_by), masked=masked)


def new_invitation(**values: Any) -> Invitation:
    """A pending invitation for seven days, with what derives its token and what recognises it."""
    invitation = Invitation(id=uuid4(), nonce=mailed_tokens.new_nonce(), key_id=mailed_tokens.key_id(), **values)
    invitation.token_hash = mailed_tokens.digest(token_of(invitation))
    invitation.status = "pending"
    invitation.created_at = utc_now()
    invitation.expires_at = invitation.created_at + LIFETIME
    return invitation


def token_of(invitation: Invitation) -> str:
    """The token of an invitation, derived anew.

    :raises LookupError: the key it was made with is not configured any more.
    """
    return mailed_tokens.derive(PURPOSE, invitation.id, invitation.nonce, invitation.key_id)


def link(invitation: Invitation) -> str:
    """The address to mail."""
    return absolute_url("team_links.invitation", token=token_of(invitation))


def mail_states(found: list[Case]) -> dict[UUID, str]:
    """`queued`, `sent` or `failed` by invitation id: what became of the mail."""
    jobs_of = {case.invitation.id: case.invitation.mail_job_id for case in found}
    known: dict[Any, str] = {**jobs.states(job_id for job_id in jobs_of.values() if job_id is not None)}
    # A job that is done is forgotten after a week, a failed one is not: absent means sent.
    words = {"queued": "queued", "failed": "failed"}
    return {invitation_id: words.get(known.get(job_id, "done"), "sent") for invitation_id, job_id in jobs_of.items()}
