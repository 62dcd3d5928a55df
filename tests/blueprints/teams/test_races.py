"""Several people at the same moment: a team keeps an owner, an invitation has one end, a person joins once."""

from collections import Counter
from typing import Any

import pytest

from app.access import Client
from app.errors import AppError, NotFound, Unauthorized
from blueprints import auth
from blueprints.auth.schemas import DeleteAccount
from blueprints.auth.services import accounts
from blueprints.teams.models import Invitation, OwnershipOffer, TeamMember
from blueprints.teams.schemas import AcceptInvitation, ChangeRole, CreateTeam, OfferOwnership
from blueprints.teams.services import acceptance, member_changes, membership, ownership, replies, resending, teams
from tests.blueprints.auth.support import count, let_limits_pass, statements
from tests.people import PASSWORD

ROUNDS = range(20)
FEW_ROUNDS = range(6)


def words(results: list[Any]) -> Counter[str]:
    """What came of each: the names of the refusals, `done` for the rest; anything but a refusal is raised."""
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, AppError):
            raise result
    return Counter(type(result).__name__ if isinstance(result, AppError) else "done" for result in results)


def both(at_once, *acts) -> tuple[str, ...]:
    """What came of acts of several people, in their order."""
    results = at_once(lambda number: acts[number](), len(acts))
    words(results)
    return tuple(type(result).__name__ if isinstance(result, AppError) else "done" for result in results)


def delete_account(who):
    return accounts.delete_account(who, DeleteAccount(password=PASSWORD), Client("192.0.2.1", "tests", "tests"))


class TestOwners:
    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("leave", "leave"),
            ("demote", "demote"),
            ("remove", "remove"),
            ("delete", "delete"),
            ("leave", "delete"),
            ("demote", "leave"),
            ("remove", "delete"),
        ],
    )
    def test_one_always_stays(self, house, at_once, first, second):
        seen = set()
        for number in ROUNDS:
            ada, bob = house.person(f"ada{number}@example.com"), house.person(f"bob{number}@example.com")
            team_id = house.team(ada)
            house.join(team_id, bob, "owner")
            acts = [acting(house, team_id, first, ada, bob), acting(house, team_id, second, bob, ada)]
            seen.add(both(at_once, *acts))
            left = house.roles(team_id)
            assert list(left.values()).count("owner") == 1, left
        allowed = {"done", "LastOwner", "AccountNeeded", "Forbidden", "NotFound"}
        assert all(set(outcome) <= allowed and "done" in outcome for outcome in seen)

    def test_an_offer_is_accepted_once(self, house, ada, at_once):
        for number in FEW_ROUNDS:
            team_id = house.team(ada, f"Team {number}")
            bob = house.join(team_id, house.person(f"bob{number}@example.com"))
            house.offer(ada, team_id, bob)
            found = words(at_once(lambda _, who=bob, team=team_id: ownership.accept_ownership(who, team), 4))
            assert found == {"done": 1, "NotFound": 3}
            assert house.roles(team_id) == {"ada": "admin", f"bob{number}": "owner"}

    @pytest.mark.parametrize("what", ["demote", "remove", "leave", "offer another", "delete the account"])
    def test_an_offer_accepted_while_it_becomes_void(self, house, at_once, what):
        for number in FEW_ROUNDS:
            names = [f"{name}{number}" for name in ("ada", "bob", "zoe")]
            ada, bob, zoe = [house.person(f"{name}@example.com") for name in names]
            team_id = house.team(ada)
            house.join(team_id, bob)
            house.join(team_id, zoe, "owner")
            house.offer(ada, team_id, bob)
            other = {
                "demote": acting(house, team_id, "demote", zoe, ada),
                "remove": acting(house, team_id, "remove", zoe, ada),
                "leave": acting(house, team_id, "leave", ada, zoe),
                "offer another": offering(house, team_id, zoe, house.join(team_id, house.person(f"x{number}@a.com"))),
                "delete the account": lambda who=ada: delete_account(who),
            }[what]
            outcome = both(at_once, lambda who=bob, team=team_id: ownership.accept_ownership(who, team), other)
            left = house.roles(team_id)
            assert left[names[2]] == "owner"
            assert left[names[1]] == ("owner" if outcome[0] == "done" else "member")
            assert outcome[0] in ("done", "NotFound")
            assert left.get(names[0]) != "owner" or what == "offer another"


def acting(house, team_id, what, who, other):
    """What somebody does to the other owner, or to themselves."""
    theirs = house.member_id(team_id, other)
    return {
        "leave": lambda: member_changes.leave(who, team_id),
        "demote": lambda: member_changes.change_role(who, team_id, theirs, ChangeRole(role="member")),
        "remove": lambda: member_changes.remove_member(who, team_id, theirs),
        "delete": lambda: delete_account(who),
    }[what]


def offering(house, team_id, owner, member):
    form = OfferOwnership.model_validate({"memberId": house.member_id(team_id, member)})
    return lambda: ownership.offer_ownership(owner, team_id, form)


class TestInvitations:
    def test_ten_accept_by_id(self, house, ada, at_once):
        team_id, bob = house.team(ada), house.person("bob@example.com")
        invitation_id = house.invite(ada, team_id).invitation.id
        results = at_once(lambda _: replies.accept_my_invite(bob, invitation_id))
        assert words(results) == {"done": 10}
        assert [result.already_member for result in results].count(False) == 1
        assert house.roles(team_id) == {"ada": "owner", "bob": "member"}

    def test_by_id_and_by_the_link(self, house, ada, at_once):
        team_id, bob = house.team(ada), house.person("bob@example.com")
        sent = house.invite(ada, team_id)
        token, form = house.token(sent), AcceptInvitation()
        by_id = lambda: replies.accept_my_invite(bob, sent.invitation.id)  # noqa: E731
        by_link = lambda: acceptance.accept_invite(bob, token, form, house.client)  # noqa: E731
        assert both(at_once, *[by_id, by_link] * 3) == ("done",) * 6
        assert count(TeamMember) == 2

    @pytest.mark.parametrize(
        ("against", "late", "lost"),
        [
            ("revoke", "InviteUsed", "InviteRevoked"),
            ("resend", "InviteUsed", "InviteSuperseded"),
            ("reject", "InviteUsed", "InviteRejected"),
            ("remove the inviter", "done", "InviteRevoked"),
            ("demote the inviter", "done", "InviteRevoked"),
            ("delete the team", "done", "TeamGone"),
        ],
    )
    def test_accepted_or_not_never_both(self, house, ada, at_once, against, late, lost):
        for number in FEW_ROUNDS:
            team_id = house.team(ada, f"Team {number}")
            eve, bob = house.person(f"eve{number}@example.com"), house.person(f"bob{number}@example.com")
            house.join(team_id, eve, "admin")
            one = house.invite(eve, team_id, bob.email, role="admin").invitation.id
            hers = house.member_id(team_id, eve)
            let_limits_pass(hours=24)
            other = {
                "revoke": lambda one=one: resending.revoke_invite(ada, one),
                "resend": lambda one=one: resending.resend_invite(ada, one),
                "reject": lambda one=one, who=bob: replies.reject_my_invite(who, one),
                "remove the inviter": lambda at=team_id, it=hers: member_changes.remove_member(ada, at, it),
                "demote the inviter": lambda at=team_id, it=hers: member_changes.change_role(
                    ada, at, it, ChangeRole(role="member")
                ),
                "delete the team": lambda at=team_id: teams.delete_team(ada, at),
            }[against]
            outcome = both(at_once, lambda one=one, who=bob: replies.accept_my_invite(who, one), other)
            joined = f"bob{number}" in house.roles(team_id)
            assert outcome == (("done", late) if joined else (lost, "done"))

    def test_ten_resend(self, house, ada, at_once):
        team_id = house.team(ada)
        first = house.invite(ada, team_id).invitation.id
        let_limits_pass(minutes=10)
        assert words(at_once(lambda _: resending.resend_invite(ada, first))) == {"done": 1, "InviteSuperseded": 9}
        assert count(Invitation) == 2
        assert count(Invitation, Invitation.status == "pending") == 1

    def test_resent_and_withdrawn(self, house, ada, at_once):
        for number in FEW_ROUNDS:
            sent = house.invite(ada, house.team(ada, f"Team {number}"), f"bob{number}@example.com")
            let_limits_pass(hours=24)
            one = sent.invitation.id
            acts = (resending.resend_invite, resending.revoke_invite)
            outcome = both(at_once, *(lambda act=act, one=one: act(ada, one) for act in acts))
            assert outcome in (("done", "InviteSuperseded"), ("InviteRevoked", "done"))

    def test_the_invited_deletes_their_account(self, house, ada, at_once):
        for number in FEW_ROUNDS:
            team_id = house.team(ada, f"Team {number}")
            bob = house.person(f"bob{number}@example.com")
            one = house.invite(ada, team_id, bob.email).invitation.id
            let_limits_pass(hours=24)
            acts = (lambda one=one, who=bob: replies.accept_my_invite(who, one), lambda who=bob: delete_account(who))
            outcome = both(at_once, *acts)
            assert outcome[0] in ("done", "Unauthorized")
            assert outcome[1] == "done"
            assert house.roles(team_id) == {"ada": "owner"}


class TestDeletedMeanwhile:
    """The request was let in, and the account is gone before it writes."""

    @pytest.mark.parametrize("way", ["accept by id", "accept by link", "create"])
    def test_it_is_signed_out(self, house, ada, way):
        bob = house.person("bob@example.com")
        sent = house.invite(ada, house.team(ada))
        token = house.token(sent)
        delete_account(bob)
        with pytest.raises(Unauthorized):
            if way == "accept by id":
                replies.accept_my_invite(bob, sent.invitation.id)
            elif way == "accept by link":
                acceptance.accept_invite(bob, token, AcceptInvitation(), house.client)
            else:
                teams.create_team(bob, CreateTeam(name="Mine"))
        assert house.state(sent) == "pending"
        assert count(TeamMember) == 1

    @pytest.mark.postgresql_only
    def test_deleted_after_a_last_look(self, house, ada, monkeypatch):
        """Readers see the account until its deletion is committed; the foreign key decides."""
        bob = house.person("bob@example.com")
        one = house.invite(ada, house.team(ada)).invitation.id
        known = auth.people([ada.user_id, bob.user_id])
        delete_account(bob)
        monkeypatch.setattr(membership, "people", lambda ids: known)
        with pytest.raises(Unauthorized):
            replies.accept_my_invite(bob, one)

    def test_what_a_member_did_is_not_theirs_any_more(self, house, ada):
        team_id = house.team(ada)
        bob = house.join(team_id, house.person("bob@example.com"), "admin")
        hers = house.member_id(team_id, ada)
        delete_account(bob)
        for act in (
            lambda: member_changes.change_role(bob, team_id, hers, ChangeRole(role="viewer")),
            lambda: member_changes.leave(bob, team_id),
            lambda: ownership.accept_ownership(bob, team_id),
            lambda: house.invite(bob, team_id, "dan@example.com"),
        ):
            with pytest.raises(NotFound):
                act()
        assert (count(OwnershipOffer), count(Invitation)) == (0, 0)


@pytest.mark.postgresql_only
def test_teams_are_locked_before_invitations_and_those_before_users(app, house, ada):
    """The one order in which two cannot wait for each other."""
    team_id = house.team(ada)
    bob = house.join(team_id, house.person("bob@example.com"), "owner")
    carl, his = house.person("carl@example.com"), house.member_id(team_id, bob)
    first, second = [house.invite(bob, team_id, f"{name}@example.com") for name in ("carl", "dan")]
    third = house.invite(bob, team_id, "new@example.com")
    token, form = house.token(third), AcceptInvitation(password=PASSWORD)
    let_limits_pass(minutes=10)
    acts = [
        lambda: replies.accept_my_invite(carl, first.invitation.id),
        lambda: acceptance.accept_invite(None, token, form, house.client),
        lambda: resending.resend_invite(ada, second.invitation.id),
        lambda: house.invite(ada, team_id, "zoe@example.com"),
        lambda: house.offer(ada, team_id, carl),
        lambda: member_changes.change_role(ada, team_id, his, ChangeRole(role="member")),
        lambda: ownership.accept_ownership(carl, team_id),
        lambda: member_changes.remove_member(carl, team_id, his),
        lambda: delete_account(ada),
        lambda: teams.delete_team(carl, team_id),
    ]
    order = ["FROM teams", "FROM invitations", "FROM users"]
    for act in acts:
        with statements(app) as asked:
            act()
        locks = [text for text in asked if " FOR UPDATE" in text or " FOR SHARE" in text]
        places = [next(place for place, table in enumerate(order) if table in text) for text in locks]
        assert places == sorted(places)
        assert places[0] == 0
