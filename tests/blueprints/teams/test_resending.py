"""Invitations sent anew or withdrawn by their team: who may, what the old link says, how often."""

from datetime import timedelta
from uuid import uuid4

import pytest

from app.addresses import address_key
from app.database import db, transaction, utc_now
from blueprints.teams.models import Invitation
from blueprints.teams.schemas import AcceptInvitation
from blueprints.teams.services import acceptance, cases, replies, resending, teams
from tests.blueprints.auth.support import count, let_limits_pass, only, succeeds
from tests.blueprints.teams.support import INVITATION
from tests.people import PASSWORD, token_in


@pytest.fixture
def team_id(house, ada):
    return house.team(ada)


@pytest.fixture
def sent(house, ada, team_id):
    """Bob's invitation, whose mail went out ten minutes ago."""
    made = house.invite(ada, team_id, role="viewer", message="Join us")
    let_limits_pass(minutes=10)
    return made


def resend(client, sent):
    return client.submit(f"/teams/invites/{sent.invitation.id}/resend", _page="/teams/new")


def revoke(client, sent):
    return client.submit(f"/teams/invites/{sent.invitation.id}", verb="DELETE", _page="/teams/new")


def dead(house, ada, sent, state):
    """Bring an invitation to its end."""
    bob = house.person("bob@example.com") if state in ("accepted", "rejected") else None
    if state == "accepted":
        replies.accept_my_invite(bob, sent.invitation.id)
    elif state == "rejected":
        replies.reject_my_invite(bob, sent.invitation.id)
    elif state == "revoked":
        resending.revoke_invite(ada, sent.invitation.id)
    elif state == "superseded":
        resending.resend_invite(ada, sent.invitation.id)
    elif state == "expired":
        house.change(sent, expires_at=utc_now())
    elif state == "inviter gone":
        house.change(sent, invited_by=None)


CODES = {"accepted": "USED", "rejected": "REJECTED", "revoked": "REVOKED", "superseded": "SUPERSEDED"}
CODES |= {"inviter gone": "REVOKED"}
SENT_LATELY = "This invitation was sent a short while ago. You can send it again in {}."


class TestResend:
    @pytest.mark.parametrize("before", ["pending", "expired"])
    def test_a_new_invitation_takes_its_place(self, house, ada, team_id, sent, either, outbox, before):
        old_token = house.token(sent)
        if before == "expired":
            dead(house, ada, sent, "expired")
        answer = resend(house.sign_in(either, ada), sent)
        assert answer.status == succeeds(either, 201)
        assert answer.location == (f"/teams/{team_id}" if either.is_browser else f"/api/teams/{team_id}/invites")
        old = only(Invitation, Invitation.id == sent.invitation.id)
        new = only(Invitation, Invitation.status == "pending")
        assert (old.status, old.superseded_by) == ("superseded", new.id)
        assert new.id != old.id
        assert new.token_hash != old.token_hash
        assert new.expires_at - new.created_at == timedelta(days=7)
        assert (new.email, new.role, new.message) == ("bob@example.com", "viewer", "Join us")
        if not either.is_browser:
            assert set(answer.data) == {"invitation", "emailSent", "emailStatus"}
            assert set(answer.data["invitation"]) == INVITATION
            assert answer.data["invitation"]["id"] == str(new.id)
            assert (answer.data["emailSent"], answer.data["emailStatus"]) == (True, "queued")
            assert [row["id"] for row in either.get(f"/teams/{team_id}/invites").data["invites"]] == [str(new.id)]
        last = outbox()[-1]
        assert (last.recipient, last.subject) == ("bob@example.com", "Invitation to join Night Shoot")
        assert token_in(last) != old_token

    def test_the_old_link_says_when_the_newer_one_was_sent(self, house, ada, sent, either, outbox):
        again = resending.resend_invite(ada, sent.invitation.id)
        token, new = house.token(sent), again.invitation
        sentence = f"A newer invitation was sent on {new.created_at:%d %B %Y at %H:%M} UTC."
        for who in (None, house.person("bob@example.com")):
            if who is not None:
                house.sign_in(either, who)
            if either.is_browser:
                found = [either.get(f"/team/invite/{token}")]
            else:
                found = [either.get(f"/teams/invites/preview?token={token}")]
                found += [either.post(f"/teams/invites/{verb}", json={"token": token}) for verb in ("accept", "reject")]
                assert {answer.code for answer in found} == {"INVITE_SUPERSEDED"}
            assert {answer.status for answer in found} == {410}
            assert all(sentence in answer.text for answer in found)
        by_id = either.submit(f"/teams/invites/{sent.invitation.id}/accept", _page="/teams/invites")
        assert by_id.status == 410
        assert either.is_browser or by_id.code == "INVITE_SUPERSEDED"
        if not either.is_browser:
            assert [row["id"] for row in either.get("/teams/invites").data["invites"]] == [str(new.id)]
        joined = acceptance.accept_invite(who, house.token(again), AcceptInvitation(), house.client)
        assert joined.member.role == "viewer"

    def test_another_admin_stands_behind_it_from_now_on(self, house, ada, team_id, sent):
        eve = house.join(team_id, house.person("eve@example.com", "Eve"), "admin")
        again = resending.resend_invite(eve, sent.invitation.id)
        assert (again.invitation.invited_by, again.invitation.invited_by_name) == (eve.user_id, "Eve")

    @pytest.mark.parametrize("state", list(CODES))
    @pytest.mark.parametrize("act", [resend, revoke])
    def test_what_waits_no_more(self, house, ada, team_id, sent, either, act, state):
        dead(house, ada, sent, state)
        rows = count(Invitation)
        let_limits_pass(minutes=10)
        answer = act(house.sign_in(either, ada), sent)
        assert answer.status == 410
        assert either.is_browser or answer.code == f"INVITE_{CODES[state]}"
        assert count(Invitation) == rows

    def test_one_that_made_room_for_another_has_expired_for_good(self, house, ada, team_id, sent, program):
        dead(house, ada, sent, "expired")
        house.invite(ada, team_id)
        let_limits_pass(minutes=10)
        answer = resend(house.sign_in(program, ada), sent)
        assert (answer.status, answer.code) == (410, "INVITE_EXPIRED")
        assert count(Invitation, Invitation.status == "pending") == 1

    def test_roles_above_ones_own_are_refused(self, house, ada, team_id, either, monkeypatch):
        """A role that may invite and stands below another does not exist yet; the check is there."""
        sent = house.invite(ada, team_id, role="admin")
        let_limits_pass(minutes=10)
        monkeypatch.setattr(resending, "is_at_least", lambda mine, theirs: theirs != "admin")
        assert resend(house.sign_in(either, ada), sent).status == 403
        assert count(Invitation) == 1


class TestWhoMay:
    @pytest.mark.parametrize("act", [resend, revoke])
    @pytest.mark.parametrize("role", ["owner", "admin"])
    def test_owners_and_admins(self, house, team_id, sent, either, act, role):
        eve = house.join(team_id, house.person("eve@example.com"), role)
        assert act(house.sign_in(either, eve), sent).status == succeeds(either, 201 if act is resend else 200)

    @pytest.mark.parametrize("act", [resend, revoke])
    @pytest.mark.parametrize("role", ["member", "viewer"])
    def test_members_and_viewers_do_not(self, house, team_id, sent, either, act, role):
        eve = house.join(team_id, house.person("eve@example.com"), role)
        answer = act(house.sign_in(either, eve), sent)
        assert answer.status == 403
        assert either.is_browser or answer.code == "FORBIDDEN"
        if either.is_browser:
            assert either.get(f"/teams/invites/{sent.invitation.id}").status == 403
        assert house.state(sent) == "pending"

    @pytest.mark.parametrize("act", [resend, revoke])
    def test_strangers_the_invited_and_the_signed_out(self, house, ada, sent, either, act):
        signed_out = act(either, sent)
        assert signed_out.status == (303 if either.is_browser else 401)
        house.team(bob := house.person("bob@example.com"))
        house.sign_in(either, bob)
        assert act(either, sent).status == 404
        for absent in (uuid4(), "nonsense"):
            assert either.submit(f"/teams/invites/{absent}/resend", _page="/teams/new").status == 404
            assert either.submit(f"/teams/invites/{absent}", verb="DELETE", _page="/teams/new").status == 404
        assert house.state(sent) == "pending"


class TestRevoke:
    def test_revoke(self, house, ada, team_id, sent, either):
        answer = revoke(house.sign_in(either, ada), sent)
        assert answer.status == succeeds(either)
        if either.is_browser:
            assert answer.location == f"/teams/{team_id}"
        else:
            assert list(answer.data) == ["message"]
            assert either.get(f"/teams/{team_id}/invites").data == {"invites": []}
            assert either.get(f"/teams/invites/preview?token={house.token(sent)}").code == "INVITE_REVOKED"
        assert house.state(sent) == "revoked"

    def test_one_that_has_expired(self, house, ada, sent, program):
        dead(house, ada, sent, "expired")
        answer = revoke(house.sign_in(program, ada), sent)
        assert (answer.status, answer.code) == (410, "INVITE_EXPIRED")

    def test_a_mail_in_the_queue_is_not_sent(self, house, ada, sent, outbox):
        resending.revoke_invite(ada, sent.invitation.id)
        assert outbox() == []


class TestHowOften:
    def test_ten_minutes_after_the_last_mail(self, house, ada, team_id, either):
        sent = house.invite(ada, team_id)
        house.sign_in(either, ada)
        for _ in range(2):
            refused = resend(either, sent)
            assert refused.status == 429
            assert 590 <= int(refused.response.headers["Retry-After"]) <= 600
            assert either.is_browser or refused.code == "RATE_LIMIT_EXCEEDED"
            assert SENT_LATELY.format("10 minutes") in refused.text
            assert house.state(sent) == "pending"
            let_limits_pass(minutes=9, seconds=50)
            refused = resend(either, sent)
            assert 1 <= int(refused.response.headers["Retry-After"]) <= 10
            assert SENT_LATELY.format("a minute") in refused.text
            let_limits_pass(seconds=10)
            assert resend(either, sent).status == succeeds(either, 201)
            db.session.rollback()
            sent = type(sent)(newest(), "queued", True)

    def test_a_refusal_costs_nothing(self, house, ada, team_id, sent, program):
        eve = house.join(team_id, house.person("eve@example.com"), "viewer")
        assert [resend(house.sign_in(program, eve), sent).status for _ in range(2)] == [403, 403]
        assert resend(house.sign_in(program, ada), sent).status == 201

    def test_other_addresses_wait_for_nothing(self, house, ada, team_id, sent, program):
        house.invite(ada, team_id, "eve@example.com")
        assert resend(house.sign_in(program, ada), sent).status == 201

    def test_ten_mails_a_day_to_one_address(self, house, ada, team_id, sent, program):
        house.sign_in(program, ada)
        for _ in range(9):
            assert program.post(f"/teams/invites/{newest().id}/resend").status == 201
            let_limits_pass(minutes=10)
        refused = program.post(f"/teams/invites/{newest().id}/resend")
        assert (refused.status, refused.code) == (429, "RATE_LIMIT_EXCEEDED")
        assert int(refused.response.headers["Retry-After"]) > 600
        assert "Too many tries" in refused.text
        assert count(Invitation, Invitation.status == "pending") == 1
        let_limits_pass(hours=24)
        assert program.post(f"/teams/invites/{newest().id}/resend").status == 201

    def test_resending_is_no_new_invitation_to_the_address(self, house, ada, team_id, sent):
        for _ in range(4):
            resending.resend_invite(ada, newest().id)
            let_limits_pass(minutes=10)
        others = [house.team(ada, f"Other {number}") for number in range(2)]
        for other in others:
            house.invite(ada, other)

    def test_a_full_team_may_still_send_again(self, house, ada, team_id, sent, program):
        with transaction() as session:
            for number in range(99):
                email = address_key(f"p{number}@example.com")
                values = {"email": email, "email_key": email, "role": "member", "invited_by": ada.user_id}
                session.add(cases.new_invitation(team_id=team_id, **values))
        assert resend(house.sign_in(program, ada), sent).status == 201
        assert count(Invitation, Invitation.status == "pending") == 100


def newest():
    """The invitation that waits, as its team sees it."""
    db.session.rollback()
    return only(Invitation, Invitation.status == "pending")


def test_every_page_of_it_is_gone_with_the_team(house, ada, sent, either):
    teams.delete_team(ada, sent.invitation.team_id)
    house.sign_in(either, ada)
    assert [act(either, sent).status for act in (resend, revoke)] == [404, 404]


def test_the_password_of_a_new_account_joins_by_the_new_link_alone(house, ada, sent, program):
    again = resending.resend_invite(ada, sent.invitation.id)
    for one, status in ((sent, 410), (again, 200)):
        body = {"token": house.token(one), "password": PASSWORD}
        assert program.post("/teams/invites/accept", json=body).status == status
