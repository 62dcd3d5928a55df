"""Ownership handed over: offered by an owner, accepted by a member, void when either is no longer what they were."""

from datetime import timedelta

import pytest

from app.database import db, transaction, utc_now
from blueprints.auth.models import UserSession
from blueprints.teams.models import OwnershipOffer
from blueprints.teams.schemas import ChangeRole
from blueprints.teams.services import member_changes, ownership
from tests.blueprints.auth.support import change, count, let_pass, only, refuses, succeeds
from tests.clients import Program


@pytest.fixture
def team_id(house, ada):
    return house.team(ada)


@pytest.fixture
def bob(house, team_id):
    """A member of Ada's team."""
    return house.join(team_id, house.person("bob@example.com", "Bob"))


@pytest.fixture
def as_bob(house, app, bob):
    """Bob as a program, signed in just now."""
    return house.sign_in(Program(app), bob)


def offer(client, team_id, member_id):
    return client.submit(f"/teams/{team_id}/ownership", memberId=str(member_id))


def accept(client, team_id):
    return client.submit(f"/teams/{team_id}/ownership/accept")


class TestOffer:
    def test_the_offered_is_told_and_nothing_has_changed(self, house, ada, team_id, bob, either, outbox):
        answer = offer(house.sign_in(either, ada), team_id, house.member_id(team_id, bob))
        assert answer.status == succeeds(either)
        if either.is_browser:
            assert answer.location == f"/teams/{team_id}"
        else:
            assert answer.data["member"]["email"] == "bob@example.com"
        row = only(OwnershipOffer)
        assert row.expires_at - row.created_at == timedelta(days=7)
        mails = [mail for mail in outbox() if mail.recipient == "bob@example.com"]
        assert "Night Shoot" in mails[-1].text
        assert "Ada" in mails[-1].text
        assert f"http://localhost:8000/teams/{team_id}" in mails[-1].text
        assert house.roles(team_id) == {"ada": "owner", "bob": "member"}

    @pytest.mark.parametrize("role", ["admin", "member", "viewer"])
    def test_only_owners_offer(self, house, team_id, bob, either, role):
        eve = house.join(team_id, house.person("eve@example.com"), role)
        assert offer(house.sign_in(either, eve), team_id, house.member_id(team_id, bob)).status == 403
        assert count(OwnershipOffer) == 0

    def test_strangers_and_the_signed_out(self, house, team_id, bob, either):
        member_id = house.member_id(team_id, bob)
        answer = offer(either, team_id, member_id)
        assert (answer.status, answer.location) == (303, "/auth/sign-in") if either.is_browser else answer.status == 401
        house.sign_in(either, house.person("eve@example.com"))
        for client_path in (f"/teams/{team_id}/ownership", f"/teams/{team_id}/ownership/accept"):
            assert either.submit(client_path, _page="/teams/new", memberId=str(member_id)).status == 404

    def test_whom_it_may_go_to(self, house, ada, team_id, bob, either):
        eve = house.person("eve@example.com")
        owner = house.join(team_id, house.person("zoe@example.com"), "owner")
        hers = house.member_id(house.team(eve), eve)
        house.sign_in(either, ada)
        assert offer(either, team_id, hers).status == 404
        for bad in ("nonsense", "", house.member_id(team_id, owner), house.member_id(team_id, ada)):
            answer = offer(either, team_id, bad)
            assert answer.status == refuses(either)
            assert either.is_browser or list(answer.fields) == ["memberId"]
        assert count(OwnershipOffer) == 0

    def test_a_new_one_replaces_it(self, house, ada, team_id, bob, program, as_bob, app):
        eve = house.join(team_id, house.person("eve@example.com"))
        house.sign_in(program, ada)
        for who in (bob, eve):
            assert offer(program, team_id, house.member_id(team_id, who)).status == 200
        assert accept(as_bob, team_id).status == 404
        assert accept(house.sign_in(Program(app), eve), team_id).status == 200
        assert house.roles(team_id) == {"ada": "admin", "bob": "member", "eve": "owner"}


class TestFresh:
    @pytest.mark.parametrize("act", ["offer", "accept"])
    def test_a_stale_session_proves_the_password_first(self, house, ada, team_id, bob, either, act):
        member_id = house.member_id(team_id, bob)
        house.offer(ada, team_id, bob)
        path = f"/teams/{team_id}/ownership" + ("/accept" if act == "accept" else "")
        house.sign_in(either, ada if act == "offer" else bob)
        let_pass(UserSession, minutes=10)
        if either.is_browser:
            shown = either.get(path)
            assert (shown.status, shown.location) == (303, f"/auth/reauthenticate?next={path.replace('/', '%2F')}")
        answer = either.submit(path, _page="/teams/new", memberId=str(member_id))
        if either.is_browser:
            assert (answer.status, answer.location) == (303, shown.location)
        else:
            assert (answer.status, answer.code) == (403, "REAUTHENTICATION_REQUIRED")
        assert house.roles(team_id) == {"ada": "owner", "bob": "member"}
        either.submit("/auth/reauthenticate", password="correct horse battery")
        assert either.submit(path, memberId=str(member_id)).status == succeeds(either)

    def test_a_token_is_not_enough(self, app, house, ada, team_id, bob, as_bob):
        house.offer(ada, team_id, bob)
        bearer = Program(app, as_bob.submit("/auth/tokens", name="CI").data["value"])
        assert (accept(bearer, team_id).status, accept(bearer, team_id).code) == (403, "FORBIDDEN")
        assert offer(bearer, team_id, house.member_id(team_id, bob)).status == 403


class TestAccept:
    @pytest.mark.parametrize("role", ["admin", "member", "viewer"])
    def test_they_change_places(self, house, ada, team_id, bob, either, outbox, role):
        his = house.member_id(team_id, bob)
        member_changes.change_role(ada, team_id, his, ChangeRole(role=role))
        sent = house.invite(ada, team_id, "dan@example.com", role="admin")
        house.offer(ada, team_id, bob)
        house.sign_in(either, bob)
        assert either.is_browser is False or "/ownership/accept" in either.get(f"/teams/{team_id}").text
        answer = accept(either, team_id)
        assert answer.status == succeeds(either)
        if either.is_browser:
            assert answer.location == f"/teams/{team_id}"
        else:
            assert answer.data["member"]["role"] == "owner"
        assert house.roles(team_id) == {"ada": "admin", "bob": "owner"}
        assert house.state(sent) == "pending"
        last = outbox()[-1]
        assert (last.recipient, "Bob" in last.text, "Night Shoot" in last.text) == ("ada@example.com", True, True)
        assert accept(either, team_id).status == 404
        assert count(OwnershipOffer) == 0

    def test_other_owners_stay(self, house, ada, team_id, bob, as_bob):
        house.join(team_id, house.person("eve@example.com"), "owner")
        house.offer(ada, team_id, bob)
        assert accept(as_bob, team_id).status == 200
        assert house.roles(team_id) == {"ada": "admin", "bob": "owner", "eve": "owner"}

    def test_nobody_else(self, house, ada, team_id, bob, either):
        eve = house.join(team_id, house.person("eve@example.com"), "admin")
        house.offer(ada, team_id, bob)
        for who in (eve, ada):
            house.sign_in(either, who)
            assert accept(either, team_id).status == 404
            either.submit("/auth/sign-out", _page="/teams")
        assert house.roles(team_id) == {"ada": "owner", "bob": "member", "eve": "admin"}

    def test_without_an_offer(self, team_id, as_bob):
        assert (accept(as_bob, team_id).status, accept(as_bob, team_id).code) == (404, "NOT_FOUND")

    def test_after_seven_days(self, house, ada, team_id, bob, as_bob, outbox):
        house.offer(ada, team_id, bob)
        change(OwnershipOffer, expires_at=utc_now() + timedelta(seconds=30))
        assert ownership.find_my_offer(bob, team_id) is not None
        change(OwnershipOffer, expires_at=utc_now())
        assert ownership.find_my_offer(bob, team_id) is None
        assert accept(as_bob, team_id).status == 404
        assert house.roles(team_id) == {"ada": "owner", "bob": "member"}

    @pytest.mark.parametrize("what", ["demoted", "removed", "deleted", "offered removed", "offered is owner"])
    def test_it_is_void_for_good(self, app, house, ada, team_id, bob, as_bob, what):
        zoe = house.join(team_id, house.person("zoe@example.com"), "owner")
        hers, his = house.member_id(team_id, ada), house.member_id(team_id, bob)
        house.offer(ada, team_id, bob)
        if what == "demoted":
            for role in ("admin", "owner"):
                member_changes.change_role(zoe, team_id, hers, ChangeRole(role=role))
        elif what == "removed":
            member_changes.remove_member(zoe, team_id, hers)
            house.join(team_id, ada, "owner")
        elif what == "deleted":
            client = house.sign_in(Program(app), ada)
            assert client.submit("/auth/account", verb="DELETE", password="correct horse battery").status == 200
        elif what == "offered removed":
            member_changes.remove_member(zoe, team_id, his)
            house.join(team_id, bob)
        else:
            for role in ("owner", "member"):
                member_changes.change_role(zoe, team_id, his, ChangeRole(role=role))
        before = house.roles(team_id)
        assert accept(as_bob, team_id).status == 404
        assert house.roles(team_id) == before

    def test_an_offer_whose_maker_is_no_owner_counts_for_nothing(self, house, ada, team_id, bob, as_bob):
        """Even a row that was left behind."""
        eve = house.join(team_id, house.person("eve@example.com"), "admin")
        house.offer(ada, team_id, bob)
        change(OwnershipOffer, offered_by=eve.user_id)
        assert accept(as_bob, team_id).status == 404

    def test_the_mail_of_an_offer_that_is_void_is_not_sent(self, house, ada, team_id, bob, outbox):
        house.offer(ada, team_id, bob)
        with transaction() as session:
            session.delete(session.query(OwnershipOffer).one())
        db.session.rollback()
        assert [mail for mail in outbox() if mail.recipient == "bob@example.com"] == []
