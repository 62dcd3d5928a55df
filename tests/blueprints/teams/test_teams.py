"""Roles in order, and teams: made, listed, shown, below HTTP."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import event, update

from app.database import db, transaction, utc_now
from app.errors import NotFound
from blueprints.teams.models import TeamMember
from blueprints.teams.roles import ROLES, get_role, grantable, is_at_least
from blueprints.teams.schemas import CreateTeam
from blueprints.teams.services import membership, teams


class TestRoles:
    def test_the_table_is_ordered_and_says_who_may_do_what(self):
        allowed = {role.id: (role.can_edit, role.can_invite, role.can_delete, role.can_manage_roles) for role in ROLES}
        assert list(allowed) == ["owner", "admin", "member", "viewer"]
        assert allowed["owner"] == (True, True, True, True)
        assert allowed["admin"] == (True, True, False, True)
        assert allowed["member"] == (True, False, False, False)
        assert allowed["viewer"] == (False, False, False, False)

    def test_nobody_grants_above_their_own_role_nor_owner(self):
        assert [role.id for role in grantable("owner")] == ["viewer", "member", "admin"]
        assert [role.id for role in grantable("admin")] == ["viewer", "member", "admin"]
        assert [role.id for role in grantable("member")] == ["viewer", "member"]
        assert is_at_least("admin", "admin")
        assert not is_at_least("member", "admin")

    def test_a_role_is_found_by_its_name(self):
        assert get_role("viewer").name == "Viewer"


class TestTeams:
    def test_create_team_makes_the_caller_its_owner(self, house, ada):
        team = teams.create_team(ada, CreateTeam(name="Night Shoot", description="At night."))
        assert (team.owner_id, team.owner_name, team.member_count) == (ada.user_id, "Ada", 1)
        assert team.description == "At night."
        assert membership.find_role(team.id, ada.user_id) == "owner"

    def test_teams_are_by_name_and_only_the_callers(self, house, ada):
        eve = house.person("eve@example.com")
        for name in ("beta", "Alpha", "gamma"):
            house.team(ada, name)
        house.team(eve, "Hers")
        assert [team.name for team in teams.list_teams(ada)] == ["Alpha", "beta", "gamma"]

    def test_listing_takes_as_many_queries_for_ten_teams_as_for_one(self, house, ada):
        def queries() -> int:
            db.session.rollback()
            seen: list[str] = []
            listen = lambda conn, cursor, statement, *rest: seen.append(statement)  # noqa: E731
            event.listen(db.engine, "before_cursor_execute", listen)
            try:
                teams.list_teams(ada)
            finally:
                event.remove(db.engine, "before_cursor_execute", listen)
            return len(seen)

        house.team(ada)
        one = queries()
        for number in range(9):
            eve = house.person(f"eve{number}@example.com")
            house.join(house.team(eve), ada)
        assert len(teams.list_teams(ada)) == 10
        assert queries() == one

    def test_the_owner_is_the_longest_standing_one(self, house, ada):
        team_id = house.team(ada)
        eve = house.join(team_id, house.person("eve@example.com", "Eve"), "owner")
        assert teams.list_teams(ada)[0].owner_id == ada.user_id
        with transaction() as session:
            older = update(TeamMember).where(TeamMember.user_id == eve.user_id)
            session.execute(older.values(joined_at=utc_now() - timedelta(days=1)))
        assert teams.list_teams(ada)[0].owner_id == eve.user_id

    def test_a_nameless_owner_is_called_by_address(self, house):
        eve = house.person("eve@example.com")
        house.team(eve)
        assert teams.list_teams(eve)[0].owner_name == "eve@example.com"

    def test_get_team_shows_members_by_name(self, house, ada):
        team_id = house.team(ada)
        house.join(team_id, house.person("zoe@example.com", "Zoe"), "viewer")
        house.join(team_id, house.person("bob@example.com", "bob"))
        found = teams.get_team(ada, team_id)
        assert [member.name for member in found.members] == ["Ada", "bob", "Zoe"]
        assert [member.role for member in found.members] == ["owner", "member", "viewer"]
        assert found.members[2].permissions.can_edit is False
        assert found.member_count == 3

    @pytest.mark.parametrize("ask", [teams.get_team, membership.list_members, membership.list_roles])
    def test_a_team_of_others_is_as_absent_as_none(self, house, ada, ask):
        team_id = house.team(house.person("eve@example.com"))
        for unknown in (team_id, uuid4()):
            with pytest.raises(NotFound):
                ask(ada, unknown)

    @pytest.mark.parametrize("ask", [teams.get_team, membership.list_members, membership.list_roles])
    def test_a_deleted_team_is_gone(self, house, ada, ask):
        team_id = house.team(ada)
        house.delete_team(team_id)
        assert teams.list_teams(ada) == []
        with pytest.raises(NotFound):
            ask(ada, team_id)

    def test_roles_are_counted(self, house, ada):
        team_id = house.team(ada)
        for number in range(2):
            house.join(team_id, house.person(f"bob{number}@example.com"))
        found = membership.list_roles(ada, team_id)
        assert [(role.id, role.member_count) for role in found] == [
            ("owner", 1),
            ("admin", 0),
            ("member", 2),
            ("viewer", 0),
        ]
        assert [role.id for role in found if role.is_default] == ["member"]
