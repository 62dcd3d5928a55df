"""Ownership handed over in two steps: offered by an owner, accepted by a member."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app import log, mail
from app.access import Identity
from app.database import db, transaction, utc_now
from app.errors import Forbidden, NotFound, ValidationFailed
from blueprints.auth import people
from blueprints.teams import emails
from blueprints.teams.models import OwnershipOffer, TeamMember
from blueprints.teams.roles import OWNER
from blueprints.teams.schemas import MemberOut, Offer, OfferOwnership
from blueprints.teams.services.member_changes import get_member, lock_team, revoke_beyond
from blueprints.teams.services.membership import member_out

LIFETIME = timedelta(days=7)


def offer_ownership(who: Identity, team_id: UUID, form: OfferOwnership) -> MemberOut:
    """Offer a member to take the caller's place as an owner, for seven days; a new offer replaces an old one.

    :raises NotFound: the team or the member is absent, or not the caller's.
    :raises Forbidden: the caller is no owner.
    :raises ValidationFailed: the member is an owner already, the caller among them.
    """
    with transaction() as session:
        if lock_team(session, who, team_id) != OWNER:
            raise Forbidden
        member = get_member(session, team_id, form.member_id)
        if member.role == OWNER:
            raise ValidationFailed({"memberId": ["This member is an owner already."]})
        session.execute(delete(OwnershipOffer).where(OwnershipOffer.team_id == team_id))
        offer = OwnershipOffer(team_id=team_id, user_id=member.user_id, offered_by=who.user_id)
        offer.created_at = utc_now()
        offer.expires_at = offer.created_at + LIFETIME
        session.add(offer)
        session.flush()
        person = people([member.user_id])[member.user_id]
        mail.queue(emails.ownership_offered, person.email, offer_id=offer.id)
        return member_out(member, person)


def accept_ownership(who: Identity, team_id: UUID) -> MemberOut:
    """Become an owner by an offer; who made it is an admin from now on, and told by mail.

    :raises NotFound: absent, deleted, not the caller's, or there is no offer to them any more.
    """
    with transaction() as session:
        lock_team(session, who, team_id)
        offer = find_offer(session, team_id, who.user_id)
        if offer is None:
            raise NotFound
        mine, theirs = _member_of(session, team_id, who.user_id), _member_of(session, team_id, offer.offered_by)
        mine.role = OWNER
        theirs.role = "admin"
        session.delete(offer)
        session.flush()
        revoke_beyond(session, team_id, theirs.user_id, theirs.role)
        known = people([mine.user_id, theirs.user_id])
        mail.queue(emails.ownership_taken, known[theirs.user_id].email, team_id=team_id, user_id=mine.user_id)
        log.info("ownership_transferred", team_id=str(team_id), to=str(mine.id))
        return member_out(mine, known[mine.user_id])


def find_offer(session: Session, team_id: UUID, user_id: UUID) -> OwnershipOffer | None:
    """The offer of a team to somebody that can still be accepted: who made it is an owner still."""
    query = (
        select(OwnershipOffer)
        .join(TeamMember, TeamMember.user_id == OwnershipOffer.offered_by)
        .where(OwnershipOffer.team_id == team_id, OwnershipOffer.user_id == user_id)
        .where(TeamMember.team_id == team_id, TeamMember.role == OWNER, OwnershipOffer.expires_at > utc_now())
    )
    return session.scalar(query)


def _member_of(session: Session, team_id: UUID, user_id: UUID) -> TeamMember:
    mine = TeamMember.team_id == team_id, TeamMember.user_id == user_id
    return session.scalars(select(TeamMember).where(*mine)).one()


def find_my_offer(who: Identity, team_id: UUID) -> Offer | None:
    """The offer by which the caller may become an owner; None when there is none."""
    return _offer_out(find_offer(db.session(), team_id, who.user_id))


def find_sent_offer(who: Identity, team_id: UUID) -> Offer | None:
    """The caller's own offer that can still be accepted; None when there is none."""
    query = select(OwnershipOffer.user_id).where(OwnershipOffer.team_id == team_id)
    offered_to = db.session.scalar(query.where(OwnershipOffer.offered_by == who.user_id))
    return _offer_out(find_offer(db.session(), team_id, offered_to)) if offered_to else None


def _offer_out(offer: OwnershipOffer | None) -> Offer | None:
    if offer is None:
        return None
    known = people([offer.offered_by, offer.user_id])
    by, to = known[offer.offered_by], known[offer.user_id]
    return Offer(
        offered_by=by.name or by.email,
        offered_to=to.name or to.email,
        offered_at=offer.created_at,
        expires_at=offer.expires_at,
    )
