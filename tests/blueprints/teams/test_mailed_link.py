"""The mailed link, as a browser and as a program."""

from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from sqlalchemy import select, update

from app.database import db, transaction, utc_now
from blueprints.teams.models import Invitation, Team, TeamMember
from tests.blueprints.teams.support import INVITATION, MEMBER, TEAM
from tests.clients import Browser, Program
from tests.people import PASSWORD, link_in, token_in


@pytest.fixture
def invited(house, ada, outbox):
    """An invitation of bob as admin, by its team, the invitation and the path in the mail."""
    team_id = house.team(ada)
    sent = house.invite(ada, team_id, role="admin", message="Join us")
    [mail] = outbox()
    return team_id, sent, link_in(mail)


def token_of(link: str) -> str:
    return link.rpartition("/")[2]


def answer_link(client: Any, action: str, link: str, **values: Any) -> Any:
    """Accept or reject, on the mailed page or through the API."""
    if client.is_browser:
        return client.submit(f"{link}/{action}", **values)
    return client.submit(f"/teams/invites/{action}", token=token_of(link), **values)


class TestLink:
    def test_the_page_opens_an_account(self, house, invited, either, outbox):
        team_id, _, link = invited
        answer = answer_link(either, "accept", link, password=PASSWORD, name="Bob")
        if either.is_browser:
            assert (answer.status, answer.location) == (303, f"/teams/{team_id}")
            assert "You are in Night Shoot now." in either.get(answer.location).text
        else:
            assert answer.status == 200
            assert set(answer.data) == {"team", "member", "user", "session"}
            assert set(answer.data["team"]) == TEAM
            assert set(answer.data["member"]) == MEMBER
            assert answer.data["user"]["emailVerified"] is True
        assert either.get("/teams").status == 200
        assert "session=" in answer.response.headers.get("Set-Cookie", "")
        assert outbox()[-1].subject == "Bob joined Night Shoot"

    def test_the_password_is_asked_for(self, invited, either):
        answer = answer_link(either, "accept", invited[2])
        assert answer.status == (422 if either.is_browser else 400)
        assert either.is_browser or (answer.code, list(answer.fields)) == ("VALIDATION_ERROR", ["password"])

    def test_an_unverified_accounts_password_is_void(self, invited, either, app):
        early = Program(app)
        assert early.submit("/auth/sign-up", email="bob@example.com", password="somebody else was here").status == 202
        answer_link(either, "accept", invited[2], password=PASSWORD)
        wrong = early.submit("/auth/sign-in", email="bob@example.com", password="somebody else was here")
        assert wrong.code == "INVALID_CREDENTIALS"

    def test_signed_in_as_the_invited(self, house, invited, either):
        house.person("bob@example.com")
        house.sign_in(either, "bob@example.com")
        if either.is_browser:
            assert "Accept" in either.get(invited[2]).text
        answer = answer_link(either, "accept", invited[2])
        again = answer_link(either, "accept", invited[2])
        if either.is_browser:
            assert answer.location == again.location == f"/teams/{invited[0]}"
            assert "Open the team" in either.get(invited[2]).text
            assert either.get(f"{invited[2]}/accept").status == 200
        else:
            assert set(answer.data) == {"team", "member"}
            assert set(again.data) == {"team", "member", "alreadyMember"}
            assert (again.status, again.data["alreadyMember"]) == (200, True)

    def test_signed_out_with_an_account_one_signs_in_first(self, house, invited, either):
        house.person("bob@example.com")
        answer = answer_link(either, "accept", invited[2])
        if either.is_browser:
            assert "Sign in to accept" in either.get(invited[2]).text
            assert answer.status == 303
            assert unquote(answer.location) == f"/auth/sign-in?next={invited[2]}"
            values = {"next": invited[2], "email": "bob@example.com", "password": PASSWORD}
            assert either.submit("/auth/sign-in", **values).location == invited[2]
            assert answer_link(either, "accept", invited[2]).location == f"/teams/{invited[0]}"
        else:
            assert (answer.status, answer.code) == (401, "UNAUTHORIZED")

    def test_signed_out_with_an_account_one_signs_in_to_reject(self, house, invited, either):
        house.person("bob@example.com")
        answer = answer_link(either, "reject", invited[2])
        if either.is_browser:
            assert (answer.status, unquote(answer.location)) == (303, f"/auth/sign-in?next={invited[2]}")
        else:
            assert (answer.status, answer.code) == (401, "UNAUTHORIZED")

    def test_signed_in_as_somebody_else(self, house, invited, either):
        house.person("eve@example.com")
        house.sign_in(either, "eve@example.com")
        if either.is_browser:
            page = either.get(invited[2])
            assert page.status == 200
            for part in ("eve@example.com", "b***@example.com", "Sign out and return", f'value="{invited[2]}"'):
                assert part in page.text
            assert "bob@example.com" not in page.text
            out = either.submit("/auth/sign-out", _page=invited[2], next=invited[2])
            assert out.location == invited[2]
            house.sign_in(either, "eve@example.com")
        for action in ("accept", "reject"):
            answer = answer_link(either, action, invited[2])
            assert answer.status == 403
            assert either.is_browser or answer.code == "INVITE_WRONG_ACCOUNT"

    def test_reject(self, invited, either):
        answer = answer_link(either, "reject", invited[2])
        if either.is_browser:
            assert (answer.status, answer.location) == (303, "/")
        else:
            assert answer.data["invitation"]["status"] == "rejected"
            assert answer.data["invitation"]["email"] == "b***@example.com"
        dead = answer_link(either, "accept", invited[2], password=PASSWORD)
        assert dead.status == 410
        assert either.is_browser or dead.code == "INVITE_REJECTED"

    def test_preview(self, invited, program):
        answer = program.get(f"/teams/invites/preview?token={token_of(invited[2])}")
        assert set(answer.data) == {"invitation", "accountExists", "signedInAs"}
        assert set(answer.data["invitation"]) == INVITATION
        assert answer.data["invitation"]["email"] == "b***@example.com"
        assert program.get("/teams/invites/preview?token=nothing").code == "INVALID_TOKEN"
        assert program.get("/teams/invites/preview").fields.keys() == {"token"}

    def test_looking_changes_nothing(self, invited, either):
        for _ in range(2):
            if either.is_browser:
                assert either.get(invited[2]).status == 200
                assert either.get(f"{invited[2]}/accept").status == 200
                assert either.client.head(invited[2]).status_code == 200
            else:
                assert either.get(f"/teams/invites/preview?token={token_of(invited[2])}").status == 200
        db.session.rollback()
        assert db.session.scalars(select(Invitation.status)).one() == "pending"

    @pytest.mark.parametrize(
        ("values", "status", "code"),
        [
            ({"status": "superseded"}, 410, "INVITE_SUPERSEDED"),
            ({"status": "revoked"}, 410, "INVITE_REVOKED"),
            ({"status": "rejected"}, 410, "INVITE_REJECTED"),
            ({"status": "accepted"}, 410, "INVITE_USED"),
            ({"expires_at": None}, 410, "INVITE_EXPIRED"),
            ({"token_hash": "other"}, 400, "INVALID_TOKEN"),
        ],
    )
    def test_a_dead_link(self, house, invited, either, values, status, code):
        house.change(invited[1], **{name: value or utc_now() - timedelta(1) for name, value in values.items()})
        if either.is_browser:
            page = either.get(invited[2])
            assert page.status == status
            assert "Sign in to see your" in page.text
        else:
            assert either.get(f"/teams/invites/preview?token={token_of(invited[2])}").code == code
        for action in ("accept", "reject"):
            answer = answer_link(either, action, invited[2])
            assert answer.status == status
            assert either.is_browser or answer.code == code

    def test_a_dead_link_refuses_the_form_of_an_open_page(self, house, invited, browser):
        token = browser.token(invited[2])
        house.change(invited[1], status="revoked")
        answer = browser.post(f"{invited[2]}/accept", data={"csrf_token": token, "password": PASSWORD})
        assert answer.status == 410
        assert "Sign in to see your teams" in answer.text

    def test_a_deleted_team(self, invited, either):
        with transaction() as session:
            session.execute(update(Team).values(deleted_at=utc_now()))
        path = invited[2] if either.is_browser else f"/teams/invites/preview?token={token_of(invited[2])}"
        assert either.get(path).status == 404

    def test_the_mailed_page_is_not_kept(self, invited, browser):
        answer = browser.get(invited[2])
        assert answer.response.headers["Cache-Control"] == "no-store"
        assert answer.response.headers["Referrer-Policy"] == "strict-origin"

    def test_a_foreign_page_cannot_accept_for_somebody(self, house, invited, either):
        house.person("bob@example.com")
        house.sign_in(either, "bob@example.com")
        foreign = {"Origin": "https://evil.example"}
        if either.is_browser:
            data = {"csrf_token": either.token(invited[2])}
            answer = either.post(f"{invited[2]}/accept", data=data, headers=foreign)
        else:
            answer = either.post("/teams/invites/accept", json={"token": token_of(invited[2])}, headers=foreign)
        assert answer.status == 403
        assert db.session.scalars(select(TeamMember)).all()[1:] == []

    def test_a_foreign_page_cannot_open_an_account_either(self, invited, program):
        body = {"token": token_of(invited[2]), "password": PASSWORD}
        answer = program.post("/teams/invites/accept", json=body, headers={"Origin": "https://evil.example"})
        assert answer.code == "CSRF_FAILED"


def test_every_flow_works_with_one_connection(make_app, invited, outbox):
    """From the mailed link to the membership, on an application whose pool has one connection."""
    narrow = make_app(DB_POOL_SIZE="1")
    guest = Browser(narrow)
    assert answer_link(guest, "accept", invited[2], password=PASSWORD, name="Bob").status == 303
    created = guest.submit("/teams", _page="/teams/new", name="Mine")
    assert created.status == 303
    assert guest.submit(f"{created.location}/invite", email="eve@example.com").status == 303
    for path in (created.location, "/teams", "/teams/invites", "/team/members"):
        assert guest.get(path).status in (200, 303)
    eve = Program(narrow)
    [mail] = [mail for mail in outbox() if mail.recipient == "eve@example.com"]
    assert eve.submit("/teams/invites/reject", token=token_in(mail)).status == 200
