"""The list of members as CSV: who gets it, and that a spreadsheet obeys nothing in it."""

import csv
import io
from urllib.parse import unquote
from uuid import uuid4

import pytest
from werkzeug.http import parse_options_header

from blueprints.auth.models import User, UserSession
from blueprints.teams.services.export import file_name
from tests.blueprints.auth.support import change, only, statements


@pytest.fixture
def team_id(house, ada):
    return house.team(ada)


@pytest.fixture
def as_owner(house, ada, browser):
    return house.sign_in(browser, ada)


def export(client, team_id):
    return client.get(f"/teams/{team_id}/members.csv")


def rows(answer):
    """The rows under the header, as a spreadsheet reads them."""
    assert answer.status == 200
    text = answer.response.data.decode("utf-8-sig")
    assert text.count("\r\n") == text.count("\n") == text.count("\r")
    header, *found = csv.reader(io.StringIO(text, newline=""))
    assert header == ["Name", "Address", "Role", "Joined (UTC)", "Last active (UTC)"]
    return found


def file_of(answer):
    """The name under which the file is kept, and the one for programs that read ASCII alone."""
    kind, names = parse_options_header(answer.response.headers["Content-Disposition"])
    assert kind == "attachment"
    return names


def test_the_list_is_that_of_the_page(house, ada, team_id, as_owner):
    house.join(team_id, house.person("zoe@example.com", "Zoë 山田"), "viewer")
    house.join(team_id, house.person("bob@example.com"), "admin")
    answer = export(as_owner, team_id)
    seen = only(UserSession, UserSession.user_id == ada.user_id).last_seen_at
    today = f"{only(User, User.id == ada.user_id).created_at:%Y-%m-%d}"
    assert rows(answer) == [
        ["Ada", "ada@example.com", "owner", today, f"{seen:%Y-%m-%d %H:%M}"],
        ["", "bob@example.com", "admin", today, ""],
        ["Zoë 山田", "zoe@example.com", "viewer", today, ""],
    ]
    assert answer.response.data.startswith(b"\xef\xbb\xbf"), "Excel takes it for another code page otherwise"
    headers = answer.response.headers
    assert (headers["Content-Type"], headers["Cache-Control"]) == ("text/csv; charset=utf-8", "no-store")
    assert f'href="/teams/{team_id}/members.csv"' in as_owner.get(f"/teams/{team_id}").text


@pytest.mark.parametrize("role", ["owner", "admin", "member", "viewer"])
def test_who_sees_the_members_may_take_them_along(house, team_id, browser, role):
    house.sign_in(browser, house.join(team_id, house.person("bob@example.com", "Bob"), role))
    assert [row[0] for row in rows(export(browser, team_id))] == ["Ada", "Bob"]
    assert "Export as CSV" in browser.get(f"/teams/{team_id}").text


def test_a_foreign_an_absent_and_a_deleted_team_are_the_same(house, ada, team_id, browser):
    deleted = house.team(ada, "Gone")
    house.join(deleted, eve := house.person("eve@example.com"))
    house.delete_team(deleted)
    house.sign_in(browser, eve)
    answers = [export(browser, which) for which in (team_id, uuid4(), deleted, "nonsense")]
    assert {(answer.status, "Content-Disposition" in answer.response.headers) for answer in answers} == {(404, False)}
    assert len({answer.text.replace(answer.response.headers["X-Request-ID"], "") for answer in answers}) == 1


def test_signed_out_and_programs(team_id, browser, program):
    answer = export(browser, team_id)
    assert (answer.status, unquote(answer.location)) == (303, f"/auth/sign-in?next=/teams/{team_id}/members.csv")
    assert export(program, team_id).status == 404, "there is none under /api"


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_name_is_a_formula(team_id, as_owner, name):
    change(User, name=name)
    (row,) = rows(export(as_owner, team_id))
    assert row[0] == "'" + name.replace("\t", "\\t").replace("\r", "\\r")


@pytest.mark.parametrize("name", ["Lovelace, Ada", 'Ada "the first"', "Ada\nLovelace", "Ada\u202eecalevoL"])
def test_a_name_stays_one_cell(team_id, as_owner, name):
    change(User, name=name)
    (row,) = rows(export(as_owner, team_id))
    assert row[0] == name.replace("\n", "\\n").replace("\u202e", "\\u202e")
    assert row[1] == "ada@example.com"


def test_the_file_is_called_like_the_team(house, ada, as_owner):
    assert file_of(export(as_owner, house.team(ada))) == {"filename": "Members of Night Shoot.csv"}
    answer = export(as_owner, house.team(ada, "Zoë 夜戏"))
    assert answer.response.headers["Content-Disposition"].isascii()
    assert file_of(answer)["filename"] == "Members of Zoë 夜戏.csv"
    answer = export(as_owner, house.team(ada, 'A"; filename=x; \\..\\../b'))
    assert file_of(answer) == {"filename": "Members of A-; filename=x; -..-..-b.csv"}


@pytest.mark.parametrize(
    "team, name",
    [
        ("../../etc", "..-..-etc"),
        ("a:b*c?d<e>f|g%41", "a-b-c-d-e-f-g-41"),
        ("a／b＼c", "a-b-c"),
        ("gpj\u202e.exe", "gpj-.exe"),
        ("x" * 100, "x" * 60),
        ("CON", "CON"),
    ],
)
def test_no_disk_takes_offence(team, name):
    assert file_name(team) == f"Members of {name}.csv"


def test_fifty_members_take_as_many_queries_as_one(app, house, ada, team_id, as_owner):
    with statements(app) as alone:
        export(as_owner, team_id)
    few = len(alone)
    for number in range(10):
        house.join(team_id, house.person(f"p{number}@example.com"))
    with statements(app) as many:
        assert len(rows(export(as_owner, team_id))) == 11
    assert len(many) == few
