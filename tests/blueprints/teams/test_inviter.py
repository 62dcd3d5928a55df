"""Who invites has proved their address, and is let in still; else nobody would know whose words a mail carries."""

import pytest

from app.database import transaction, utc_now
from blueprints.auth.models import AccessToken, User, UserSession
from blueprints.auth.services import operators
from blueprints.teams.models import Invitation
from tests.blueprints.auth.support import change, count
from tests.people import PASSWORD

EMAIL = "eve@example.com"


def invite(client, team_id):
    """Invite by JSON as whoever the client is."""
    return client.submit(f"/teams/{team_id}/invite", email="bob@example.com")


class TestWhoNeverProvedTheirAddress:
    @pytest.fixture
    def eve(self, either):
        """Somebody who has signed up and has not opened the mail."""
        either.submit("/auth/sign-up", email=EMAIL, password=PASSWORD, name="Eve")
        return either

    def test_has_no_session_to_invite_with(self, house, ada, eve, outbox):
        team_id = house.team(ada)
        answer = eve.submit("/auth/sign-in", email=EMAIL, password=PASSWORD)
        assert answer.status == 403
        assert count(User, User.email == EMAIL) == 1
        assert count(UserSession) == count(AccessToken) == 0
        assert invite(eve, team_id).status == (303 if eve.is_browser else 401)
        assert eve.submit("/teams", _page="/teams/new", name="Night Shoot").status == (303 if eve.is_browser else 401)
        assert count(Invitation) == 0
        assert {mail.recipient for mail in outbox()} == {EMAIL}  # none to anybody else

    def test_is_asked_to_join_and_proves_it_by_that(self, house, ada, eve, program):
        sent = house.invite(ada, house.team(ada), EMAIL, role="admin")
        answer = program.post("/teams/invites/accept", json={"token": house.token(sent), "password": PASSWORD})
        assert answer.status == 200
        assert count(User, User.email_verified_at.is_(None)) == 0
        assert invite(program, answer.data["team"]["id"]).status == 201


class TestWhoIsDisabled:
    def test_by_an_operator_invites_no_more(self, house, ada, ada_client, outbox):
        team_id = house.team(ada)
        operators.disable_account(ada.email)
        assert invite(ada_client, team_id).status == (303 if ada_client.is_browser else 401)
        assert count(Invitation) == 0
        assert not [mail for mail in outbox() if mail.recipient == "bob@example.com"]

    def test_with_a_session_or_a_token_that_was_left_over(self, app, house, ada, as_ada, outbox):
        """As after a restored backup: what was to end with the account is there, and lets nobody in."""
        team_id = house.team(ada)
        bearer = type(as_ada)(app, as_ada.submit("/auth/tokens", name="Export").data["value"])
        with transaction() as session:
            session.get_one(User, ada.user_id).disabled_at = utc_now()
        for client in (as_ada, bearer):
            assert invite(client, team_id).status == 401
        assert count(Invitation) == 0
        change(User, User.id == ada.user_id, disabled_at=None)
        assert invite(bearer, team_id).status == 201

    def test_or_deleted(self, house, ada, as_ada):
        team_id = house.team(ada)
        house.join(team_id, house.person("carol@example.com"), "owner")
        assert as_ada.submit("/auth/account", verb="DELETE", password=PASSWORD).status == 200
        assert invite(as_ada, team_id).status == 401
        assert count(Invitation) == 0
