"""What teams say about an account that is to be deleted, and what of it they keep."""

import re
from threading import Thread
from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from app.database import db, transaction, utc_now
from blueprints import auth
from blueprints.auth import Blocker, BlockerAction
from blueprints.teams.models import Invitation, Team, TeamMember
from blueprints.teams.services import account_hooks, ownership
from tests.blueprints.auth.support import at_once, count, only, statements
from tests.people import PASSWORD, token_in


def delete_account(client):
    return client.submit("/auth/account", verb="DELETE", password=PASSWORD)


def transfer(team_id):
    return BlockerAction(label="Transfer ownership", url=f"/teams/{team_id}/ownership")


def delete(team_id):
    return BlockerAction(label="Delete team", url=f"/teams/{team_id}/delete")


def user_id(email):
    return auth.find_by_email(email).id


def new_team(client, name="Night Shoot"):
    return client.submit("/teams", _page="/teams/new", name=name).data["team"]["id"]


def set_role(email, role, *team):
    """Give somebody a role in the team there is, or that `team` selects."""
    with transaction() as session:
        mine = {"team_id": session.scalars(select(Team.id).where(*team)).one(), "user_id": user_id(email)}
        member = session.scalar(select(TeamMember).filter_by(**mine)) or TeamMember(**mine)
        member.role = role
        session.add(member)


@pytest.fixture
def signed_in(people):
    """Somebody with an account, as a program: `signed_in("ada")`."""
    return lambda name: people.verified(f"{name}@example.com", name=name.title())


class TestBlockers:
    def test_the_teams_of_the_only_owner_by_name(self, house, ada):
        bob = house.person("bob@example.com")
        later, first = house.team(ada, "zebra"), house.team(ada, "Ant")
        shared, theirs, gone = house.team(ada, "Shared"), house.team(bob, "Bob's"), house.team(ada, "Gone")
        house.join(shared, bob, "owner")
        house.join(theirs, ada, "admin")
        house.join(first, bob, "admin")
        with transaction() as session:
            session.execute(update(Team).where(Team.id == gone).values(deleted_at=utc_now()))
        assert account_hooks.account_blockers(ada.user_id) == [
            Blocker(label="Ant", url=f"/teams/{first}", actions=[transfer(first), delete(first)]),
            Blocker(label="zebra", url=f"/teams/{later}", actions=[delete(later)]),
        ]
        assert account_hooks.account_blockers(bob.user_id) == [
            Blocker(label="Bob's", url=f"/teams/{theirs}", actions=[transfer(theirs), delete(theirs)])
        ]

    def test_who_owns_nothing_has_none(self, house, ada):
        bob = house.person("bob@example.com")
        house.join(house.team(ada), bob, "admin")
        assert account_hooks.account_blockers(bob.user_id) == []

    def test_one_query_whatever_their_number(self, app, house, ada):
        for number in range(5):
            house.team(ada, f"Team {number}")
        db.session.rollback()
        with statements(app) as asked:
            assert len(account_hooks.account_blockers(ada.user_id)) == 5
        assert len([statement for statement in asked if statement.startswith("SELECT")]) == 1

    def test_only_inside_a_transaction_they_lock(self, app, house, ada, engine_name):
        teams = sorted([house.team(ada, "One"), house.team(ada, "Two")])
        with statements(app) as asked:
            account_hooks.account_blockers(ada.user_id)
        assert not [statement for statement in asked if "FOR UPDATE" in statement]
        with statements(app) as asked, transaction():
            account_hooks.account_blockers(ada.user_id)
        assert len(teams) == 2
        if engine_name == "postgresql":
            (lock,) = [statement for statement in asked if "FOR UPDATE" in statement]
            assert "ORDER BY teams.id FOR UPDATE" in lock
            assert asked.index(lock) < next(place for place, text in enumerate(asked) if "EXISTS" in text)

    def test_the_account_page_waits_for_nobody(self, app, people, signed_in):
        signed_in("ada").submit("/teams", name="Night Shoot")
        browser, answers = people.browser("ada@example.com"), []
        with transaction() as session:
            session.execute(select(Team.id).with_for_update())
            session.execute(update(Team).values(description="Being changed"))
            answers += at_once(1, lambda number: browser.get("/auth/account"))
        assert answers[0].status == 200
        assert f'href="/teams/{only(Team).id}"' in answers[0].text


class TestLastOwner:
    def test_the_last_owner_stays(self, app, signed_in, people, either):
        ada = signed_in("ada")
        new_team(ada, "Night Shoot")
        signed_in("bob")
        set_role("bob@example.com", "admin")
        either.submit("/auth/sign-in", email="ada@example.com", password=PASSWORD)
        answer = delete_account(either)
        assert answer.status == 409
        assert "You are the only owner of Night Shoot." in answer.text
        if either.is_browser:
            assert 'name="password"' in answer.text
        else:
            assert answer.code == "LAST_OWNER"
        assert either.get("/auth/account").status == 200
        assert count(TeamMember) == 2

    @pytest.mark.parametrize("way", ["another owner", "the team is deleted"])
    def test_once_it_is_settled_they_may_go(self, signed_in, way):
        ada = signed_in("ada")
        new_team(ada)
        signed_in("bob")
        assert delete_account(ada).code == "LAST_OWNER"
        if way == "another owner":
            set_role("bob@example.com", "owner")
        else:
            with transaction() as session:
                session.execute(update(Team).values(deleted_at=utc_now()))
        assert delete_account(ada).status == 200
        assert count(Team) == 1
        assert count(TeamMember) == (1 if way == "another owner" else 0)

    @pytest.mark.parametrize("role", ["admin", "member", "viewer"])
    def test_whoever_is_no_owner_may_go(self, signed_in, role):
        ada, bob = signed_in("ada"), signed_in("bob")
        team_id = new_team(ada)
        set_role("bob@example.com", role)
        assert delete_account(bob).status == 200
        (left,) = ada.get(f"/teams/{team_id}/members").data["members"]
        assert left["email"] == "ada@example.com"
        assert ada.get(f"/teams/{team_id}").data["team"]["memberCount"] == 1


class TestWaysOut:
    """Wherever a team blocks the deletion, what can be done about it is one click away."""

    @pytest.fixture
    def teams(self, house, ada):
        """Ada's two teams: one with Bob in it, and one where she is alone."""
        shared, alone = house.team(ada, "Night Shoot"), house.team(ada, "Quiet Desk")
        house.join(shared, house.person("bob@example.com", "Bob"))
        return shared, alone

    @pytest.mark.parametrize("path", ["/auth/account", "/auth/account/delete"])
    def test_the_pages_link_to_both(self, house, ada, teams, browser, path):
        shared, alone = teams
        page = house.sign_in(browser, ada).get(path)
        assert page.status == 200
        assert links(page) == [*both(shared), f"/teams/{alone}", f"/teams/{alone}/delete"]

    def test_the_refused_form_links_to_both(self, house, ada, teams, browser):
        shared, alone = teams
        answer = delete_account(house.sign_in(browser, ada))
        assert answer.status == 409
        assert links(answer) == [*both(shared), f"/teams/{alone}", f"/teams/{alone}/delete"]

    def test_json_names_them_in_the_details(self, house, ada, teams, as_ada):
        shared, alone = teams
        answer = delete_account(as_ada)
        assert (answer.status, answer.code) == (409, "LAST_OWNER")
        ways = [{"label": "Transfer ownership", "url": f"/teams/{shared}/ownership"}]
        ways.append({"label": "Delete team", "url": f"/teams/{shared}/delete"})
        assert answer.response.get_json()["error"]["details"]["blockers"] == [
            {"label": "Night Shoot", "url": f"/teams/{shared}", "actions": ways},
            {
                "label": "Quiet Desk",
                "url": f"/teams/{alone}",
                "actions": [{"label": "Delete team", "url": f"/teams/{alone}/delete"}],
            },
        ]

    def test_the_links_lead_to_the_forms(self, house, ada, teams, browser):
        shared, alone = teams
        house.sign_in(browser, ada)
        assert 'name="memberId"' in browser.get(f"/teams/{shared}/ownership").text
        assert f'action="/teams/{alone}/delete"' in browser.get(f"/teams/{alone}/delete").text

    def test_both_ways_taken_the_account_can_go(self, house, ada, teams, browser, app):
        shared, alone = teams
        house.sign_in(browser, ada)
        bob = house.identity(user_id("bob@example.com"), "bob@example.com", "Bob")
        house.offer(ada, shared, bob)
        ownership.accept_ownership(bob, shared)
        assert browser.submit(f"/teams/{alone}", verb="DELETE").status == 303
        assert 'name="password"' in browser.get("/auth/account/delete").text
        assert delete_account(browser).status == 303
        assert house.roles(shared) == {"bob": "owner"}


def both(team_id):
    return [f"/teams/{team_id}", f"/teams/{team_id}/ownership", f"/teams/{team_id}/delete"]


def links(page):
    """Where a page leads about teams, in the order of the page; the navigation's are left out."""
    return re.findall(r'href="(/teams/[0-9a-f-]{36}[a-z/]*)"', page.text)


class TestWhatStays:
    def test_invitations_of_somebody_who_left_keep_their_row(self, app, signed_in):
        ada, bob = signed_in("ada"), signed_in("bob")
        team_id = new_team(ada)
        set_role("bob@example.com", "admin")
        bob.submit(f"/teams/{team_id}/invite", email="eve@example.com")
        ada.submit(f"/teams/{team_id}/invite", email="dan@example.com")
        assert delete_account(bob).status == 200
        row = only(Invitation, Invitation.email == "eve@example.com")
        assert (row.invited_by, str(row.team_id), row.status) == (None, team_id, "pending")
        assert only(Invitation, Invitation.email == "dan@example.com").invited_by == user_id("ada@example.com")

    def test_an_invitation_they_had_accepted_keeps_its_row(self, signed_in, outbox):
        ada, bob = signed_in("ada"), signed_in("bob")
        team_id = new_team(ada)
        ada.submit(f"/teams/{team_id}/invite", email="bob@example.com")
        token = token_in([mail for mail in outbox() if mail.recipient == "bob@example.com"][-1])
        assert bob.post("/teams/invites/accept", json={"token": token}).status == 200
        assert delete_account(bob).status == 200
        row = only(Invitation)
        assert (row.accepted_by, row.status, row.invited_by) == (None, "accepted", user_id("ada@example.com"))
        assert bob.get("/teams").status == 401


class TestAtTheSameMoment:
    @pytest.mark.parametrize("round", range(3))
    def test_two_owners_delete_their_accounts(self, signed_in, round):
        owners = [signed_in("ada"), signed_in("bob")]
        new_team(owners[0])
        set_role("bob@example.com", "owner")
        answers = at_once(2, lambda number: delete_account(owners[number]))
        assert sorted(answer.status for answer in answers) == [200, 409]
        assert {answer.code for answer in answers} == {None, "LAST_OWNER"}
        assert only(TeamMember).role == "owner"

    def test_owners_of_many_teams_do_not_wait_for_each_other_in_a_circle(self, signed_in):
        """Each has joined another third of the teams first, so that only the order of ids is the same for all."""
        owners = [signed_in("ada"), signed_in("bob"), signed_in("carol")]
        teams = [new_team(owners[number % 3], f"Team {number}") for number in range(12)]
        for team_id in teams:
            for name in ("carol", "bob", "ada"):
                set_role(f"{name}@example.com", "owner", Team.id == UUID(team_id))
        answers = at_once(3, lambda number: delete_account(owners[number]))
        assert sorted(answer.status for answer in answers) == [200, 200, 409]
        assert count(TeamMember, TeamMember.role == "owner") == 12

    def test_a_change_of_owners_is_waited_for(self, signed_in):
        """While Bob deletes his account, Ada is made a plain member; the team is locked for that."""
        ada, bob = signed_in("ada"), signed_in("bob")
        new_team(ada)
        set_role("bob@example.com", "owner")
        answers = []
        thread = Thread(target=lambda: answers.append(delete_account(bob)))
        ada_is = TeamMember.user_id == user_id("ada@example.com")
        with transaction() as session:
            session.execute(select(Team.id).with_for_update())
            session.execute(update(TeamMember).where(ada_is).values(role="member"))
            thread.start()
            wait_for(thread)
        thread.join(30)
        assert [(answer.status, answer.code) for answer in answers] == [(409, "LAST_OWNER")]
        assert count(TeamMember) == 2


def wait_for(thread):
    """Wait until the thread waits for a lock or is done; on SQLite the one transaction is all there is to wait for."""
    if db.engine.dialect.name == "sqlite":
        return
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    with db.engine.connect() as connection:
        while thread.is_alive() and not connection.scalar(waiting):
            connection.rollback()
            thread.join(0.01)
