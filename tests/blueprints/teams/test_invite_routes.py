"""Invitations sent and listed, as a browser and as a program."""

from uuid import uuid4

import pytest

from app.database import db
from blueprints.teams.models import Invitation
from tests.blueprints.teams.support import INVITATION


class TestInvite:
    def test_invite(self, ada_client, house, ada):
        team_id = house.team(ada)
        path = f"/teams/{team_id}/invite"
        answer = ada_client.submit(path, email="bob@example.com", role="viewer", message="Join us")
        if ada_client.is_browser:
            assert (answer.status, answer.location) == (303, f"/teams/{team_id}")
            page = ada_client.get(f"/teams/{team_id}").text
            for part in ("An invitation is on its way to bob@example.com.", "Viewer", "Mail on its way"):
                assert part in page
        else:
            assert (answer.status, answer.location) == (201, f"/api/teams/{team_id}/invites")
            assert set(answer.data) == {"invitation", "emailSent", "emailStatus"}
            assert set(answer.data["invitation"]) == INVITATION
            assert (answer.data["emailSent"], answer.data["emailStatus"]) == (True, "queued")

    def test_the_same_again(self, ada_client, house, ada, outbox):
        team_id = house.team(ada)
        path = f"/teams/{team_id}/invite"
        first = ada_client.submit(path, email="bob@example.com")
        assert len(outbox()) == 1
        again = ada_client.submit(path, email="Bob@Example.com")
        assert len(outbox()) == 1
        if ada_client.is_browser:
            assert again.status == 303
            assert "has this invitation already" in ada_client.get(f"/teams/{team_id}").text
        else:
            assert (again.status, again.location) == (200, "")
            assert again.data["invitation"] == first.data["invitation"]
            assert (again.data["emailSent"], again.data["emailStatus"]) == (True, "sent")

    @pytest.mark.parametrize(
        ("values", "code"),
        [
            ({"email": "bob@example.com", "role": "admin"}, "ALREADY_EXISTS"),
            ({"email": "ada@example.com"}, "ALREADY_MEMBER"),
            ({"email": "eve@example.com"}, "ALREADY_MEMBER"),
        ],
    )
    def test_conflicts(self, ada_client, house, ada, values, code):
        team_id = house.team(ada)
        house.join(team_id, house.person("eve@example.com"))
        house.invite(ada, team_id, "bob@example.com", role="viewer")
        answer = ada_client.submit(f"/teams/{team_id}/invite", **values)
        assert answer.status == 409
        assert ada_client.is_browser or answer.code == code
        if ada_client.is_browser:
            assert f'value="{values["email"]}"' in answer.text

    @pytest.mark.parametrize("values", [{}, {"email": "nobody"}, {"email": "bob@example.com", "role": "owner"}])
    def test_bad_invitations(self, ada_client, house, ada, values):
        answer = ada_client.submit(f"/teams/{house.team(ada)}/invite", **values)
        assert answer.status == (422 if ada_client.is_browser else 400)
        assert ada_client.is_browser or set(answer.fields) == ({"role"} if "role" in values else {"email"})

    def test_a_cap_is_shown(self, ada_client, house, ada):
        for number in range(3):
            house.invite(ada, house.team(ada, f"Team {number}"))
        answer = ada_client.submit(f"/teams/{house.team(ada)}/invite", email="bob@example.com")
        assert answer.status == 429
        assert int(answer.response.headers["Retry-After"]) > 0

    def test_a_program_may_name_the_team_in_the_body(self, as_ada, house, ada):
        team_id = house.team(ada)
        answer = as_ada.submit("/teams/invite", teamId=str(team_id), email="bob@example.com")
        assert (answer.status, answer.data["invitation"]["role"]) == (201, "member")
        assert as_ada.submit("/teams/invite", teamId="nonsense", email="bob@example.com").fields.keys() == {"teamId"}
        assert as_ada.submit("/teams/invite", teamId=str(uuid4()), email="bob@example.com").status == 404

    def test_lists_never_show_a_token(self, as_ada, house, ada):
        team_id = house.team(ada)
        sent = house.invite(ada, team_id, "bob@example.com")
        answer = as_ada.get(f"/teams/{team_id}/invites")
        assert [set(invite) for invite in answer.data["invites"]] == [INVITATION]
        row = db.session.get_one(Invitation, sent.invitation.id)
        for secret in (house.token(sent), row.nonce, row.token_hash):
            assert secret not in answer.text

    def test_invites_of_a_team_are_for_admins(self, house, ada, program):
        team_id = house.team(ada)
        house.join(team_id, house.person("bob@example.com"), "member")
        house.sign_in(program, "bob@example.com")
        assert program.get(f"/teams/{team_id}/invites").status == 403

    def test_my_invites(self, house, ada, either):
        house.invite(ada, house.team(ada), message="Join us")
        house.person("bob@example.com")
        house.sign_in(either, "bob@example.com")
        answer = either.get("/teams/invites")
        if either.is_browser:
            for part in ("Night Shoot", "Ada", "Join us"):
                assert part in answer.text
        else:
            assert [set(invite) for invite in answer.data["invites"]] == [INVITATION]
