"""What no form sends: a field error, or the 404 of an absent team; never a 500, and nothing changes."""

from uuid import uuid4

import pytest

from tests.blueprints.auth.support import dump

HUGE, LONG = 10**400, "x" * 10_000
VALUES = {
    "huge number": HUGE,
    "negative": -1,
    "fraction": 1e308,
    "true": True,
    "list": ["x"],
    "object": {"x": "y"},
    "NUL": "a\x00b",
    "half a character": "\ud800",
    "long": LONG,
}
FIELDS = [
    ("POST", "/teams", "name", {}),
    ("POST", "/teams", "description", {"name": "Night Shoot"}),
    ("PUT", "{team}", "name", {}),
    ("PUT", "{team}", "description", {}),
    ("POST", "{team}/invite", "email", {}),
    ("POST", "{team}/invite", "role", {"email": "bob@example.com"}),
    ("POST", "{team}/invite", "message", {"email": "bob@example.com"}),
    ("POST", "/teams/invite", "teamId", {"email": "bob@example.com"}),
    ("PUT", "{team}/members/{member}", "role", {}),
    ("POST", "{team}/ownership", "memberId", {}),
    ("POST", "/teams/invites/accept", "token", {}),
    ("POST", "/teams/invites/reject", "token", {}),
]
WAYS = [
    ("GET", "{team}"),
    ("PUT", "{team}"),
    ("DELETE", "{team}"),
    ("GET", "{team}/members"),
    ("GET", "{team}/roles"),
    ("GET", "{team}/invites"),
    ("POST", "{team}/invite"),
    ("POST", "{team}/leave"),
    ("POST", "{team}/ownership"),
    ("POST", "{team}/ownership/accept"),
    ("PUT", "{team}/members/{member}"),
    ("DELETE", "{team}/members/{member}"),
    ("DELETE", "/teams/invites/{invite}"),
    ("POST", "/teams/invites/{invite}/accept"),
    ("POST", "/teams/invites/{invite}/reject"),
    ("POST", "/teams/invites/{invite}/resend"),
]
GOOD = {"name": "Mine", "email": "mine@example.com", "role": "member"}


@pytest.fixture
def mine(house, ada, app):
    """Ada's team of two with one invitation, as what stands in paths."""
    team_id = house.team(ada)
    eve = house.join(team_id, house.person("eve@example.com"))
    sent = house.invite(ada, team_id, "carl@example.com")
    return {"team": f"/teams/{team_id}", "member": house.member_id(team_id, eve), "invite": sent.invitation.id}


def as_it_was(app):
    """The whole database but for the tries that were counted and when somebody was last seen."""
    return dump(app, "limit_hits", "sessions")


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize(
    ("verb", "path", "field", "more"), FIELDS, ids=lambda part: part if isinstance(part, str) else ""
)
def test_a_strange_value_is_an_error_of_its_field(app, mine, as_ada, verb, path, field, more, value):
    before = as_it_was(app)
    answer = as_ada.submit(path.format(**mine), verb, **more, **{field: value})
    assert answer.status in (400, 404)
    # A token is looked up before its text is judged; half a character makes no JSON.
    unreadable = "BAD_REQUEST" if value in (HUGE, "\ud800") else "INVALID_TOKEN"
    assert answer.status == 404 or field in answer.fields or answer.code == unreadable
    assert as_it_was(app) == before


@pytest.mark.parametrize(("verb", "path"), WAYS)
def test_foreign_is_as_absent(app, mine, house, program, verb, path):
    absent = {"team": f"/teams/{uuid4()}", "member": uuid4(), "invite": uuid4()}
    house.sign_in(program, house.person("stranger@example.com"))
    values = GOOD | {"memberId": str(mine["member"])} if verb in ("PUT", "POST") else {}
    before = as_it_was(app)
    answers = [program.submit(path.format(**ids), verb, **values) for ids in (mine, absent)]
    assert [(answer.status, answer.code) for answer in answers] == [(404, "NOT_FOUND")] * 2
    assert answers[0].response.json["error"] == answers[1].response.json["error"]
    assert as_it_was(app) == before


@pytest.mark.parametrize("team", ["1", "-1", str(10**40), "x", "%00", "0" * 32, "00000000-0000-0000-0000-00000000000g"])
def test_an_id_that_is_none_is_an_absent_team(house, ada, as_ada, team):
    assert as_ada.get(f"/teams/{team}").status == 404
