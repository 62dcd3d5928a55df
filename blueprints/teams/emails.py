"""What teams mail: the invitation to the invited, the news that somebody joined to the inviter."""

from typing import Any
from uuid import UUID

from app.mail import mail_job
from app.web import absolute_url
from blueprints.auth import people
from blueprints.teams.models import Invitation
from blueprints.teams.services import cases


def _invitation(invitation_id: str) -> dict[str, Any] | None:
    found = cases.find_pending(Invitation.id == UUID(invitation_id))
    if not found:
        return None
    invitation = found[0].invitation
    inviter = cases.inviters(found)[invitation.invited_by]
    return {
        "team": found[0].team.name,
        "inviter": inviter.name or inviter.email,
        "role": invitation.role,
        "message": invitation.message,
        "link": cases.link(invitation),
        "days": cases.LIFETIME.days,
    }


def _member_joined(invitation_id: str) -> dict[str, Any] | None:
    found = cases.find_cases(Invitation.id == UUID(invitation_id))
    member_id = found[0].invitation.accepted_by if found else None
    if member_id is None or found[0].team.deleted_at is not None:
        return None
    member = people([member_id])[member_id]
    link = absolute_url("teams.team", team_id=found[0].team.id)
    return {"member": member.name or member.email, "team": found[0].team.name, "link": link}


invitation = mail_job("invitation", _invitation)
member_joined = mail_job("member_joined", _member_joined)

jobs = (invitation, member_joined)
