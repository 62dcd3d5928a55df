"""Invitations answered from inside: by their id, by the one whose verified address was invited."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access import Identity
from app.addresses import address_key
from app.database import db, transaction, utc_now
from app.errors import NotFound
from blueprints.teams.models import Invitation
from blueprints.teams.schemas import InvitationOut
from blueprints.teams.services import cases
from blueprints.teams.services.acceptance import (
    Acceptance,
    acceptance_of,
    is_joined_before,
    join,
    lock_case,
    refuse_answering,
)
from blueprints.teams.services.cases import Case
from blueprints.teams.services.refusals import AlreadyJoined, InviteUsed


def accept_my_invite(who: Identity, invitation_id: UUID) -> Acceptance:
    """Join the team of an invitation to the caller's address.

    :raises NotFound: absent, or to another address, before anything else; or its team is deleted.
    :raises InviteUsed: and the other states of an invitation that waits no more.
    :raises AlreadyJoined: the caller is in the team already.
    """
    with transaction(uq_team_members_team_id_user_id=AlreadyJoined) as session:
        case = _lock_mine(session, who, invitation_id)
        if is_joined_before(case, who):
            return acceptance_of(session, case, who.user_id, already_member=True)
        refuse_answering(case, who)
        join(session, case, who.user_id)
        return acceptance_of(session, case, who.user_id)


def reject_my_invite(who: Identity, invitation_id: UUID) -> InvitationOut:
    """Turn an invitation to the caller's address down, for good.

    :raises NotFound: absent, or to another address, before anything else; or its team is deleted.
    :raises InviteUsed: and the other states of an invitation that waits no more.
    """
    with transaction() as session:
        case = _lock_mine(session, who, invitation_id)
        if is_joined_before(case, who):
            raise InviteUsed(InviteUsed.to_members)
        refuse_answering(case, who)
        case.invitation.status, case.invitation.answered_at = "rejected", utc_now()
        session.flush()
        return cases.describe_one(case, masked=False)


def _lock_mine(session: Session, who: Identity, invitation_id: UUID) -> Case:
    """The case of an invitation to the caller, locked.

    :raises NotFound:
    """
    mine = Invitation.id == invitation_id, Invitation.email_key == address_key(who.email)
    team_id = db.session.scalar(select(Invitation.team_id).where(*mine))
    if team_id is None:
        raise NotFound
    return lock_case(session, team_id, invitation_id)
