"""Members given other roles, and removed: who may, and what ends with it."""

from itertools import product
from uuid import uuid4

import pytest

from app.database import utc_now
from blueprints.teams.services import member_changes
from tests.blueprints.auth.support import UUID, refuses, succeeds
from tests.blueprints.teams.support import MEMBER

ROLES = ("owner", "admin", "member", "viewer")
MANAGED = {"owner": ROLES, "admin": ("admin", "member", "viewer"), "member": (), "viewer": ()}
PERMISSIONS = {"canEdit", "canInvite", "canDelete", "canManageRoles"}


@pytest.fixture
def team_id(house, ada):
    """A team of which Ada is an owner."""
    return house.team(ada)


@pytest.fixture
def join(house, team_id):
    """Makes members of that team: `join("bob", "admin")`."""
    return lambda name, role="member": house.join(team_id, house.person(f"{name}@example.com", name.title()), role)


def put(client, team_id, member_id, role):
    return client.submit(f"/teams/{team_id}/members/{member_id}", verb="PUT", _page="/teams/new", role=role)


def remove(client, team_id, member_id):
    return client.submit(f"/teams/{team_id}/members/{member_id}", verb="DELETE", _page="/teams/new")


class TestChangeRole:
    @pytest.mark.parametrize(("mine", "theirs", "new"), list(product(ROLES, ROLES, ROLES)))
    def test_of_somebody_else(self, house, team_id, join, either, mine, theirs, new):
        me, them = join("me", mine), join("them", theirs)
        answer = put(house.sign_in(either, me), team_id, house.member_id(team_id, them), new)
        allowed = theirs in MANAGED[mine] and new in MANAGED[mine]
        assert answer.status == (succeeds(either) if allowed else 403)
        assert house.roles(team_id) == {"ada": "owner", "me": mine, "them": new if allowed else theirs}
        if not allowed:
            assert answer.code == (None if either.is_browser else "FORBIDDEN")

    @pytest.mark.parametrize(("mine", "new"), list(product(ROLES, ROLES)))
    def test_of_oneself(self, house, team_id, join, either, mine, new):
        me = join("me", mine)
        answer = put(house.sign_in(either, me), team_id, house.member_id(team_id, me), new)
        same = mine == new and mine in ("owner", "admin")
        assert answer.status == (succeeds(either) if same else 403)
        assert house.roles(team_id) == {"ada": "owner", "me": mine}

    @pytest.mark.parametrize("new", ROLES)
    def test_of_the_last_owner(self, house, ada, team_id, join, either, new):
        join("bob", "admin")
        answer = put(house.sign_in(either, ada), team_id, house.member_id(team_id, ada), new)
        assert answer.status == (succeeds(either) if new == "owner" else 409)
        assert house.roles(team_id) == {"ada": "owner", "bob": "admin"}
        if new != "owner":
            assert "A team needs an owner." in answer.text
            assert answer.code == (None if either.is_browser else "LAST_OWNER")

    def test_it_answers_the_member(self, house, ada, team_id, join, either):
        bob = join("bob")
        answer = put(house.sign_in(either, ada), team_id, house.member_id(team_id, bob), "admin")
        if either.is_browser:
            assert answer.location == f"/teams/{team_id}"
            return
        assert list(answer.data) == ["member"]
        member = answer.data["member"]
        assert set(member) == MEMBER
        assert set(member["permissions"]) == PERMISSIONS
        assert UUID.fullmatch(member["id"])
        assert (member["id"], member["role"]) == (str(house.member_id(team_id, bob)), "admin")
        assert member["permissions"]["canInvite"] is True
        assert member["permissions"]["canDelete"] is False
        assert either.get(f"/teams/{team_id}").data["team"]["members"][1] == member

    @pytest.mark.parametrize("role", ["boss", "Owner", "", None])
    def test_a_role_outside_the_table(self, house, ada, team_id, join, either, role):
        bob = join("bob")
        answer = put(house.sign_in(either, ada), team_id, house.member_id(team_id, bob), role)
        assert answer.status == refuses(either)
        assert either.is_browser or (answer.code, list(answer.fields)) == ("VALIDATION_ERROR", ["role"])

    @pytest.mark.parametrize("role", [1, True, None, ["admin"]])
    def test_a_role_that_is_no_text(self, house, ada, team_id, program, role):
        path = f"/api/teams/{team_id}/members/{house.member_id(team_id, ada)}"
        answer = house.sign_in(program, ada).client.put(path, json={"role": role})
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "VALIDATION_ERROR")

    @pytest.mark.parametrize("act", [lambda *where: put(*where, "viewer"), remove])
    def test_what_is_absent(self, house, ada, team_id, join, either, act):
        bob, eve = join("bob"), house.person("eve@example.com")
        other = house.team(eve)
        hers, his = house.member_id(other, eve), house.member_id(team_id, bob)
        house.sign_in(either, ada)
        for team, member in ((team_id, hers), (team_id, uuid4()), (other, hers), (other, his), (uuid4(), his)):
            answer = act(either, team, member)
            assert answer.status == 404
            assert answer.code == (None if either.is_browser else "NOT_FOUND")
        for team, member in ((team_id, "nonsense"), ("nonsense", his), (team_id, f"{his}0"), (team_id, "%00")):
            assert act(either, team, member).status == 404
        assert house.roles(other) == {"eve": "owner"}
        assert house.roles(team_id) == {"ada": "owner", "bob": "member"}

    @pytest.mark.parametrize("act", [lambda *where: put(*where, "viewer"), remove])
    def test_strangers_and_signed_out(self, house, team_id, join, either, act):
        member_id, eve = house.member_id(team_id, join("bob")), house.person("eve@example.com")
        answer = act(either, team_id, member_id)
        assert (answer.status, answer.location) == (303, "/auth/sign-in") if either.is_browser else answer.status == 401
        assert act(house.sign_in(either, eve), team_id, member_id).status == 404
        assert house.roles(team_id) == {"ada": "owner", "bob": "member"}


class TestRemove:
    @pytest.mark.parametrize(("mine", "theirs"), list(product(ROLES, ROLES)))
    def test_somebody_else(self, house, team_id, join, either, outbox, mine, theirs):
        me, them = join("me", mine), join("them", theirs)
        answer = remove(house.sign_in(either, me), team_id, house.member_id(team_id, them))
        allowed = theirs in MANAGED[mine]
        assert answer.status == (succeeds(either) if allowed else 403)
        mails = [mail.recipient for mail in outbox() if "Night Shoot" in mail.text]
        assert mails == (["them@example.com"] if allowed else [])
        assert ("them" in house.roles(team_id)) is not allowed
        if allowed and either.is_browser:
            assert answer.location == f"/teams/{team_id}"
        elif allowed:
            assert list(answer.data) == ["message"]

    def test_what_they_had_sent_is_withdrawn_for_good(self, house, ada, team_id, join, program):
        bob = join("bob", "admin")
        his, hers = house.invite(bob, team_id, "eve@example.com"), house.invite(ada, team_id, "dan@example.com")
        old = house.invite(bob, team_id, "zoe@example.com")
        house.change(old, expires_at=utc_now())
        tokens = [house.token(sent) for sent in (his, hers, old)]
        assert remove(house.sign_in(program, ada), team_id, house.member_id(team_id, bob)).status == 200
        expected = [(410, "INVITE_REVOKED"), (200, None), (410, "INVITE_EXPIRED")]
        for _ in range(2):
            program.client.delete_cookie("session")
            found = [program.get(f"/teams/invites/preview?token={token}") for token in tokens]
            assert [(answer.status, answer.code) for answer in found] == expected
            house.join(team_id, bob, "admin") if "bob" not in house.roles(team_id) else None
        assert [house.state(sent) for sent in (his, hers, old)] == ["revoked", "pending", "expired"]

    def test_no_old_link_brings_them_back(self, house, ada, team_id, program):
        bob = house.person("bob@example.com")
        used = house.invite(ada, team_id)
        house.sign_in(program, bob)
        assert program.post("/teams/invites/accept", json={"token": house.token(used)}).status == 200
        waiting = house.invite(ada, team_id, "robert@example.com")  # and then Bob changes his address to this one
        house.change(waiting, email="bob@example.com", email_key="bob@example.com")
        member_changes.remove_member(ada, team_id, house.member_id(team_id, bob))
        for sent, code in ((used, "INVITE_USED"), (waiting, "INVITE_REVOKED")):
            for path, body in (("accept", {"token": house.token(sent)}), (f"{sent.invitation.id}/accept", {})):
                answer = program.post(f"/teams/invites/{path}", json=body)
                assert (answer.status, answer.code) == (410, code)
        assert house.roles(team_id) == {"ada": "owner"}
        assert program.get("/teams/invites").data == {"invites": []}

    def test_they_may_be_invited_again(self, house, ada, team_id, join, program):
        bob = join("bob")
        member_changes.remove_member(ada, team_id, house.member_id(team_id, bob))
        sent = house.invite(ada, team_id)
        assert house.sign_in(program, bob).post(f"/teams/invites/{sent.invitation.id}/accept").status == 200
        assert house.roles(team_id) == {"ada": "owner", "bob": "member"}

    def test_the_members_of_other_teams_stay(self, house, ada, team_id, join, program):
        bob = join("bob", "admin")
        other = house.team(bob, "Other")
        sent = house.invite(bob, other, "eve@example.com")
        assert remove(house.sign_in(program, ada), team_id, house.member_id(team_id, bob)).status == 200
        assert house.roles(other) == {"bob": "owner"}
        assert house.state(sent) == "pending"


class TestDemotion:
    def test_only_what_is_beyond_the_new_rights_is_withdrawn(self, house, ada, team_id, join, program):
        bob = join("bob", "admin")
        sent = {role: house.invite(bob, team_id, f"{role}@example.com", role=role) for role in ROLES[1:]}
        his = house.member_id(team_id, bob)
        house.sign_in(program, ada)
        assert put(program, team_id, his, "member").status == 200
        assert [house.state(one) for one in sent.values()] == ["revoked", "pending", "pending"]
        assert put(program, team_id, his, "admin").status == 200
        assert [house.state(one) for one in sent.values()] == ["revoked", "pending", "pending"]
        found = program.get(f"/teams/invites/preview?token={house.token(sent['admin'])}")
        assert (found.status, found.code) == (410, "INVITE_REVOKED")
        assert [row["role"] for row in program.get(f"/teams/{team_id}/invites").data["invites"]] == ["viewer", "member"]
        house.person("member@example.com")
        program.client.delete_cookie("session")
        program.submit("/auth/sign-in", email="member@example.com", password="correct horse battery")
        assert program.post("/teams/invites/accept", json={"token": house.token(sent["member"])}).status == 200

    def test_an_owner_made_admin_keeps_their_invitations(self, house, ada, team_id, join, program):
        bob = join("bob", "owner")
        sent = house.invite(bob, team_id, "eve@example.com", role="admin")
        assert put(house.sign_in(program, ada), team_id, house.member_id(team_id, bob), "admin").status == 200
        assert house.state(sent) == "pending"

    def test_the_owner_of_a_team_is_who_owns_it_longest(self, house, ada, team_id, join, program):
        bob, path = join("bob"), f"/teams/{team_id}"
        house.sign_in(program, ada)
        assert put(program, team_id, house.member_id(team_id, bob), "owner").status == 200
        assert program.get(path).data["team"]["ownerId"] == str(ada.user_id)
        assert put(program, team_id, house.member_id(team_id, ada), "admin").status == 403
        house.sign_in(program, bob)
        assert put(program, team_id, house.member_id(team_id, ada), "admin").status == 200
        assert program.get(path).data["team"]["ownerId"] == str(bob.user_id)
