"""What a mailed invitation link can do: be looked at, accepted, rejected; the first refusal that fits answers."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import mail
from app.access import Client, Identity
from app.addresses import address_key
from app.database import snapshot, transaction, utc_now
from app.errors import AppError, ValidationFailed
from app.mailed_tokens import digest
from blueprints.auth import Started, find_by_email, open_verified_account, people, prepare_password, start_session
from blueprints.teams import emails
from blueprints.teams.models import Invitation, Team, TeamMember
from blueprints.teams.schemas import AcceptInvitation, InvitationOut, MemberOut, Preview, TeamOut
from blueprints.teams.services import cases
from blueprints.teams.services.cases import Case
from blueprints.teams.services.membership import add_member, find_role, member_out
from blueprints.teams.services.refusals import (
    BY_STATE,
    INVITATIONS,
    AlreadyJoined,
    InvalidInvite,
    InviteSuperseded,
    InviteUsed,
    InviteWrongAccount,
    SignInToAnswer,
    TeamGone,
    for_guests,
)
from blueprints.teams.services.teams import find_teams


@dataclass(frozen=True)
class Acceptance:
    """Who is in which team now; `started` when an account was opened for it."""

    team: TeamOut
    member: MemberOut
    already_member: bool = False
    started: Started | None = None


@dataclass(frozen=True)
class Look:
    """A link as its visitor sees it; `address` is told in full to the invited, and to who opens the account."""

    preview: Preview
    is_mine: bool
    address: str | None


def preview_invite(who: Identity | None, token: str) -> Look:
    """What a link is about, for anyone who holds it; changes nothing.

    :raises InvalidInvite, TeamGone, InviteUsed: and the other states of a dead link.
    :raises AlreadyJoined: the invited is in the team already.
    """
    with snapshot():
        case = _get_case(who, token)
        is_mine = who is not None and _is_for(case, who)
        if not is_joined_before(case, who) and (who is None or is_mine):
            _refuse_joined(case, who)
        account_exists = _find_account(case) is not None
        opens_account = who is None and not account_exists
        found = Preview(
            invitation=cases.describe_one(case, masked=not is_mine),
            account_exists=account_exists,
            signed_in_as=who.email if who else None,
        )
        return Look(found, is_mine, case.invitation.email if is_mine or opens_account else None)


def accept_invite(who: Identity | None, token: str, form: AcceptInvitation, client: Client) -> Acceptance:
    """Join the team; signed out without an account, open one with the password and sign in.

    :raises InvalidInvite, TeamGone, InviteUsed: and the other states of a dead link.
    :raises InviteWrongAccount, AlreadyJoined, SignInToAnswer: about who asks.
    :raises ValidationFailed: the password is missing or refused.
    :raises app.errors.RateLimited: too many accounts from this address of the network.
    """
    with snapshot():  # an answer that comes in between is met under the lock, in the order of the refusals
        case = _get_case(who, token)
        invitation_id, team_id, email = case.invitation.id, case.team.id, case.invitation.email
        if not is_joined_before(case, who):
            refuse_answering(case, who)
    password_hash = ""
    if who is None:
        if form.password is None:
            raise ValidationFailed({"password": ["This field is required."]})
        password_hash = prepare_password(email, form.password, client)
    with transaction(uq_team_members_team_id_user_id=AlreadyJoined) as session:
        case = lock_case(session, team_id, invitation_id)
        if is_joined_before(case, who) and who is not None:
            return acceptance_of(session, case, who.user_id, already_member=True)
        refuse_answering(case, who)
        if who is not None:
            user_id, started = who.user_id, None
        else:
            user_id = open_verified_account(session, email, password_hash, form.name, form.user_type)
            started = start_session(session, user_id, client)
        join(session, case, user_id)
        return acceptance_of(session, case, user_id, started=started)


def reject_invite(who: Identity | None, token: str) -> InvitationOut:
    """Turn an invitation down, for good; refuses in the same order as accepting.

    :raises InvalidInvite, TeamGone, InviteUsed: and the other states of a dead link.
    :raises InviteWrongAccount, AlreadyJoined, SignInToAnswer: about who asks.
    """
    case = _get_case(who, token)
    invitation_id, team_id = case.invitation.id, case.team.id
    with transaction() as session:
        case = lock_case(session, team_id, invitation_id)
        if is_joined_before(case, who):
            raise InviteUsed(InviteUsed.to_members)
        refuse_answering(case, who)
        case.invitation.status, case.invitation.answered_at = "rejected", utc_now()
        return cases.describe_one(case, masked=who is None)


def _get_case(who: Identity | None, token: str) -> Case:
    found = cases.find_cases(Invitation.token_hash == digest(token))
    if not found:
        raise _for_visitor(InvalidInvite(), who)
    return found[0]


def lock_case(session: Session, team_id: UUID, invitation_id: UUID) -> Case:
    """The case as it is now, and stays until the transaction ends: first the team, then the invitation."""
    session.execute(select(Team.id).where(Team.id == team_id).with_for_update(read=True))
    session.execute(select(Invitation.id).where(Invitation.id == invitation_id).with_for_update())
    return cases.find_cases(Invitation.id == invitation_id)[0]


def is_joined_before(case: Case, who: Identity | None) -> bool:
    """Go through the states of a link; True when who asks joined with it and still is a member.

    :raises TeamGone, InviteUsed: and the other states of a dead link.
    """
    if case.team.deleted_at is not None:
        raise _for_visitor(TeamGone(), who)
    state = case.state
    if state in BY_STATE:
        error = refusal_of(case)
        if state == "superseded" and (who is None or _is_for(case, who)):
            error.next_step = INVITATIONS  # the newer one is there
        raise _for_visitor(error, who)
    if state == "pending":
        return False
    if who is None:
        raise _for_visitor(InviteUsed(InviteUsed.to_guests), who)
    if who.user_id != case.invitation.accepted_by or find_role(case.team.id, who.user_id) is None:
        raise InviteUsed
    return True


def refusal_of(case: Case) -> AppError:
    """Why an invitation cannot be answered any more; a superseded one says since when."""
    answered_at = case.invitation.answered_at
    if case.state == "superseded" and answered_at is not None:
        return InviteSuperseded(
            f"A newer invitation was sent on {answered_at:%d %B %Y at %H:%M UTC}. Open the link in that mail."
        )
    return BY_STATE[case.state]()


def _for_visitor(error: AppError, who: Identity | None) -> AppError:
    return error if who is not None else for_guests(error)


def _is_for(case: Case, who: Identity) -> bool:
    return address_key(who.email) == case.invitation.email_key


def _refuse_person(case: Case, who: Identity | None) -> None:
    """Refuse who never may answer: another account, or a member."""
    if who is not None and not _is_for(case, who):
        raise InviteWrongAccount
    _refuse_joined(case, who)


def refuse_answering(case: Case, who: Identity | None) -> None:
    """Refuse who may not answer now: who never may, and who has to sign in first."""
    _refuse_person(case, who)
    if who is None and _find_account(case) is not None:
        raise SignInToAnswer


def _refuse_joined(case: Case, who: Identity | None) -> None:
    """Refuse the invited who is in the team already, signed in or not."""
    invited = who.user_id if who else _find_account(case)
    if invited is not None and find_role(case.team.id, invited) is not None:
        raise _for_visitor(AlreadyJoined(), who)


def _find_account(case: Case) -> UUID | None:
    person = find_by_email(case.invitation.email)
    return person.id if person else None


def join(session: Session, case: Case, user_id: UUID) -> None:
    """Write the membership and the answer, and tell the inviter.

    :raises Unauthorized: the account was deleted at the same moment.
    """
    invitation = case.invitation
    add_member(case.team.id, user_id, invitation.role)
    invitation.status, invitation.accepted_by, invitation.answered_at = "accepted", user_id, utc_now()
    session.flush()
    inviter = cases.inviters([case])[invitation.invited_by]
    mail.queue(emails.member_joined, inviter.email, invitation_id=invitation.id)


def acceptance_of(
    session: Session, case: Case, user_id: UUID, *, already_member: bool = False, started: Started | None = None
) -> Acceptance:
    """Who is in which team now, as it is told to who has joined."""
    mine = TeamMember.team_id == case.team.id, TeamMember.user_id == user_id
    row = session.scalars(select(TeamMember).where(*mine)).one()
    team = find_teams(Team.id == case.team.id)[0]
    return Acceptance(team, member_out(row, people([user_id])[user_id]), already_member, started)
