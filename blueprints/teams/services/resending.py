"""Invitations taken up again by their team: sent anew with a new link, or withdrawn."""

import math
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import limits, plugins
from app.access import Identity
from app.database import db, transaction, utc_now
from app.errors import Forbidden, NotFound, RateLimited
from blueprints.teams.models import Invitation, Team
from blueprints.teams.roles import is_at_least
from blueprints.teams.schemas import InvitationRow
from blueprints.teams.services import cases
from blueprints.teams.services.acceptance import lock_case, refusal_of
from blueprints.teams.services.cases import Case
from blueprints.teams.services.invitations import Sent, send
from blueprints.teams.services.membership import require
from blueprints.teams.services.refusals import InviteUsed
from blueprints.teams.settings import TeamsSettings


class SentLately(RateLimited):
    """The last mail of an invitation is too recent; says when the next one may go out."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(retry_after_seconds)
        minutes = max(1, math.ceil(retry_after_seconds / 60))
        wait = "a minute" if minutes == 1 else f"{minutes} minutes"
        self.text = f"This invitation was sent a short while ago. You can send it again in {wait}."


def get_invitation(who: Identity, invitation_id: UUID) -> InvitationRow:
    """An invitation of a team in which the caller may invite, with what became of its mail.

    :raises NotFound: absent, or of a team that is deleted or not the caller's.
    :raises Forbidden: the caller may not invite.
    """
    require(who, _team_of(invitation_id), "can_invite")
    found = cases.find_cases(Invitation.id == invitation_id)
    return InvitationRow(**dict(cases.describe(found)[0]), email_status=cases.mail_states(found)[invitation_id])


def resend_invite(who: Identity, invitation_id: UUID) -> Sent:
    """Send an invitation anew: a new row, link and seven days; the old link says that there is a newer one.

    One that has expired can be sent anew, too.
    :raises NotFound: absent, or of a team that is deleted or not the caller's.
    :raises Forbidden: the caller may not invite, or not to its role.
    :raises InviteUsed: and the other states of an invitation that waits no more.
    :raises SentLately: this address had a mail of the team within ten minutes.
    :raises app.errors.RateLimited: it had too many of them today.
    """
    team_id = _team_of(invitation_id)
    require(who, team_id, "can_invite")
    with transaction() as session:
        # The team for writing, as `invite` locks it: this makes a new invitation, too.
        session.execute(select(Team.id).where(Team.id == team_id).with_for_update())
        case = _lock_open(session, who, team_id, invitation_id, "expired")
        old, my_role = case.invitation, require(who, team_id, "can_invite")
        if not is_at_least(my_role, old.role):
            raise Forbidden
        if cases.mail_states([case])[old.id] != "failed":  # that one reached nobody
            _count_resend(team_id, old.email_key)
        old.status, old.answered_at = "superseded", utc_now()
        session.flush()
        new = send(session, who, team_id, old.email, old.role, old.message, is_new=False)
        old.superseded_by = new.id
        session.flush()
        again = Case(new, case.team, my_role)
        return Sent(cases.describe([again])[0], cases.mail_states([again])[new.id], new=True)


def _count_resend(team_id: UUID, email_key: str) -> None:
    try:
        limits.count("invite-resend", plugins.current(TeamsSettings).limit_invite_resend, str(team_id), email_key)
    except RateLimited as refused:
        raise SentLately(int(refused.headers["Retry-After"])) from None


def revoke_invite(who: Identity, invitation_id: UUID) -> UUID:
    """Withdraw an invitation: its link joins nobody any more. Returns the id of its team.

    :raises NotFound: absent, or of a team that is deleted or not the caller's.
    :raises Forbidden: the caller may not invite.
    :raises InviteUsed: and the other states of an invitation that waits no more.
    """
    team_id = _team_of(invitation_id)
    with transaction() as session:
        case = _lock_open(session, who, team_id, invitation_id)
        case.invitation.status, case.invitation.answered_at = "revoked", utc_now()
        return team_id


def _team_of(invitation_id: UUID) -> UUID:
    team_id = db.session.scalar(select(Invitation.team_id).where(Invitation.id == invitation_id))
    if team_id is None:
        raise NotFound
    return team_id


def _lock_open(session: Session, who: Identity, team_id: UUID, invitation_id: UUID, *also: str) -> Case:
    """The case of an invitation that still waits, locked; `also` are further states that will do.

    Only on paper: one that was written down as expired has made room for another invitation.
    """
    case = lock_case(session, team_id, invitation_id)
    require(who, team_id, "can_invite")
    if case.state == "pending" or (case.invitation.status == "pending" and case.state in also):
        return case
    raise InviteUsed if case.state == "accepted" else refusal_of(case)
