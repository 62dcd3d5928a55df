"""A team deleted: by an owner who proved the password, for everyone, with all that leads to it."""

import pytest

from blueprints.auth.models import UserSession
from blueprints.teams.models import Invitation, OwnershipOffer, Team, TeamMember
from blueprints.teams.services import teams
from tests.blueprints.auth.support import count, let_pass, only, succeeds
from tests.clients import Browser, Program
from tests.people import PASSWORD


@pytest.fixture
def team_id(house, ada):
    return house.team(ada)


def remove(client, team_id):
    return client.submit(f"/teams/{team_id}", verb="DELETE")


def test_an_owner_deletes(house, ada, team_id, either):
    answer = remove(house.sign_in(either, ada), team_id)
    assert answer.status == succeeds(either)
    if either.is_browser:
        assert answer.location == "/teams"
        assert "Night Shoot" not in either.get("/teams").text.replace("The team is deleted.", "")
    else:
        assert list(answer.data) == ["message"]
        assert either.get("/teams").data == {"teams": []}
    assert only(Team).deleted_at is not None
    assert remove(either, team_id).status == 404


@pytest.mark.parametrize("role", ["admin", "member", "viewer"])
def test_nobody_else_does(house, team_id, either, role):
    bob = house.join(team_id, house.person("bob@example.com"), role)
    answer = remove(house.sign_in(either, bob), team_id)
    assert answer.status == 403
    assert either.is_browser or answer.code == "FORBIDDEN"
    assert only(Team).deleted_at is None


def test_strangers_and_the_signed_out(house, team_id, either):
    answer = remove(either, team_id)
    assert (answer.status, answer.location) == (303, "/auth/sign-in") if either.is_browser else answer.status == 401
    house.sign_in(either, house.person("eve@example.com"))
    assert either.submit(f"/teams/{team_id}", verb="DELETE", _page="/teams/new").status == 404
    assert only(Team).deleted_at is None


def test_a_stale_session_proves_the_password_first(house, ada, team_id, either):
    house.sign_in(either, ada)
    let_pass(UserSession, minutes=10)
    path = f"/teams/{team_id}/delete"
    answer = either.submit(f"/teams/{team_id}", verb="DELETE", _page="/teams/new")
    if either.is_browser:
        expected = (303, f"/auth/reauthenticate?next={path.replace('/', '%2F')}")
        shown = either.get(path)
        assert (answer.status, answer.location) == (shown.status, shown.location) == expected
    else:
        assert (answer.status, answer.code) == (403, "REAUTHENTICATION_REQUIRED")
    assert only(Team).deleted_at is None
    again = either.submit("/auth/reauthenticate", password=PASSWORD, next=path)
    assert again.location == (path if either.is_browser else "")
    assert remove(either, team_id).status == succeeds(either)


def test_a_token_is_not_enough(app, house, ada, team_id, program):
    value = house.sign_in(program, ada).submit("/auth/tokens", name="CI").data["value"]
    answer = remove(Program(app, value), team_id)
    assert (answer.status, answer.code) == (403, "FORBIDDEN")
    assert Program(app, value).submit(f"/teams/{team_id}", verb="PUT", name="By token").status == 200
    assert only(Team).deleted_at is None


@pytest.mark.parametrize("role", ["owner", "admin", "member", "viewer", None])
def test_it_is_gone_for_everyone(house, ada, team_id, either, role):
    bob = house.person("bob@example.com")
    if role:
        house.join(team_id, bob, role)
    house.join(team_id, house.person("zoe@example.com"), "owner")
    member_id = house.member_id(team_id, ada)
    sent = house.invite(ada, team_id, "dan@example.com")
    teams.delete_team(ada, team_id)
    house.sign_in(either, bob)
    path, invitation = f"/teams/{team_id}", f"/teams/invites/{sent.invitation.id}"
    for asked in ("", "/edit", "/delete", "/leave", "/ownership", "/invite"):
        if either.is_browser or not asked:
            assert either.get(path + asked).status == 404
    if either.is_browser:
        assert either.get(invitation).status == 404
    else:
        assert [either.get(path + asked).status for asked in ("/members", "/roles", "/invites")] == [404] * 3
    attempts = [
        ("PUT", path, {"name": "Back"}),
        ("DELETE", path, {}),
        ("POST", f"{path}/leave", {}),
        ("POST", f"{path}/invite", {"email": "eve@example.com"}),
        ("POST", f"{path}/ownership", {"memberId": str(member_id)}),
        ("POST", f"{path}/ownership/accept", {}),
        ("PUT", f"{path}/members/{member_id}", {"role": "viewer"}),
        ("DELETE", f"{path}/members/{member_id}", {}),
        ("POST", f"{invitation}/resend", {}),
        ("DELETE", invitation, {}),
    ]
    for verb, where, values in attempts:
        answer = either.submit(where, verb=verb, _page="/teams/new", **values)
        assert (verb, where, answer.status) == (verb, where, 404)
        assert either.is_browser or answer.code == "NOT_FOUND"


@pytest.mark.parametrize("answered", ["pending", "accepted", "expired"])
def test_its_mailed_links_say_so(app, house, ada, team_id, either, answered):
    bob = house.person("bob@example.com")
    sent = house.invite(ada, team_id)
    path = f"/team/invite/{house.token(sent)}"
    if answered == "accepted":
        client = house.sign_in(Program(app), bob)
        assert client.post(f"/teams/invites/{sent.invitation.id}/accept").status == 200
    if answered == "expired":
        house.change(sent, expires_at=only(Team).created_at)
    teams.delete_team(ada, team_id)
    sentence = "The team that this invitation was for does not exist any more."
    for who in (None, bob):
        if who is not None:
            house.sign_in(either, who)
        if either.is_browser:
            found = [either.get(path), either.submit(f"{path}/accept", _page="/auth/sign-in", password=PASSWORD)]
            button = "See your teams" if who else "Sign in to see your teams"
            assert all(button in answer.text for answer in found)
        else:
            token = {"token": house.token(sent)}
            found = [either.get(f"/teams/invites/preview?token={token['token']}")]
            found += [either.post(f"/teams/invites/{verb}", json=token) for verb in ("accept", "reject")]
            assert {answer.code for answer in found} == {"NOT_FOUND"}
        assert {answer.status for answer in found} == {404}
        assert all(sentence in answer.text for answer in found)
    by_id = either.submit(f"/teams/invites/{sent.invitation.id}/accept", _page="/teams/invites")
    assert by_id.status == 404
    assert "Night Shoot" not in either.get("/teams/invites").text


def test_the_rows_stay_and_a_mail_in_the_queue_is_not_sent(house, ada, team_id, outbox):
    house.invite(ada, team_id)
    bob = house.join(team_id, house.person("eve@example.com"))
    house.offer(ada, team_id, bob)
    teams.delete_team(ada, team_id)
    assert [mail for mail in outbox() if "Night Shoot" in mail.text] == []
    assert (count(Team), count(TeamMember), count(Invitation), count(OwnershipOffer)) == (1, 2, 1, 0)


def test_its_last_owner_may_leave_the_service(app, house, ada, team_id):
    browser = house.sign_in(Browser(app), ada)
    teams.delete_team(ada, team_id)
    assert browser.submit("/auth/account", verb="DELETE", password=PASSWORD).status == 303
