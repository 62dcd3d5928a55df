"""Leaving a team, by the button and by removing oneself; the last owner stays."""

import pytest

from app.database import utc_now
from blueprints.teams.services import ownership
from blueprints.teams.services.teams import delete_team
from tests.blueprints.auth.support import succeeds


def leave(house, client, team_id, who, way):
    """Leave by the button, or by DELETE on oneself."""
    if way == "leave":
        return client.submit(f"/teams/{team_id}/leave")
    member_id = house.member_id(team_id, who)
    return client.submit(f"/teams/{team_id}/members/{member_id}", verb="DELETE", _page="/teams/new")


@pytest.mark.parametrize("way", ["leave", "remove"])
@pytest.mark.parametrize("role", ["owner", "admin", "member", "viewer"])
def test_anyone_may_leave(house, ada, either, outbox, role, way):
    team_id = house.team(ada)
    bob = house.join(team_id, house.person("bob@example.com"), role)
    answer = leave(house, house.sign_in(either, bob), team_id, bob, way)
    assert answer.status == succeeds(either)
    if either.is_browser:
        assert answer.location == "/teams"
        assert "You have left the team." in either.get("/teams").text
    else:
        assert list(answer.data) == ["message"]
    assert house.roles(team_id) == {"ada": "owner"}
    assert either.get(f"/teams/{team_id}").status == 404
    assert [mail for mail in outbox() if "Night Shoot" in mail.text] == []


@pytest.mark.parametrize("way", ["leave", "remove"])
def test_the_last_owner_stays(house, ada, either, way):
    team_id = house.team(ada)
    house.join(team_id, house.person("bob@example.com"), "admin")
    answer = leave(house, house.sign_in(either, ada), team_id, ada, way)
    assert answer.status == 409
    assert "A team needs an owner. Make somebody else an owner first, or delete the team." in answer.text
    assert either.is_browser or answer.code == "LAST_OWNER"
    assert house.roles(team_id) == {"ada": "owner", "bob": "admin"}


@pytest.mark.parametrize("way", ["leave", "remove"])
def test_an_owner_leaves_when_there_is_another(house, ada, program, way):
    team_id = house.team(ada)
    bob = house.join(team_id, house.person("bob@example.com"), "owner")
    assert leave(house, house.sign_in(program, ada), team_id, ada, way).status == 200
    assert house.roles(team_id) == {"bob": "owner"}
    assert leave(house, house.sign_in(program, bob), team_id, bob, way).code == "LAST_OWNER"


@pytest.mark.parametrize("way", ["leave", "remove"])
def test_what_they_had_sent_is_withdrawn_for_good(house, ada, program, way):
    team_id = house.team(ada)
    bob = house.join(team_id, house.person("bob@example.com"), "admin")
    his, hers = house.invite(bob, team_id, "eve@example.com"), house.invite(ada, team_id, "dan@example.com")
    assert leave(house, house.sign_in(program, bob), team_id, bob, way).status == 200
    house.join(team_id, bob, "owner")
    assert [house.state(sent) for sent in (his, hers)] == ["revoked", "pending"]
    found = program.get(f"/teams/invites/preview?token={house.token(his)}")
    assert (found.status, found.code) == (410, "INVITE_REVOKED")


def test_a_link_that_was_used_does_not_bring_back(house, ada, program):
    team_id, bob = house.team(ada), house.person("bob@example.com")
    sent = house.invite(ada, team_id)
    house.sign_in(program, bob)
    assert program.post(f"/teams/invites/{sent.invitation.id}/accept").status == 200
    assert program.post(f"/teams/{team_id}/leave").status == 200
    for path, body in ((f"{sent.invitation.id}/accept", {}), ("accept", {"token": house.token(sent)})):
        answer = program.post(f"/teams/invites/{path}", json=body)
        assert (answer.status, answer.code) == (410, "INVITE_USED")
    assert house.roles(team_id) == {"ada": "owner"}


@pytest.mark.parametrize("who", ["offered", "offerer"])
def test_an_offer_of_ownership_ends(house, ada, program, who):
    team_id = house.team(ada)
    bob = house.join(team_id, house.person("bob@example.com"))
    house.join(team_id, house.person("eve@example.com"), "owner")
    house.offer(ada, team_id, bob)
    assert ownership.find_my_offer(bob, team_id).expires_at > utc_now()
    leaver = bob if who == "offered" else ada
    assert house.sign_in(program, leaver).post(f"/teams/{team_id}/leave").status == 200
    house.join(team_id, leaver, "member" if who == "offered" else "owner")
    assert ownership.find_my_offer(bob, team_id) is None


def test_where_one_is_not(house, ada, either):
    team_id, gone = house.team(ada), house.team(ada, "Gone")
    delete_team(ada, gone)
    answer = either.submit(f"/teams/{team_id}/leave")
    assert (answer.status, answer.location) == (303, "/auth/sign-in") if either.is_browser else answer.status == 401
    house.sign_in(either, house.person("eve@example.com"))
    for path in (f"/teams/{team_id}/leave", f"/teams/{gone}/leave", "/teams/nonsense/leave"):
        assert either.submit(path, _page="/teams/new").status == 404
    assert house.roles(team_id) == {"ada": "owner"}
