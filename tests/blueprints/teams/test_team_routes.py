"""Teams made, listed and shown, as a browser and as a program."""

from urllib.parse import unquote
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.database import db
from blueprints.teams.models import Team
from tests.blueprints.teams.support import MEMBER, TEAM


class TestTeams:
    def test_create_and_list(self, ada_client):
        answer = ada_client.submit("/teams", _page="/teams/new", name=" Night Shoot ", description="At\r\nnight")
        team = db.session.scalars(select(Team)).one()
        assert (team.name, team.description) == ("Night Shoot", "At\nnight")
        if ada_client.is_browser:
            assert (answer.status, answer.location) == (303, f"/teams/{team.id}")
            page = ada_client.get("/teams")
            assert "Night Shoot" in page.text
            assert "1 member ·" in page.text
        else:
            assert (answer.status, answer.location) == (201, f"/api/teams/{team.id}")
            assert set(answer.data["team"]) == TEAM
            assert ada_client.get("/teams").data == {"teams": [answer.data["team"]]}

    @pytest.mark.parametrize(
        "values", [{}, {"name": "  "}, {"name": "x" * 101}, {"name": "x", "description": "x" * 2001}]
    )
    def test_bad_teams(self, ada_client, values):
        answer = ada_client.submit("/teams", _page="/teams/new", **values)
        assert answer.status == (422 if ada_client.is_browser else 400)
        assert db.session.scalars(select(Team)).all() == []

    def test_the_form_keeps_what_was_typed(self, house, ada, browser):
        house.sign_in(browser, "ada@example.com")
        assert browser.get("/teams/new?name=Kept").text.count('value="Kept"') == 1
        answer = browser.submit("/teams", _page="/teams/new", name="x" * 101, description="Kept")
        assert answer.status == 422
        assert "Kept" in answer.text

    def test_one_team(self, ada_client, house, ada):
        team_id = house.team(ada)
        house.join(team_id, house.person("bob@example.com", "Bob"), "viewer")
        answer = ada_client.get(f"/teams/{team_id}")
        assert answer.status == 200
        if ada_client.is_browser:
            for part in ("Night Shoot", "Bob", "ada@example.com", "Send invitation"):
                assert part in answer.text
            choices = answer.text.partition('id="invite_to_team-role"')[2].partition("</select>")[0]
            assert 'value="admin"' in choices
            assert 'value="owner"' not in choices
        else:
            assert set(answer.data["team"]) == {*TEAM, "members"}
            members = answer.data["team"]["members"]
            assert [set(member) for member in members] == [MEMBER, MEMBER]
            assert members[0]["lastActive"] is not None
            allowed = {"canEdit": False, "canInvite": False, "canDelete": False, "canManageRoles": False}
            assert members[1]["permissions"] == allowed
            assert ada_client.get(f"/teams/{team_id}/members").data == {"members": members}

    def test_roles(self, as_ada, house, ada):
        roles = as_ada.get(f"/teams/{house.team(ada)}/roles").data["roles"]
        assert [role["id"] for role in roles] == ["owner", "admin", "member", "viewer"]
        assert {key for role in roles for key in role} == {"id", "name", "permissions", "memberCount", "isDefault"}

    def test_others_see_nothing(self, house, ada, either):
        team_id = house.team(ada)
        house.person("eve@example.com")
        house.sign_in(either, "eve@example.com")
        bodies = set()
        for path in (f"/teams/{team_id}", f"/teams/{uuid4()}", "/teams/nonsense"):
            answer = either.get(path)
            assert answer.status == 404
            bodies.add(answer.code)
        assert len(bodies) == 1
        invite = either.submit(f"/teams/{team_id}/invite", _page="/teams/new", email="bob@example.com")
        assert invite.status == 404

    def test_a_viewer_sees_the_page_without_the_form(self, house, ada, browser):
        team_id = house.team(ada)
        house.join(team_id, house.person("bob@example.com"), "viewer")
        house.sign_in(browser, "bob@example.com")
        assert "Send invitation" not in browser.get(f"/teams/{team_id}").text
        refused = browser.submit(f"/teams/{team_id}/invite", _page="/teams/new", email="eve@example.com")
        assert refused.status == 403
        assert "You are not allowed to do this." in refused.text

    @pytest.mark.parametrize("path", ["/teams", "/teams/new", "/teams/invites", "/team/members"])
    def test_signed_out_pages_lead_to_sign_in(self, browser, path):
        answer = browser.get(path)
        assert (answer.status, unquote(answer.location)) == (303, f"/auth/sign-in?next={path}")

    def test_signed_out_programs_are_told(self, program):
        for path in ("/teams", f"/teams/{uuid4()}", "/teams/invites"):
            assert program.get(path).status == 401

    def test_the_form_alone_is_no_path_of_the_api(self, as_ada):
        assert as_ada.get("/teams/new").status == 404

    def test_teams_are_home_and_in_the_navigation(self, house, ada, browser):
        house.sign_in(browser, "ada@example.com")
        assert browser.get("/").location == "/teams"
        assert 'href="/teams"' in browser.get("/auth/account").text

    def test_members_leads_to_the_one_team_or_the_list(self, house, ada, browser):
        house.sign_in(browser, "ada@example.com")
        assert browser.get("/team/members").location == "/teams"
        team_id = house.team(ada)
        assert browser.get("/team/members").location == f"/teams/{team_id}"
        house.team(ada, "Another")
        assert browser.get("/team/members").location == "/teams"
