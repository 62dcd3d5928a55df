"""Who sees an open offer of ownership: the offered on the team's page, who made it in the settings, nobody else."""

import html
from datetime import timedelta

import pytest

from app.database import utc_now
from blueprints.auth.models import User
from blueprints.teams.models import OwnershipOffer
from tests.blueprints.auth.support import change, only
from tests.clients import Browser


@pytest.fixture
def team_id(house, ada):
    return house.team(ada)


@pytest.fixture
def bob(house, team_id):
    """A member of Ada's team, to whom it is offered later."""
    return house.join(team_id, house.person("bob@example.com", "Bob"))


@pytest.fixture
def sees(app, house, team_id):
    """The words of the team's page, or of its settings, for somebody."""

    def sees(who, page=""):
        answer = house.sign_in(Browser(app), who).get(f"/teams/{team_id}{page}")
        assert answer.status == 200
        return " ".join(html.unescape(answer.text).split())

    return sees


def test_the_offered_is_told_who_offers(house, ada, team_id, bob, sees):
    assert "offers you this team" not in sees(bob)
    house.offer(ada, team_id, bob)
    assert "Ada offers you this team" in sees(bob)
    change(User, User.email == "ada@example.com", name=None)
    assert "ada@example.com offers you this team" in sees(bob)


def test_who_offers_sees_to_whom_and_since_when(house, ada, team_id, bob, sees):
    assert "You have offered" not in sees(ada, "/settings")
    house.offer(ada, team_id, bob)
    change(OwnershipOffer, created_at=utc_now() - timedelta(days=2))
    made = only(OwnershipOffer).created_at
    page = sees(ada, "/settings")
    assert "You have offered your place to Bob" in page
    assert f'datetime="{made:%Y-%m-%dT%H:%M:%SZ}"' in page
    change(User, User.email == "bob@example.com", name=None)
    assert "You have offered your place to bob@example.com" in sees(ada, "/settings")


def test_nobody_else_sees_it(house, ada, team_id, bob, sees):
    house.offer(ada, team_id, bob)
    zoe = house.join(team_id, house.person("zoe@example.com", "Zoe"), "owner")
    for who, page in ((ada, ""), (zoe, ""), (zoe, "/settings"), (bob, "/settings")):
        assert "offers you this team" not in sees(who, page)
        assert "You have offered" not in sees(who, page)


@pytest.mark.parametrize("what", ["expired", "replaced"])
def test_one_that_can_no_longer_be_accepted(house, ada, team_id, bob, sees, what):
    house.offer(ada, team_id, bob)
    if what == "expired":
        change(OwnershipOffer, expires_at=utc_now())
        assert "You have offered" not in sees(ada, "/settings")
    else:
        house.offer(ada, team_id, house.join(team_id, house.person("eve@example.com", "Eve")))
        assert "You have offered your place to Eve" in sees(ada, "/settings")
    assert "offers you this team" not in sees(bob)
