"""The team pages and the JSON API, as a browser and as a program."""

from datetime import timedelta
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from app.database import db, transaction, utc_now
from blueprints.teams.models import Invitation, Team, TeamMember
from tests.clients import Browser, Program
from tests.people import PASSWORD, link_in, token_in

TEAM = {"id", "name", "description", "ownerId", "ownerName", "memberCount", "createdAt", "updatedAt"}
MEMBER = {"id", "userId", "name", "email", "role", "permissions", "status", "joinedDate", "lastActive"}
INVITATION = {
    "id",
    "teamId",
    "teamName",
    "email",
    "role",
    "status",
    "invitedBy",
    "invitedByName",
    "message",
    "expiresAt",
    "createdAt",
}


def sign_in(client: Any, email: str) -> None:
    answer = client.submit("/auth/sign-in", email=email, password=PASSWORD)
    assert answer.status == (303 if client.is_browser else 200)


@pytest.fixture
def ada_client(house, ada, either):
    """Ada, signed in as a browser and as a program."""
    sign_in(either, "ada@example.com")
    return either


@pytest.fixture
def as_ada(house, ada, program):
    """Ada as a program."""
    sign_in(program, "ada@example.com")
    return program


@pytest.fixture
def invited(house, ada, outbox):
    """An invitation of bob as admin, by its team, the invitation and the path in the mail."""
    team_id = house.team(ada)
    sent = house.invite(ada, team_id, role="admin", message="Join us")
    [mail] = outbox()
    return team_id, sent, link_in(mail)


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
        sign_in(browser, "ada@example.com")
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
            assert 'value="owner"' not in answer.text
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
        sign_in(either, "eve@example.com")
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
        sign_in(browser, "bob@example.com")
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
        sign_in(browser, "ada@example.com")
        assert browser.get("/").location == "/teams"
        assert 'href="/teams"' in browser.get("/auth/account").text

    def test_members_leads_to_the_one_team_or_the_list(self, house, ada, browser):
        sign_in(browser, "ada@example.com")
        assert browser.get("/team/members").location == "/teams"
        team_id = house.team(ada)
        assert browser.get("/team/members").location == f"/teams/{team_id}"
        house.team(ada, "Another")
        assert browser.get("/team/members").location == "/teams"


class TestInvite:
    def test_invite(self, ada_client, house, ada):
        team_id = house.team(ada)
        path = f"/teams/{team_id}/invite"
        answer = ada_client.submit(path, email="bob@example.com", role="viewer", message="Join us")
        if ada_client.is_browser:
            assert (answer.status, answer.location) == (303, f"/teams/{team_id}")
            page = ada_client.get(f"/teams/{team_id}").text
            for part in ("An invitation is on its way to bob@example.com.", "Viewer", "Mail on its way", "Pending"):
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
        sign_in(program, "bob@example.com")
        assert program.get(f"/teams/{team_id}/invites").status == 403

    def test_my_invites(self, house, ada, either):
        house.invite(ada, house.team(ada), message="Join us")
        house.person("bob@example.com")
        sign_in(either, "bob@example.com")
        answer = either.get("/teams/invites")
        if either.is_browser:
            for part in ("Night Shoot", "invited by Ada", "Join us"):
                assert part in answer.text
        else:
            assert [set(invite) for invite in answer.data["invites"]] == [INVITATION]


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
        sign_in(either, "bob@example.com")
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
            assert (answer.status, answer.location) == (303, "/auth/sign-in")
        else:
            assert (answer.status, answer.code) == (401, "UNAUTHORIZED")

    def test_signed_in_as_somebody_else(self, house, invited, either):
        house.person("eve@example.com")
        sign_in(either, "eve@example.com")
        if either.is_browser:
            page = either.get(invited[2])
            assert page.status == 200
            for part in ("eve@example.com", "b***@example.com", "Sign out and return", f'value="{invited[2]}"'):
                assert part in page.text
            assert "bob@example.com" not in page.text
            out = either.submit("/auth/sign-out", _page=invited[2], next=invited[2])
            assert out.location == invited[2]
            sign_in(either, "eve@example.com")
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
            assert "See your teams" in page.text
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
        assert "See your teams" in answer.text

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
        sign_in(either, "bob@example.com")
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
