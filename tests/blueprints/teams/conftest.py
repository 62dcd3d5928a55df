"""People, teams and invitations for the tests of teams."""

import contextvars
from collections.abc import Callable
from itertools import count
from threading import Barrier, Thread
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select, update

from app.access import Client, Identity
from app.database import db, transaction, utc_now
from blueprints import auth
from blueprints.teams.models import Invitation, Team, TeamMember
from blueprints.teams.schemas import CreateTeam, InviteToTeam, OfferOwnership
from blueprints.teams.services import cases, invitations, ownership, teams
from tests.people import PASSWORD

CLIENT = Client(ip="192.0.2.1", user_agent="tests", request_id="tests")


class House:
    """Makes people, teams, members and invitations without going through HTTP."""

    client = CLIENT
    networks = count()

    def person(self, email: str, name: str | None = None) -> Identity:
        """Somebody with a verified account, as the services see them."""
        network = Client(f"192.0.2.{next(self.networks) % 256}", "tests", "tests")  # as many as a test likes
        password_hash = auth.prepare_password(email, PASSWORD, network)
        with transaction() as session:
            user_id = auth.open_verified_account(session, email, password_hash, name)
        return self.identity(user_id, email, name)

    def identity(self, user_id: UUID, email: str, name: str | None = None) -> Identity:
        return Identity(user_id, email, name, None, "creator", False, utc_now(), None, None, None, None, None)

    def team(self, owner: Identity, name: str = "Night Shoot") -> UUID:
        return teams.create_team(owner, CreateTeam(name=name)).id

    def join(self, team_id: UUID, who: Identity, role: str = "member") -> Identity:
        with transaction() as session:
            session.add(TeamMember(team_id=team_id, user_id=who.user_id, role=role))
        return who

    def invite(self, who: Identity, team_id: UUID, email: str = "bob@example.com", **more: Any) -> invitations.Sent:
        return invitations.invite(who, team_id, InviteToTeam(email=email, **more))

    def token(self, sent: invitations.Sent) -> str:
        """The token that the mail of an invitation carries."""
        return cases.token_of(db.session.get_one(Invitation, sent.invitation.id))

    def change(self, sent: invitations.Sent, **values: Any) -> None:
        """Write into the row of an invitation."""
        with transaction() as session:
            session.execute(update(Invitation).where(Invitation.id == sent.invitation.id).values(values))

    def offer(self, owner: Identity, team_id: UUID, who: Identity) -> None:
        """Offer ownership of a team to a member."""
        form = OfferOwnership.model_validate({"memberId": self.member_id(team_id, who)})
        ownership.offer_ownership(owner, team_id, form)

    def delete_team(self, team_id: UUID) -> None:
        with transaction() as session:
            session.execute(update(Team).where(Team.id == team_id).values(deleted_at=utc_now()))

    def sign_in(self, client: Any, who: Identity | str) -> Any:
        """A browser or program, signed in just now as somebody or by an address."""
        email = who if isinstance(who, str) else who.email
        answer = client.submit("/auth/sign-in", email=email, password=PASSWORD)
        assert answer.status == (303 if client.is_browser else 200)
        return client

    def member_id(self, team_id: UUID, who: Identity) -> UUID:
        mine = TeamMember.team_id == team_id, TeamMember.user_id == who.user_id
        return db.session.scalars(select(TeamMember.id).where(*mine)).one()

    def roles(self, team_id: UUID) -> dict[str, str]:
        """Who is in a team now, by the part of the address before the `@`."""
        db.session.rollback()
        found = list(db.session.execute(select(TeamMember.user_id, TeamMember.role).filter_by(team_id=team_id)))
        known = auth.people(user_id for user_id, _ in found)
        return {known[user_id].email.partition("@")[0]: role for user_id, role in found}

    def state(self, sent: invitations.Sent) -> str:
        """The state of an invitation as the outside sees it now."""
        db.session.rollback()
        db.session.expire_all()
        return cases.find_cases(Invitation.id == sent.invitation.id)[0].state


@pytest.fixture
def house(app: Flask) -> House:
    return House()


@pytest.fixture
def ada(house: House) -> Identity:
    """The owner of most teams here."""
    return house.person("ada@example.com", "Ada")


@pytest.fixture
def ada_client(house: House, ada: Identity, either: Any) -> Any:
    """Ada, signed in as a browser and as a program."""
    return house.sign_in(either, ada)


@pytest.fixture
def as_ada(house: House, ada: Identity, program: Any) -> Any:
    """Ada as a program."""
    return house.sign_in(program, ada)


@pytest.fixture
def at_once(app: Flask) -> Callable[..., list[Any]]:
    """Run a function in ten threads at the same moment; returns results and exceptions."""

    def run(act: Callable[[int], Any], times: int = 10) -> list[Any]:
        db.session.rollback()
        barrier, results = Barrier(times), [None] * times

        def one(number: int) -> None:
            with app.app_context():
                barrier.wait()
                try:
                    results[number] = act(number)
                except Exception as error:
                    results[number] = error

        threads = [Thread(target=contextvars.Context().run, args=(one, number)) for number in range(times)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    return run
