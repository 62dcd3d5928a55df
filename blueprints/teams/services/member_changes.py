"""Members changed: given another role, removed, gone by themselves; a team always keeps an owner."""

from typing import Any
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from app import log, mail
from app.access import Identity
from app.addresses import address_key
from app.database import transaction, utc_now
from app.errors import Forbidden, NotFound
from blueprints.auth import people
from blueprints.teams import emails
from blueprints.teams.models import Invitation, OwnershipOffer, Team, TeamMember
from blueprints.teams.roles import OWNER, is_at_least
from blueprints.teams.schemas import ChangeRole, MemberOut
from blueprints.teams.services.membership import find_role, member_out, require
from blueprints.teams.services.refusals import LastOwner


def change_role(who: Identity, team_id: UUID, member_id: UUID, form: ChangeRole) -> MemberOut:
    """Give a member another role; the same role again changes nothing.

    :raises NotFound: the team or the member is absent, or not the caller's.
    :raises Forbidden: the caller may not manage roles, or it is about themselves, a superior, or a role above theirs.
    :raises LastOwner: the last owner would become something else.
    """
    with transaction() as session:
        my_role = lock_team(session, who, team_id, "can_manage_roles")
        member = get_member(session, team_id, member_id)
        if member.user_id != who.user_id:
            if not is_at_least(my_role, member.role) or not is_at_least(my_role, form.role):
                raise Forbidden
        elif form.role != member.role:
            refuse_last_owner(session, member)
            raise Forbidden
        if form.role != member.role:
            member.role = form.role
            session.flush()
            revoke_beyond(session, team_id, member.user_id, form.role)
            log.info("role_changed", team_id=str(team_id), member_id=str(member_id), role=form.role)
        return member_out(member, people([member.user_id])[member.user_id])


def remove_member(who: Identity, team_id: UUID, member_id: UUID) -> bool:
    """Remove a member, who is told by mail; on oneself it is `leave`. True when the caller has left.

    What invites the removed person is revoked, too: an old link does not bring them back.

    :raises NotFound: the team or the member is absent, or not the caller's.
    :raises Forbidden: the caller may not manage roles, or it is about a superior.
    :raises LastOwner: the caller, and nobody else owns the team.
    """
    with transaction() as session:
        my_role = lock_team(session, who, team_id)
        member = get_member(session, team_id, member_id)
        if member.user_id != who.user_id:
            require(who, team_id, "can_manage_roles")
            if not is_at_least(my_role, member.role):
                raise Forbidden
            person = people([member.user_id])[member.user_id]
            mail.queue(emails.member_removed, person.email, team_id=team_id)
            _revoke(session, team_id, None, Invitation.email_key == address_key(person.email))
        _remove(session, member)
        return member.user_id == who.user_id


def leave(who: Identity, team_id: UUID) -> None:
    """Leave a team.

    :raises NotFound: absent, deleted, or not the caller's.
    :raises LastOwner: nobody else owns the team.
    """
    with transaction() as session:
        lock_team(session, who, team_id)
        mine = TeamMember.team_id == team_id, TeamMember.user_id == who.user_id
        _remove(session, session.scalars(select(TeamMember).where(*mine)).one())


def lock_team(session: Session, who: Identity, team_id: UUID, permission: str | None = None) -> str:
    """Lock a team, so that its members stay as they are; the caller's role in it.

    Teams are locked before invitations, and those before users, here as everywhere.
    :raises NotFound: absent, deleted, or not the caller's.
    :raises Forbidden: the caller's role lacks the permission.
    """
    session.execute(select(Team.id).where(Team.id == team_id).with_for_update())
    if permission is not None:
        return require(who, team_id, permission)  # type: ignore[arg-type]
    role = find_role(team_id, who.user_id)
    if role is None:
        raise NotFound
    return role


def get_member(session: Session, team_id: UUID, member_id: UUID) -> TeamMember:
    """A member of a locked team.

    :raises NotFound: absent, or of another team.
    """
    member = session.scalar(select(TeamMember).where(TeamMember.id == member_id, TeamMember.team_id == team_id))
    if member is None:
        raise NotFound
    return member


def refuse_last_owner(session: Session, member: TeamMember) -> None:
    """Refuse to take away the only owner of a locked team.

    :raises LastOwner:
    """
    others = TeamMember.team_id == member.team_id, TeamMember.role == OWNER, TeamMember.id != member.id
    if member.role == OWNER and not session.scalar(select(exists().where(*others))):
        raise LastOwner


def _remove(session: Session, member: TeamMember) -> None:
    refuse_last_owner(session, member)
    revoke_beyond(session, member.team_id, member.user_id, None)
    session.delete(member)
    session.flush()
    log.info("member_removed", team_id=str(member.team_id), member_id=str(member.id))


def revoke_beyond(session: Session, team_id: UUID, user_id: UUID, role: str | None) -> None:
    """Revoke what somebody may not stand behind any more: their open invitations above `role`, or all.

    For good: with the rights back, an old invitation does not come to life again. So it is with an offer of
    ownership by or to somebody.
    """
    _revoke(session, team_id, role, Invitation.invited_by == user_id)
    offer = session.scalar(select(OwnershipOffer).where(OwnershipOffer.team_id == team_id))
    if offer is not None and (
        (offer.offered_by == user_id and role != OWNER) or (offer.user_id == user_id and role in (None, OWNER))
    ):
        session.delete(offer)
    session.flush()


def _revoke(session: Session, team_id: UUID, role: str | None, *conditions: Any) -> None:
    """Revoke the open invitations of a locked team that fit and are above `role`, or all; an expired one stays so."""
    now = utc_now()
    waiting = Invitation.team_id == team_id, Invitation.status == "pending", Invitation.expires_at > now
    query = select(Invitation).where(*waiting, *conditions).order_by(Invitation.id).with_for_update()
    for invitation in session.scalars(query):
        if role is None or not is_at_least(role, invitation.role):
            invitation.status, invitation.answered_at = "revoked", now
