"""People, teams and invitations for the tests of teams."""

import contextvars
from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import update

from app.access import Client, Identity
from app.database import db, transaction, utc_now
from blueprints import auth
from blueprints.teams.models import Invitation, TeamMember
from blueprints.teams.schemas import CreateTeam, InviteToTeam
from blueprints.teams.services import cases, invitations, teams
from tests.people import PASSWORD

CLIENT = Client(ip="192.0.2.1", user_agent="tests", request_id="tests")


class House:
    """Makes people, teams, members and invitations without going through HTTP."""

    client = CLIENT

    def person(self, email: str, name: str | None = None) -> Identity:
        """Somebody with a verified account, as the services see them."""
        password_hash = auth.prepare_password(email, PASSWORD, Client(email, "tests", "tests"))
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


@pytest.fixture
def house(app: Flask) -> House:
    return House()


@pytest.fixture
def ada(house: House) -> Identity:
    """The owner of most teams here."""
    return house.person("ada@example.com", "Ada")


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
