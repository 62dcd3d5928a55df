"""Invitations answered by their id: only by the invited, and the whole order of refusals."""

from uuid import uuid4

import pytest

from app.database import utc_now
from blueprints.teams.models import Invitation, TeamMember
from blueprints.teams.services import member_changes, replies, resending, teams
from tests.blueprints.auth.support import change, count, let_limits_pass, only, succeeds
from tests.blueprints.teams.support import MEMBER
from tests.clients import Program


@pytest.fixture
def team_id(house, ada):
    return house.team(ada)


@pytest.fixture
def bob(house):
    return house.person("bob@example.com", "Bob")


@pytest.fixture
def sent(house, ada, team_id, bob):
    """Bob's invitation."""
    made = house.invite(ada, team_id, role="viewer")
    let_limits_pass(minutes=10)
    return made


def answer_by_id(client, verb, invitation_id):
    return client.submit(f"/teams/invites/{invitation_id}/{verb}", _page="/teams/invites")


class TestAnswer:
    def test_accept(self, house, ada, team_id, bob, sent, either, outbox):
        answer = answer_by_id(house.sign_in(either, bob), "accept", sent.invitation.id)
        assert answer.status == succeeds(either)
        if either.is_browser:
            assert answer.location == f"/teams/{team_id}"
        else:
            assert set(answer.data) == {"team", "member"}
            assert answer.data["team"]["id"] == str(team_id)
            assert set(answer.data["member"]) == MEMBER
            assert (answer.data["member"]["email"], answer.data["member"]["role"]) == ("bob@example.com", "viewer")
        assert house.roles(team_id) == {"ada": "owner", "bob": "viewer"}
        row = only(Invitation)
        assert (row.status, row.accepted_by) == ("accepted", bob.user_id)
        told = [mail for mail in outbox() if mail.recipient == "ada@example.com"]
        assert told[-1].subject == "Bob joined Night Shoot"

    def test_reject(self, house, team_id, bob, sent, either):
        answer = answer_by_id(house.sign_in(either, bob), "reject", sent.invitation.id)
        assert answer.status == succeeds(either)
        if either.is_browser:
            assert answer.location == "/"
        else:
            assert answer.data["invitation"]["status"] == "rejected"
            assert answer.data["invitation"]["email"] == "bob@example.com"
        assert house.roles(team_id) == {"ada": "owner"}
        assert only(Invitation).status == "rejected"
        for verb in ("accept", "reject"):
            again = answer_by_id(either, verb, sent.invitation.id)
            assert again.status == 410
            assert either.is_browser or again.code == "INVITE_REJECTED"

    def test_accepted_twice(self, house, team_id, bob, sent, either):
        house.sign_in(either, bob)
        answers = [answer_by_id(either, "accept", sent.invitation.id) for _ in range(2)]
        assert [answer.status for answer in answers] == [succeeds(either)] * 2
        if not either.is_browser:
            assert "alreadyMember" not in answers[0].data
            assert set(answers[1].data) == {"team", "member", "alreadyMember"}
            assert answers[1].data["alreadyMember"] is True
            assert answers[1].data["member"] == answers[0].data["member"]
        assert count(TeamMember) == 2
        rejected = answer_by_id(either, "reject", sent.invitation.id)
        assert rejected.status == 410
        assert either.is_browser or rejected.code == "INVITE_USED"

    def test_the_token_and_the_id_are_one_invitation(self, house, bob, sent, program):
        house.sign_in(program, bob)
        assert answer_by_id(program, "accept", sent.invitation.id).status == 200
        again = program.post("/teams/invites/accept", json={"token": house.token(sent)})
        assert (again.status, again.data["alreadyMember"]) == (200, True)


class TestWho:
    @pytest.mark.parametrize("verb", ["accept", "reject"])
    def test_signed_out(self, sent, either, verb):
        for invitation_id in (sent.invitation.id, uuid4()):
            answer = answer_by_id(either, verb, invitation_id)
            if either.is_browser:
                assert (answer.status, answer.location) == (303, "/auth/sign-in")
            else:
                assert (answer.status, answer.code) == (401, "UNAUTHORIZED")
        assert only(Invitation).status == "pending"

    @pytest.mark.parametrize("verb", ["accept", "reject"])
    @pytest.mark.parametrize(
        "state", ["pending", "rejected", "revoked", "superseded", "accepted", "expired", "team deleted", "inviter gone"]
    )
    @pytest.mark.parametrize("who", ["stranger", "inviter", "member"])
    def test_for_others_it_is_absent_whatever_its_state(self, house, ada, team_id, sent, program, who, state, verb):
        if who == "inviter":
            house.sign_in(program, ada)
        else:
            eve = house.person("eve@example.com")
            house.sign_in(program, eve if who == "stranger" else house.join(team_id, eve, "admin"))
        come_to(house, ada, sent, state)
        found = [answer_by_id(program, verb, invitation) for invitation in (sent.invitation.id, uuid4())]
        bodies = [answer.response.get_json()["error"] for answer in found]
        assert [answer.status for answer in found] == [404, 404]
        assert bodies[0] == bodies[1] == bodies[0] | {"code": "NOT_FOUND"}

    @pytest.mark.parametrize("verb", ["accept", "reject"])
    @pytest.mark.parametrize("invitation_id", ["nonsense", "0", "%00", "9" * 400])
    def test_malformed(self, house, bob, sent, either, verb, invitation_id):
        assert answer_by_id(house.sign_in(either, bob), verb, invitation_id).status == 404

    def test_an_unverified_address_is_nobodys(self, house, ada, team_id, app, program):
        """Somebody who only claims the address has no session to accept with."""
        sent = house.invite(ada, team_id, "eve@example.com")
        program.submit("/auth/sign-up", email="eve@example.com", password="correct horse battery")
        assert program.submit("/auth/sign-in", email="eve@example.com", password="correct horse battery").status == 403
        assert answer_by_id(program, "accept", sent.invitation.id).status == 401

    def test_every_spelling_of_the_address(self, house, ada, team_id, bob, program):
        sent = house.invite(ada, team_id, "BOB@Example.com")
        assert answer_by_id(house.sign_in(program, bob), "accept", sent.invitation.id).status == 200

    def test_an_access_token_will_do(self, app, house, bob, sent, program):
        value = house.sign_in(program, bob).submit("/auth/tokens", name="CI").data["value"]
        assert answer_by_id(Program(app, value), "accept", sent.invitation.id).status == 200


def come_to(house, ada, sent, state):
    """Bring an invitation into a state."""
    if state == "accepted":
        change(Invitation, status="accepted", answered_at=utc_now())
    elif state == "rejected":
        change(Invitation, status="rejected", answered_at=utc_now())
    elif state == "revoked":
        resending.revoke_invite(ada, sent.invitation.id)
    elif state == "superseded":
        resending.resend_invite(ada, sent.invitation.id)
    elif state == "expired":
        house.change(sent, expires_at=utc_now())
    elif state == "team deleted":
        teams.delete_team(ada, sent.invitation.team_id)
    elif state == "inviter gone":
        house.change(sent, invited_by=None)


class TestOrder:
    """The first refusal that fits answers: each state alone, and together with the ones after it."""

    @pytest.mark.parametrize("verb", ["accept", "reject"])
    @pytest.mark.parametrize(
        ("states", "status", "code"),
        [
            (["team deleted"], 404, "NOT_FOUND"),
            (["superseded"], 410, "INVITE_SUPERSEDED"),
            (["revoked"], 410, "INVITE_REVOKED"),
            (["rejected"], 410, "INVITE_REJECTED"),
            (["expired"], 410, "INVITE_EXPIRED"),
            (["inviter gone"], 410, "INVITE_REVOKED"),
            (["accepted"], 410, "INVITE_USED"),
            (["already in"], 409, "ALREADY_MEMBER"),
            (["expired", "team deleted"], 404, "NOT_FOUND"),
            (["accepted", "team deleted"], 404, "NOT_FOUND"),
            (["superseded", "expired", "already in"], 410, "INVITE_SUPERSEDED"),
            (["rejected", "expired", "inviter gone"], 410, "INVITE_REJECTED"),
            (["expired", "inviter gone", "already in"], 410, "INVITE_EXPIRED"),
            (["accepted", "expired", "inviter gone"], 410, "INVITE_USED"),
            (["inviter gone", "already in"], 410, "INVITE_REVOKED"),
        ],
    )
    def test_order(self, house, ada, team_id, bob, sent, program, verb, states, status, code):
        if "already in" in states:
            house.join(team_id, bob)
        for state in states:
            come_to(house, ada, sent, state)
        before = house.roles(team_id)
        answer = answer_by_id(house.sign_in(program, bob), verb, sent.invitation.id)
        assert (answer.status, answer.code) == (status, code)
        assert house.roles(team_id) == before

    def test_whoever_accepted_and_was_removed(self, house, ada, team_id, bob, sent, either):
        house.sign_in(either, bob)
        assert answer_by_id(either, "accept", sent.invitation.id).status == succeeds(either)
        member_changes.remove_member(ada, team_id, house.member_id(team_id, bob))
        answer = answer_by_id(either, "accept", sent.invitation.id)
        assert answer.status == 410
        assert either.is_browser or answer.code == "INVITE_USED"

    def test_accepted_goes_on_being_accepted_without_its_inviter(self, house, ada, team_id, bob, program):
        eve = house.join(team_id, house.person("eve@example.com"), "admin")
        sent = house.invite(eve, team_id)
        house.sign_in(program, bob)
        assert answer_by_id(program, "accept", sent.invitation.id).status == 200
        member_changes.remove_member(ada, team_id, house.member_id(team_id, eve))
        assert answer_by_id(program, "accept", sent.invitation.id).data["alreadyMember"] is True
        assert house.state(sent) == "accepted"

    def test_a_dead_one_on_a_page_has_a_next_step(self, house, ada, bob, sent, browser):
        house.sign_in(browser, bob)
        come_to(house, ada, sent, "revoked")
        answer = answer_by_id(browser, "accept", sent.invitation.id)
        assert answer.status == 410
        assert "See your teams" in answer.text


class TestMyInvites:
    def test_only_what_waits_and_only_mine(self, house, ada, team_id, bob, sent, program):
        other = house.team(ada, "Other")
        more = house.invite(ada, other)
        house.invite(ada, other, "eve@example.com")
        house.sign_in(program, bob)
        found = program.get("/teams/invites").data["invites"]
        assert [row["id"] for row in found] == [str(more.invitation.id), str(sent.invitation.id)]
        replies.reject_my_invite(bob, more.invitation.id)
        come_to(house, ada, sent, "inviter gone")
        assert program.get("/teams/invites").data == {"invites": []}

    def test_looking_changes_nothing(self, house, bob, sent, browser):
        house.sign_in(browser, bob)
        for verb in ("accept", "reject", "resend", "delete"):
            browser.get(f"/teams/invites/{sent.invitation.id}/{verb}")
        assert only(Invitation).status == "pending"
        assert count(TeamMember) == 1
