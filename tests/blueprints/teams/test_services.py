"""What teams do and refuse, below HTTP."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import delete, event, func, select, update
from sqlalchemy.exc import IntegrityError

from app.database import db, transaction, utc_now
from app.errors import Forbidden, NotFound, RateLimited, ValidationFailed
from app.jobs import QueuedJob
from blueprints import auth
from blueprints.teams.models import Invitation, Team, TeamMember
from blueprints.teams.roles import ROLES, get_role, grantable, is_at_least
from blueprints.teams.schemas import AcceptInvitation, CreateTeam, InviteToTeam
from blueprints.teams.services import acceptance, cases, invitations, membership, refusals, teams
from tests.people import PASSWORD


def count(model: Any, *conditions: Any) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model).where(*conditions)) or 0


class TestRoles:
    def test_the_table_is_ordered_and_says_who_may_do_what(self):
        allowed = {role.id: (role.can_edit, role.can_invite, role.can_delete, role.can_manage_roles) for role in ROLES}
        assert list(allowed) == ["owner", "admin", "member", "viewer"]
        assert allowed["owner"] == (True, True, True, True)
        assert allowed["admin"] == (True, True, False, True)
        assert allowed["member"] == (True, False, False, False)
        assert allowed["viewer"] == (False, False, False, False)

    def test_nobody_grants_above_their_own_role_nor_owner(self):
        assert [role.id for role in grantable("owner")] == ["viewer", "member", "admin"]
        assert [role.id for role in grantable("admin")] == ["viewer", "member", "admin"]
        assert [role.id for role in grantable("member")] == ["viewer", "member"]
        assert is_at_least("admin", "admin")
        assert not is_at_least("member", "admin")

    def test_a_role_is_found_by_its_name(self):
        assert get_role("viewer").name == "Viewer"


class TestTeams:
    def test_create_team_makes_the_caller_its_owner(self, house, ada):
        team = teams.create_team(ada, CreateTeam(name="Night Shoot", description="At night."))
        assert (team.owner_id, team.owner_name, team.member_count) == (ada.user_id, "Ada", 1)
        assert team.description == "At night."
        assert membership.find_role(team.id, ada.user_id) == "owner"

    def test_teams_are_by_name_and_only_the_callers(self, house, ada):
        eve = house.person("eve@example.com")
        for name in ("beta", "Alpha", "gamma"):
            house.team(ada, name)
        house.team(eve, "Hers")
        assert [team.name for team in teams.list_teams(ada)] == ["Alpha", "beta", "gamma"]

    def test_listing_takes_as_many_queries_for_ten_teams_as_for_one(self, house, ada):
        def queries() -> int:
            db.session.rollback()
            seen: list[str] = []
            listen = lambda conn, cursor, statement, *rest: seen.append(statement)  # noqa: E731
            event.listen(db.engine, "before_cursor_execute", listen)
            try:
                teams.list_teams(ada)
            finally:
                event.remove(db.engine, "before_cursor_execute", listen)
            return len(seen)

        house.team(ada)
        one = queries()
        for number in range(9):
            eve = house.person(f"eve{number}@example.com")
            house.join(house.team(eve), ada)
        assert len(teams.list_teams(ada)) == 10
        assert queries() == one

    def test_the_owner_is_the_longest_standing_one(self, house, ada):
        team_id = house.team(ada)
        eve = house.join(team_id, house.person("eve@example.com", "Eve"), "owner")
        assert teams.list_teams(ada)[0].owner_id == ada.user_id
        with transaction() as session:
            older = update(TeamMember).where(TeamMember.user_id == eve.user_id)
            session.execute(older.values(joined_at=utc_now() - timedelta(days=1)))
        assert teams.list_teams(ada)[0].owner_id == eve.user_id

    def test_a_nameless_owner_is_called_by_address(self, house):
        eve = house.person("eve@example.com")
        house.team(eve)
        assert teams.list_teams(eve)[0].owner_name == "eve@example.com"

    def test_get_team_shows_members_by_name(self, house, ada):
        team_id = house.team(ada)
        house.join(team_id, house.person("zoe@example.com", "Zoe"), "viewer")
        house.join(team_id, house.person("bob@example.com", "bob"))
        found = teams.get_team(ada, team_id)
        assert [member.name for member in found.members] == ["Ada", "bob", "Zoe"]
        assert [member.role for member in found.members] == ["owner", "member", "viewer"]
        assert found.members[2].permissions.can_edit is False
        assert found.member_count == 3

    @pytest.mark.parametrize("ask", [teams.get_team, membership.list_members, membership.list_roles])
    def test_a_team_of_others_is_as_absent_as_none(self, house, ada, ask):
        team_id = house.team(house.person("eve@example.com"))
        for unknown in (team_id, uuid4()):
            with pytest.raises(NotFound):
                ask(ada, unknown)

    @pytest.mark.parametrize("ask", [teams.get_team, membership.list_members, membership.list_roles])
    def test_a_deleted_team_is_gone(self, house, ada, ask):
        team_id = house.team(ada)
        delete_team(team_id)
        assert teams.list_teams(ada) == []
        with pytest.raises(NotFound):
            ask(ada, team_id)

    def test_roles_are_counted(self, house, ada):
        team_id = house.team(ada)
        for number in range(2):
            house.join(team_id, house.person(f"bob{number}@example.com"))
        found = membership.list_roles(ada, team_id)
        assert [(role.id, role.member_count) for role in found] == [
            ("owner", 1),
            ("admin", 0),
            ("member", 2),
            ("viewer", 0),
        ]
        assert [role.id for role in found if role.is_default] == ["member"]


def delete_team(team_id: Any) -> None:
    with transaction() as session:
        session.execute(update(Team).where(Team.id == team_id).values(deleted_at=utc_now()))


class TestInvite:
    def test_an_invitation_waits_seven_days_and_its_mail_is_queued(self, house, ada):
        sent = house.invite(ada, house.team(ada), role="viewer", message="Join us")
        found = sent.invitation
        assert (found.status, found.role, found.message) == ("pending", "viewer", "Join us")
        assert (found.invited_by, found.invited_by_name) == (ada.user_id, "Ada")
        assert found.expires_at - found.created_at == timedelta(days=7)
        assert (sent.email_status, sent.new) == ("queued", True)
        assert count(QueuedJob, QueuedJob.name == "mail.invitation") == 1

    @pytest.mark.parametrize("role", ["member", "viewer"])
    def test_members_and_viewers_may_not_invite(self, house, ada, role):
        team_id = house.team(ada)
        bob = house.join(team_id, house.person("bob@example.com"), role)
        for forbidden in (
            lambda: house.invite(bob, team_id, "eve@example.com"),
            lambda: invitations.list_invites(bob, team_id),
        ):
            with pytest.raises(Forbidden):
                forbidden()

    def test_an_admin_may_invite_admins(self, house, ada):
        team_id = house.team(ada)
        bob = house.join(team_id, house.person("bob@example.com"), "admin")
        assert house.invite(bob, team_id, "eve@example.com", role="admin").new

    def test_nobody_grants_above_their_own_role(self, house, ada, monkeypatch):
        team_id = house.team(ada)
        bob = house.join(team_id, house.person("bob@example.com"), "member")
        monkeypatch.setattr(invitations, "require", lambda *asked: "member")
        with pytest.raises(Forbidden):
            house.invite(bob, team_id, "eve@example.com", role="admin")

    def test_a_strangers_team_is_absent_and_keeps_its_tries(self, house, ada, monkeypatch):
        team_id = house.team(house.person("eve@example.com"))
        counted: list[str] = []
        monkeypatch.setattr(invitations.limits, "count", lambda name, *rest: counted.append(name))
        with pytest.raises(NotFound):
            house.invite(ada, team_id)
        assert counted == ["invite-user"]

    def test_the_same_again_sends_nothing(self, house, ada):
        team_id = house.team(ada)
        first = house.invite(ada, team_id, "bob@example.com")
        again = house.invite(ada, team_id, " BOB@Example.com")
        assert (again.invitation.id, again.new) == (first.invitation.id, False)
        assert count(QueuedJob, QueuedJob.name == "mail.invitation") == 1

    def test_another_role_is_refused(self, house, ada):
        team_id = house.team(ada)
        house.invite(ada, team_id)
        with pytest.raises(refusals.AlreadyInvited):
            house.invite(ada, team_id, role="admin")

    def test_a_member_and_oneself_are_refused(self, house, ada):
        team_id = house.team(ada)
        house.join(team_id, house.person("bob@example.com"))
        for address in ("Bob@example.com", "ADA@example.com"):
            with pytest.raises(refusals.AlreadyMember):
                house.invite(ada, team_id, address)

    def test_owner_is_not_given_by_invitation(self):
        with pytest.raises(ValueError, match="Choose one of"):
            InviteToTeam(email="bob@example.com", role="owner")

    def test_an_expired_invitation_makes_room(self, house, ada):
        team_id = house.team(ada)
        first = house.invite(ada, team_id)
        house.change(first, expires_at=utc_now() - timedelta(seconds=1))
        assert invitations.list_invites(ada, team_id) == []
        second = house.invite(ada, team_id, role="viewer")
        assert second.new
        assert db.session.get_one(Invitation, first.invitation.id).status == "expired"

    def test_an_invitation_whose_inviter_left_makes_room(self, house, ada):
        team_id = house.team(ada)
        bob = house.join(team_id, house.person("bob@example.com"), "admin")
        first = house.invite(bob, team_id, "eve@example.com")
        with transaction() as session:
            session.execute(delete(TeamMember).where(TeamMember.user_id == bob.user_id))
        assert invitations.list_invites(ada, team_id) == []
        second = house.invite(ada, team_id, "eve@example.com")
        assert second.new
        assert db.session.get_one(Invitation, first.invitation.id).status == "revoked"

    def test_the_database_allows_one_pending_invitation_an_address(self, house, ada):
        team_id = house.team(ada)
        house.invite(ada, team_id, "bob@example.com")

        def second(status: str) -> None:
            values = {"team_id": team_id, "email": "bob@example.com", "email_key": "bob@example.com", "role": "viewer"}
            with transaction() as session:
                row = cases.new_invitation(**values, invited_by=ada.user_id)
                row.status = status
                session.add(row)

        with pytest.raises(IntegrityError):
            second("pending")
        second("rejected")

    def test_ten_identical_invitations_at_once_are_one(self, house, ada, at_once):
        team_id = house.team(ada)
        results = at_once(lambda number: house.invite(ada, team_id))
        assert [result for result in results if isinstance(result, Exception)] == []
        assert sorted(result.new for result in results) == [False] * 9 + [True]
        assert len({result.invitation.id for result in results}) == 1
        assert count(Invitation) == 1
        assert count(QueuedJob, QueuedJob.name == "mail.invitation") == 1


class TestCaps:
    def test_three_new_invitations_a_day_reach_an_address_over_all_teams(self, house, ada):
        eve = house.person("eve@example.com")
        for who in (ada, eve, ada):
            team_id = house.team(who)
            house.invite(who, team_id)
            house.invite(who, team_id)  # a repeat is not a new one
        with pytest.raises(RateLimited):
            house.invite(ada, house.team(ada), "BOB@example.com")
        assert count(Invitation) == 3

    @pytest.mark.parametrize(
        "cap", ["limit_invite_user", "limit_invite_team", "limit_invite_address", "limit_invite_pair"]
    )
    def test_each_cap_refuses(self, house, ada, monkeypatch, cap):
        team_id = house.team(ada)
        small = invitations.TeamsSettings().model_copy(update={cap: "1/day"})
        monkeypatch.setattr(invitations.plugins, "current", lambda model: small)
        first = house.invite(ada, team_id)
        house.change(first, status="rejected")
        with pytest.raises(RateLimited):
            house.invite(ada, team_id)

    @pytest.mark.parametrize("cap", ["limit_invite_address", "limit_invite_pair"])
    def test_caps_of_an_address_leave_others_alone(self, house, ada, monkeypatch, cap):
        team_id = house.team(ada)
        small = invitations.TeamsSettings().model_copy(update={cap: "1/day"})
        monkeypatch.setattr(invitations.plugins, "current", lambda model: small)
        assert house.invite(ada, team_id, "bob@example.com").new
        assert house.invite(ada, team_id, "eve@example.com").new

    def test_a_refused_invitation_costs_its_address_nothing(self, house, ada):
        team_id = house.team(ada)
        house.join(team_id, house.person("bob@example.com"))
        for _ in range(4):
            with pytest.raises(refusals.AlreadyMember):
                house.invite(ada, team_id)
        assert house.invite(ada, house.team(ada, "Another")).new

    def test_a_team_waits_for_a_hundred_answers_at_most(self, house, ada):
        team_id = house.team(ada)
        with transaction() as session:
            for number in range(100):
                address = f"bob{number}@example.com"
                values = {"team_id": team_id, "email": address, "email_key": address, "role": "viewer"}
                session.add(cases.new_invitation(**values, invited_by=ada.user_id))
        with pytest.raises(refusals.TooManyPending) as refused:
            house.invite(ada, team_id, "eve@example.com")
        assert 0 < int(refused.value.headers["Retry-After"]) <= 7 * 24 * 3600
        assert not house.invite(ada, team_id, "bob1@example.com", role="viewer").new
        with transaction() as session:
            expired = update(Invitation).where(Invitation.email == "bob1@example.com")
            session.execute(expired.values(expires_at=utc_now() - timedelta(seconds=1)))
        assert house.invite(ada, team_id, "eve@example.com").new


class TestLists:
    def test_a_team_sees_what_waits_newest_first(self, house, ada):
        team_id = house.team(ada)
        house.change(house.invite(ada, team_id, "bob@example.com"), created_at=utc_now() - timedelta(hours=1))
        house.invite(ada, team_id, "eve@example.com")
        for status in ("accepted", "rejected", "revoked", "superseded"):
            house.change(house.invite(ada, team_id, f"{status}@example.com"), status=status)
        found = invitations.list_invites(ada, team_id)
        assert [invite.email for invite in found] == ["eve@example.com", "bob@example.com"]

    def test_mine_are_by_my_address_in_any_spelling(self, house, ada):
        team_id = house.team(ada)
        bob = house.person("Bob@example.com")
        house.invite(ada, team_id, "BOB@example.com")
        house.invite(ada, team_id, "eve@example.com")
        assert [invite.team_id for invite in invitations.my_invites(bob)] == [team_id]
        delete_team(team_id)
        assert invitations.my_invites(bob) == []

    def test_the_state_of_the_mail(self, house, ada):
        team_id = house.team(ada)
        for state in ("queued", "done", "failed"):
            sent = house.invite(ada, team_id, f"{state}@example.com")
            job_id = db.session.get_one(Invitation, sent.invitation.id).mail_job_id
            with transaction() as session:
                session.execute(update(QueuedJob).where(QueuedJob.id == job_id).values(state=state))
        cleaned = house.invite(ada, team_id, "cleaned@example.com")
        with transaction() as session:
            job_id = session.get_one(Invitation, cleaned.invitation.id).mail_job_id
            session.execute(delete(QueuedJob).where(QueuedJob.id == job_id))
        found = {row.email: row.email_status for row in invitations.list_invites_with_mail(ada, team_id)}
        assert found == {
            "queued@example.com": "queued",
            "done@example.com": "sent",
            "failed@example.com": "failed",
            "cleaned@example.com": "sent",
        }


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
            delete_team(sent.invitation.team_id)
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
