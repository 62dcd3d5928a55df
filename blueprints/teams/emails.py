"""What teams mail: the invitation to the invited, the news that somebody joined to the inviter.

What people wrote goes through `_name` or `_lines`: rows may be older than a rule about what may come in.
"""

from typing import Any
from uuid import UUID

from app.database import db
from app.mail import mail_job
from app.web import absolute_url
from blueprints.auth import Person, people
from blueprints.teams.models import Invitation, OwnershipOffer, Team
from blueprints.teams.services import cases

# They turn the direction of what stands around them: an address read backwards is another address.
TURNING = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)))


def _name(text: str) -> str:
    """A name as one line, whatever breaks lines elsewhere."""
    return " ".join(text.translate(TURNING).split())


def _lines(text: str | None) -> str | None:
    """A text whose lines all end alike, so that each of them can be quoted."""
    return text and "\n".join(text.translate(TURNING).splitlines())


def _called(person: Person) -> str:
    """Somebody's name, or their address where there is none."""
    return _name(person.name or person.email)


def _invitation(invitation_id: str) -> dict[str, Any] | None:
    found = cases.find_pending(Invitation.id == UUID(invitation_id))
    if not found:
        return None
    invitation = found[0].invitation
    inviter = cases.inviters(found)[invitation.invited_by]
    return {
        "team": _name(found[0].team.name),
        "inviter": _called(inviter),
        "role": invitation.role,
        "message": _lines(invitation.message),
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
    return {"member": _called(member), "team": _name(found[0].team.name), "link": link}


def _member_removed(team_id: str) -> dict[str, Any] | None:
    team = db.session.get(Team, UUID(team_id))
    return {"team": _name(team.name)} if team else None


def _ownership_offered(offer_id: str) -> dict[str, Any] | None:
    offer = db.session.get(OwnershipOffer, UUID(offer_id))
    team = db.session.get(Team, offer.team_id) if offer else None
    if offer is None or team is None:
        return None
    owner = people([offer.offered_by])[offer.offered_by]
    link = absolute_url("teams.team", team_id=team.id)
    return {"team": _name(team.name), "owner": _called(owner), "link": link, "until": offer.expires_at}


def _ownership_taken(team_id: str, user_id: str) -> dict[str, Any] | None:
    team, known = db.session.get(Team, UUID(team_id)), people([UUID(user_id)])
    if team is None or not known:
        return None
    link = absolute_url("teams.team", team_id=team.id)
    return {"team": _name(team.name), "owner": _called(known[UUID(user_id)]), "link": link}


invitation = mail_job("invitation", _invitation)
member_joined = mail_job("member_joined", _member_joined)

member_removed = mail_job("member_removed", _member_removed)
ownership_offered = mail_job("ownership_offered", _ownership_offered)
ownership_taken = mail_job("ownership_taken", _ownership_taken)

jobs = (invitation, member_joined, member_removed, ownership_offered, ownership_taken)
