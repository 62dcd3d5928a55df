"""A team edited: who may, what absent and null mean; and how many queries its pages take."""

from typing import Any
from uuid import uuid4

import pytest

from app.database import db, transaction
from blueprints.teams.models import Team, TeamMember
from blueprints.teams.services.teams import delete_team
from tests.blueprints.auth.support import change, count, only, refuses, statements, succeeds


@pytest.fixture
def team_id(house, ada):
    made = house.team(ada)
    change(Team, description="At night")
    return made


def put(client, team_id, **values):
    return client.submit(f"/teams/{team_id}", verb="PUT", **values)


def raw_put(program, team_id, body: dict[str, Any]):
    return program._call("PUT", f"/teams/{team_id}", json=body)


def texts() -> tuple[str, str | None]:
    team = only(Team)
    return team.name, team.description


@pytest.mark.parametrize("role", ["owner", "admin"])
def test_owners_and_admins_edit(house, ada, team_id, either, role):
    bob = house.join(team_id, house.person("bob@example.com"), role)
    before = only(Team).updated_at
    answer = put(house.sign_in(either, bob), team_id, name=" Day Shoot ", description="By\r\nday")
    assert answer.status == succeeds(either)
    assert texts() == ("Day Shoot", "By\nday")
    assert only(Team).updated_at > before
    if either.is_browser:
        assert answer.location == f"/teams/{team_id}"
        assert 'value="Day Shoot"' in either.get(f"/teams/{team_id}/edit").text
    else:
        assert answer.data == either.get(f"/teams/{team_id}").data
        assert {"name", "members"} <= set(answer.data["team"])


@pytest.mark.parametrize("role", ["member", "viewer"])
def test_members_and_viewers_do_not(house, team_id, either, role):
    bob = house.join(team_id, house.person("bob@example.com"), role)
    answer = put(house.sign_in(either, bob), team_id, name="Mine")
    assert answer.status == 403
    assert either.is_browser or answer.code == "FORBIDDEN"
    assert texts() == ("Night Shoot", "At night")


def test_where_one_is_not(house, ada, team_id, either):
    gone = house.team(ada, "Gone")
    delete_team(ada, gone)
    assert put(either, team_id, name="x").status == (303 if either.is_browser else 401)
    house.sign_in(either, house.person("eve@example.com"))
    for where in (team_id, gone, uuid4(), "nonsense"):
        answer = either.submit(f"/teams/{where}", verb="PUT", _page="/teams/new", name="Mine")
        assert answer.status == 404
    assert count(Team, Team.name == "Mine") == 0


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, ("Night Shoot", "At night")),
        ({"name": "Day"}, ("Day", "At night")),
        ({"description": None}, ("Night Shoot", None)),
        ({"description": "New"}, ("Night Shoot", "New")),
        ({"name": "Day", "description": None, "ownerId": str(uuid4()), "id": 5}, ("Day", None)),
    ],
)
def test_absent_is_unchanged_and_null_clears(house, ada, team_id, program, body, expected):
    answer = raw_put(house.sign_in(program, ada), team_id, body)
    assert answer.status == 200
    assert texts() == expected
    assert (answer.data["team"]["name"], answer.data["team"]["description"]) == expected


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": None}, "name"),
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": 5}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a\u0000b"}, "name"),
        ({"description": "x" * 2001}, "description"),
        ({"description": ""}, "description"),
        ({"description": "a\u0000b"}, "description"),
    ],
)
def test_what_is_refused(house, ada, team_id, program, body, field):
    answer = raw_put(house.sign_in(program, ada), team_id, body)
    assert (answer.status, answer.code, list(answer.fields)) == (400, "VALIDATION_ERROR", [field])
    assert texts() == ("Night Shoot", "At night")


class TestForm:
    def test_an_emptied_description_clears(self, house, ada, team_id, browser):
        answer = put(house.sign_in(browser, ada), team_id, name="Night Shoot", description=" ")
        assert answer.status == 303
        assert texts() == ("Night Shoot", None)

    def test_what_was_typed_is_kept(self, house, ada, team_id, browser):
        answer = put(house.sign_in(browser, ada), team_id, name="x" * 101, description="Typed anew")
        assert answer.status == 422
        assert "Typed anew" in answer.text
        assert texts() == ("Night Shoot", "At night")

    @pytest.mark.parametrize("name", ["", "  "])
    def test_an_emptied_name_is_refused(self, house, ada, team_id, browser, name):
        answer = put(house.sign_in(browser, ada), team_id, name=name, description="Typed anew")
        assert answer.status == refuses(browser)
        assert "This field is required." in answer.text
        assert texts() == ("Night Shoot", "At night")


def test_the_name_has_no_default_in_the_description(program):
    schemas = program.get("/openapi.json").response.get_json()["components"]["schemas"]
    assert "default" not in schemas["EditTeam"]["properties"]["name"]
    assert "required" not in schemas["EditTeam"]


def test_as_many_queries_for_a_hundred_teams_of_fifty(app, house, ada, either):
    """The list and the page of a team do not ask more often when there is more."""
    team_id = house.team(ada)
    paths = ["/teams", f"/teams/{team_id}"]
    house.invite(ada, team_id, "first@example.com")
    house.sign_in(either, ada)

    def asked() -> list[int]:
        counts = []
        for path in paths:
            with statements(app) as found:
                assert either.get(path).status == 200
            counts.append(len(found))
        return counts

    asked()
    before = asked()
    people = [ada, *(house.person(f"p{number}@example.com", f"P{number}") for number in range(49))]
    more = [house.team(ada, f"Team {number}") for number in range(99)]
    with transaction() as session:
        for joined in [team_id, *more]:
            session.add_all(TeamMember(team_id=joined, user_id=who.user_id, role="admin") for who in people[1:])
    for number in range(5):
        house.invite(people[number + 1], team_id, f"more{number}@example.com")
    db.session.rollback()
    assert count(TeamMember) == 5000
    assert asked() == before
