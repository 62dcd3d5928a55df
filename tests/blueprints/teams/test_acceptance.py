"""A mailed link looked at, accepted, rejected, below HTTP: the order of refusals, and what follows."""

from typing import Any

import pytest
from sqlalchemy import delete, update

from app.database import db, transaction, utc_now
from app.errors import ValidationFailed
from app.jobs import QueuedJob
from blueprints import auth
from blueprints.teams.models import Invitation, TeamMember
from blueprints.teams.schemas import AcceptInvitation
from blueprints.teams.services import acceptance, refusals
from tests.blueprints.auth.support import count
from tests.people import PASSWORD

DEAD = {
    "superseded": refusals.InviteSuperseded,
    "revoked": refusals.InviteRevoked,
    "rejected": refusals.InviteRejected,
    "expired": refusals.InviteExpired,
    "accepted": refusals.InviteUsed,
    "inviter gone": refusals.InviteRevoked,
    "inviter below": refusals.InviteRevoked,
    "team deleted": refusals.TeamGone,
}


def accept(house: Any, who: Any, token: str) -> Any:
    return acceptance.accept_invite(who, token, AcceptInvitation(), house.client)


def reject(house: Any, who: Any, token: str) -> Any:
    return acceptance.reject_invite(who, token)


def look(house: Any, who: Any, token: str) -> Any:
    return acceptance.preview_invite(who, token)


@pytest.fixture
def invited(house, ada):
    """An invitation of bob as admin: the case to spoil, and its token."""
    team_id = house.team(ada)
    sent = house.invite(ada, team_id, role="admin")
    return team_id, sent, house.token(sent)


def spoil(house: Any, sent: Any, state: str) -> None:
    """Bring an invitation into a state."""
    members = TeamMember.team_id == sent.invitation.team_id
    match state:
        case "team deleted":
            house.delete_team(sent.invitation.team_id)
        case "inviter gone":
            with transaction() as session:
                session.execute(delete(TeamMember).where(members))
        case "inviter below":
            with transaction() as session:
                session.execute(update(TeamMember).where(members).values(role="member"))
        case "expired":
            house.change(sent, expires_at=utc_now())
        case _:
            house.change(sent, status=state)


@pytest.mark.parametrize("answer", [accept, reject, look])
class TestOrder:
    def test_an_unknown_token(self, house, answer):
        with pytest.raises(refusals.InvalidInvite):
            answer(house, None, "nothing")

    @pytest.mark.parametrize("state", DEAD)
    def test_a_dead_link_says_its_state_to_anyone(self, house, invited, answer, state):
        """First: a dead state counts before what is wrong with the caller."""
        _, sent, token = invited
        spoil(house, sent, state)
        for who in (None, house.person("eve@example.com"), house.person("bob@example.com")):
            with pytest.raises(DEAD[state]):
                answer(house, who, token)

    def test_a_deleted_team_counts_before_the_state(self, house, invited, answer):
        _, sent, token = invited
        spoil(house, sent, "rejected")
        spoil(house, sent, "team deleted")
        with pytest.raises(refusals.TeamGone):
            answer(house, None, token)

    def test_expired_counts_before_a_lost_inviter(self, house, invited, answer):
        _, sent, token = invited
        spoil(house, sent, "expired")
        spoil(house, sent, "inviter gone")
        with pytest.raises(refusals.InviteExpired):
            answer(house, None, token)

    @pytest.mark.parametrize("signed_in", [True, False])
    def test_a_member_need_not_be_invited(self, house, invited, answer, signed_in):
        team_id, _, token = invited
        bob = house.join(team_id, house.person("bob@example.com"), "viewer")
        with pytest.raises(refusals.AlreadyJoined):
            answer(house, bob if signed_in else None, token)


class TestAnswering:
    @pytest.mark.parametrize("answer", [accept, reject])
    def test_another_account_is_refused_even_as_a_member(self, house, invited, answer):
        team_id, _, token = invited
        eve = house.join(team_id, house.person("eve@example.com"))
        with pytest.raises(refusals.InviteWrongAccount):
            answer(house, eve, token)

    def test_signed_out_with_an_account_one_signs_in_first(self, house, invited):
        house.person("bob@example.com")
        for answer in (accept, reject):
            with pytest.raises(refusals.SignInToAnswer):
                answer(house, None, invited[2])

    def test_accept_joins_in_the_granted_role_and_tells_the_inviter(self, house, invited):
        team_id, sent, token = invited
        bob = house.person("Bob@example.com", "Bob")
        found = accept(house, bob, token)
        assert (found.team.id, found.team.member_count) == (team_id, 2)
        assert (found.member.user_id, found.member.role, found.started) == (bob.user_id, "admin", None)
        row = db.session.get_one(Invitation, sent.invitation.id)
        assert (row.status, row.accepted_by) == ("accepted", bob.user_id)
        assert count(QueuedJob, QueuedJob.name == "mail.member_joined") == 1

    def test_accepting_again_says_so_as_long_as_one_is_a_member(self, house, invited):
        team_id, _, token = invited
        bob = house.person("bob@example.com")
        assert not accept(house, bob, token).already_member
        again = accept(house, bob, token)
        assert again.already_member
        assert acceptance.preview_invite(bob, token).preview.invitation.status == "accepted"
        with pytest.raises(refusals.InviteUsed):
            reject(house, bob, token)
        with transaction() as session:
            session.execute(delete(TeamMember).where(TeamMember.user_id == bob.user_id))
        with pytest.raises(refusals.InviteUsed):
            accept(house, bob, token)
        assert count(QueuedJob, QueuedJob.name == "mail.member_joined") == 1

    def test_reject_is_for_good(self, house, invited):
        _, sent, token = invited
        assert reject(house, None, token).status == "rejected"
        with pytest.raises(refusals.InviteRejected):
            accept(house, None, token)

    def test_a_password_opens_the_account(self, house, invited):
        form = AcceptInvitation(password=PASSWORD, name="Bob", userType="investor")
        found = acceptance.accept_invite(None, invited[2], form, house.client)
        assert found.started is not None
        user = found.started.user
        assert (user.email, user.name, user.user_type) == ("bob@example.com", "Bob", "investor")
        assert user.email_verified
        assert found.member.user_id == user.id

    def test_without_an_account_the_password_is_missing(self, house, invited):
        with pytest.raises(ValidationFailed) as refused:
            accept(house, None, invited[2])
        assert list(refused.value.fields) == ["password"]

    def test_a_refused_password_leaves_the_invitation_open(self, house, invited):
        team_id, _, token = invited
        with pytest.raises(ValidationFailed):
            acceptance.accept_invite(None, token, AcceptInvitation(password="short"), house.client)
        assert acceptance.preview_invite(None, token).preview.invitation.status == "pending"

    def test_hashing_happens_outside_of_transactions(self, house, invited, monkeypatch):
        held: list[bool] = []

        def prepare(*asked: Any) -> str:
            session = db.session()
            held.append(bool(session.info.get("in_transaction")) or session.in_transaction())
            return "hash"

        monkeypatch.setattr(acceptance, "prepare_password", prepare)
        acceptance.accept_invite(None, invited[2], AcceptInvitation(password=PASSWORD), house.client)
        assert held == [False]

    def test_a_dead_link_costs_no_hash(self, house, invited, monkeypatch):
        _, sent, token = invited
        spoil(house, sent, "expired")
        monkeypatch.setattr(acceptance, "prepare_password", lambda *asked: pytest.fail("hashed"))
        with pytest.raises(refusals.InviteExpired):
            acceptance.accept_invite(None, token, AcceptInvitation(password=PASSWORD), house.client)

    def test_what_changes_while_hashing_counts(self, house, invited, monkeypatch):
        _, sent, token = invited

        def prepare(*asked: Any) -> str:
            spoil(house, sent, "revoked")
            return "hash"

        monkeypatch.setattr(acceptance, "prepare_password", prepare)
        with pytest.raises(refusals.InviteRevoked):
            acceptance.accept_invite(None, token, AcceptInvitation(password=PASSWORD), house.client)
        assert auth.find_by_email("bob@example.com") is None

    def test_ten_accepts_at_once_are_one_membership(self, house, invited, at_once):
        team_id, _, token = invited
        bob = house.person("bob@example.com")
        results = at_once(lambda number: accept(house, bob, token))
        assert [result for result in results if isinstance(result, Exception)] == []
        assert sorted(result.already_member for result in results) == [False] + [True] * 9
        assert count(TeamMember, TeamMember.team_id == team_id) == 2
        assert count(QueuedJob, QueuedJob.name == "mail.member_joined") == 1

    def test_of_five_people_on_one_link_only_the_invited_joins(self, house, invited, at_once):
        team_id, _, token = invited
        names = ("bob", "eve", "mallory", "trudy", "oscar")
        people = [house.person(f"{name}@example.com") for name in names]
        results = at_once(lambda number: accept(house, people[number], token), times=5)
        assert house.roles(team_id) == {"ada": "owner", "bob": "admin"}
        assert {type(result) for result in results[1:]} <= {refusals.InviteWrongAccount, refusals.InviteUsed}
        assert not isinstance(results[0], Exception)

    def test_ten_accepts_with_a_password_at_once_are_one_account(self, house, invited, at_once, monkeypatch):
        team_id, _, token = invited
        monkeypatch.setattr(acceptance, "prepare_password", lambda *asked: "hash")
        form = AcceptInvitation(password=PASSWORD)
        results = at_once(lambda number: acceptance.accept_invite(None, token, form, house.client))
        refused = [type(result) for result in results if isinstance(result, Exception)]
        assert refused == [refusals.InviteUsed] * 9
        assert count(TeamMember, TeamMember.team_id == team_id) == 2

    def test_accept_and_reject_at_once_have_one_winner(self, house, invited, at_once):
        _, sent, token = invited
        bob = house.person("bob@example.com")
        results = at_once(lambda number: (accept if number % 2 else reject)(house, bob, token))
        status = db.session.get_one(Invitation, sent.invitation.id).status
        joined = count(TeamMember, TeamMember.user_id == bob.user_id)
        assert (status, joined) in (("accepted", 1), ("rejected", 0))
        assert {type(result) for result in results if isinstance(result, Exception)} in (
            {refusals.InviteUsed},
            {refusals.InviteRejected},
        )


class TestPreview:
    def test_the_address_is_masked_for_others(self, house, invited):
        token = invited[2]
        nobody = acceptance.preview_invite(None, token)
        assert nobody.preview.invitation.email == "b***@example.com"
        assert (nobody.preview.account_exists, nobody.preview.signed_in_as) == (False, None)
        assert nobody.address == "bob@example.com"  # who opens the account sees it: the link proves the mailbox
        eve = acceptance.preview_invite(house.person("eve@example.com"), token)
        assert eve.preview.invitation.email == "b***@example.com"
        assert (eve.preview.signed_in_as, eve.address, eve.is_mine) == ("eve@example.com", None, False)
        bob = acceptance.preview_invite(house.person("BOB@example.com"), token)
        assert (bob.preview.invitation.email, bob.is_mine) == ("bob@example.com", True)
        signed_out = acceptance.preview_invite(None, token)
        assert (signed_out.preview.account_exists, signed_out.address) == (True, None)

    def test_looking_changes_nothing(self, house, invited):
        _, sent, token = invited
        acceptance.preview_invite(None, token)
        row = db.session.get_one(Invitation, sent.invitation.id)
        assert (row.status, row.answered_at) == ("pending", None)
