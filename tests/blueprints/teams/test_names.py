"""Names that a mail program would make a link of: refused for a team, and for who joins with a new account."""

import pytest
from sqlalchemy import select

from app.database import db
from blueprints.auth.models import User
from blueprints.teams.models import Team
from tests.blueprints.auth.support import change, only, refuses, succeeds
from tests.people import PASSWORD

LINK = "See evil.com"
SENTENCE = "A name cannot hold a web address."


def is_refused(client, answer):
    """Whether it was refused for the name, and for nothing else."""
    assert answer.status == refuses(client)
    assert SENTENCE in answer.text
    return client.is_browser or list(answer.fields) == ["name"]


def test_a_new_team(ada_client):
    assert is_refused(ada_client, ada_client.submit("/teams", _page="/teams/new", name=LINK))
    assert db.session.scalars(select(Team)).all() == []


def test_another_name_for_a_team(house, ada, ada_client):
    team_id = house.team(ada)
    assert is_refused(ada_client, ada_client.submit(f"/teams/{team_id}", verb="PUT", name=LINK))
    assert only(Team).name == "Night Shoot"


def test_a_description_and_a_message_are_text(house, ada, ada_client):
    team_id = house.team(ada)
    edited = ada_client.submit(f"/teams/{team_id}", verb="PUT", name="Night Shoot", description="https://example.com")
    assert edited.status == succeeds(ada_client)
    path = f"/teams/{team_id}/invite"
    assert ada_client.submit(path, email="bob@example.com", message="See example.com").status == succeeds(
        ada_client, 201
    )


def test_a_team_that_has_such_a_name_already(house, ada, as_ada):
    team_id = house.team(ada)
    change(Team, name=LINK)
    assert as_ada.submit(f"/teams/{team_id}", verb="PUT", description="New").status == 200
    assert only(Team).name == LINK


def test_who_joins_with_a_new_account(house, ada, either):
    token = house.token(house.invite(ada, house.team(ada)))
    path, more = (
        (f"/team/invite/{token}/accept", {}) if either.is_browser else ("/teams/invites/accept", {"token": token})
    )
    assert is_refused(either, either.submit(path, password=PASSWORD, name=LINK, **more))
    assert db.session.scalar(select(User.id).where(User.email == "bob@example.com")) is None
    assert either.submit(path, password=PASSWORD, name="Bob B.", **more).status == succeeds(either)


@pytest.mark.parametrize("name", ["No.5 Films", "St.Pauli"])
def test_a_full_stop_is_no_link(ada_client, name):
    assert ada_client.submit("/teams", _page="/teams/new", name=name).status == succeeds(ada_client, 201)
