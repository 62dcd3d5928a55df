"""Invitations: sent once, capped, listed, below HTTP."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError

from app.database import db, transaction, utc_now
from app.errors import Forbidden, NotFound, RateLimited
from app.jobs import QueuedJob
from blueprints.teams.models import Invitation, TeamMember
from blueprints.teams.schemas import InviteToTeam
from blueprints.teams.services import cases, invitations, refusals
from tests.blueprints.auth.support import count


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
        house.delete_team(team_id)
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
