"""People, teams, mails and numbers for the pages to show: long names and long addresses among them."""

import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from playwright.sync_api import Browser
from sqlalchemy import select, update

from tests.browser import past
from tests.browser.person import PASSWORD, Person, sign_up
from tests.live import Live, flask

INES, JONAS, NOOR, ADMIN = "ines@example.com", "jonas@example.com", "noor@example.com", "admin@example.com"
MEI, PRIYA, LOST = "mei.tanaka@example.com", "priya@example.com", "casting@office.example.com"
TEAMS = (
    ("Harbour Lights", "A six-part series about the night shift of a ferry port. We pitch it in Rotterdam in March."),
    ("Saltwater", None),
    (
        "The Long Winter of the Lighthouse Keepers' Daughters",
        "Feature film. Three sisters, one lamp, and a ship that should not be there: a winter on an island that the "
        "mainland has forgotten, told in the order in which it was not supposed to happen. We have a treatment of "
        "forty pages and half a composer.",
    ),
)
TRAFFIC = (  # method, route, requests, failures among them, seconds
    ("GET", "/teams", 1412, 0, 0.012),
    ("GET", "/teams/<uuid:team_id>", 988, 0, 0.018),
    ("GET", "/api/teams", 763, 0, 0.006),
    ("GET", "/auth/sign-in", 640, 0, 0.004),
    ("POST", "/auth/sign-in", 496, 0, 0.221),
    ("GET", "/api/auth/session", 451, 0, 0.003),
    ("GET", "/auth/account", 307, 0, 0.014),
    ("POST", "/api/teams/<uuid:team_id>/invite", 218, 2, 0.016),
    ("GET", "/team/invite/<token>", 176, 0, 0.009),
    ("POST", "/team/invite/<token>/accept", 121, 1, 0.236),
    ("POST", "/auth/sign-up", 88, 0, 0.219),
    ("POST", "/api/auth/change-password", 41, 0, 0.428),
)
FAILURES = ((TimeoutError(), 2), (ConnectionRefusedError(), 1))  # error, and how many people met it


@dataclass
class World:
    """Who looks at pages, by name, and what stands for the braces in their paths."""

    people: dict[str, Person]
    values: dict[str, str] = field(default_factory=dict)


def build(chromium: Browser, live: Live) -> World:
    """Make the world on a service, through its API alone but for the numbers of the dashboard."""
    names = ("guest", "ines", "jonas", "noor", "mei", "admin", "ended")
    world = World({name: Person(chromium, live) for name in names})
    guest, ines, jonas, noor, mei, admin, ended = world.people.values()
    sign_up(ines, INES, "Ines Carvalho", username="ines_c", userType="production")
    sign_up(noor, NOOR, "Noor El-Amin")
    teams = [make_team(ines, name, description) for name, description in TEAMS]
    invite(ines, teams[0], JONAS, "admin")
    accept(jonas, JONAS, "Jonas Lindqvist")
    used = invite(ines, teams[0], MEI, "member")
    accept(mei, MEI, "Mei Tanaka")
    join(chromium, live, ines, teams[0], PRIYA, "viewer", None)
    long_address = "maximiliane.von-der-heide-zu-ostertal@filmfoerderung.example.com"
    invite(ines, teams[0], long_address, "viewer", message="You asked to see how it goes. Here it is.\nInes")
    invite(ines, teams[0], "oskar@example.com", "member")
    invite(ines, teams[0], LOST, "admin")
    lose_mail(live, LOST)
    offered = hand_over(ines, mei, jonas, "Slack Water")
    taken = hand_over(ines, mei, jonas, "Spring Tide")
    invite(jonas, offered, NOOR, "viewer")
    invite(ines, teams[2], NOOR, "member", message="Your night scenes are what this needs.")
    refused = invite(ines, teams[1], "refused@example.com", "member")
    guest.post("/teams/invites/reject", token=refused)
    past.end_sessions(ines, INES, Person(chromium, live), Person(chromium, live), ended)
    for agent in (past.IPHONE, past.MAC):
        Person(chromium, live).post("/auth/sign-in", agent, email=INES, password=PASSWORD)
    for name in ("Slate importer", "Nightly export of everything that was pitched in the season before this one"):
        ines.post("/auth/tokens", name=name, expiresInDays=365)
    links = past.every_mail(guest, NOOR, lambda: Person(chromium, live))
    flask(live.environ, "users", "create-admin", ADMIN, typed=f"{PASSWORD}\n")
    admin.post("/auth/sign-in", email=ADMIN, password=PASSWORD)
    busy_hour(live)
    invitation = next(mail for mail in guest.mails() if mail["to"] == long_address)
    world.values = {
        "team": teams[0],
        "empty_team": teams[1],
        "offered_team": offered,
        "taken_team": taken,
        "invite": invitation_of(ines, teams[0], long_address),
        "mail": invitation["id"],
        "stranger": ines.mailed_token(long_address, "Invitation"),
        "invited": ines.mailed_token(NOOR, "Invitation"),
        "refused": refused,
        "used": used,
        **links,
    }
    return world


def make_team(owner: Person, name: str, description: str | None) -> str:
    return owner.post("/teams", name=name, description=description)["team"]["id"]


def invite(owner: Person, team: str, email: str, role: str, **more: str) -> str:
    """Invite somebody; return the mailed token."""
    owner.post(f"/teams/{team}/invite", email=email, role=role, **more)
    return owner.mailed_token(email, "Invitation")


def accept(person: Person, email: str, name: str | None) -> None:
    token = person.mailed_token(email, "Invitation")
    person.post("/teams/invites/accept", token=token, password=PASSWORD, name=name)


def join(chromium: Browser, live: Live, owner: Person, team: str, email: str, role: str, name: str | None) -> None:
    """Let somebody join who looks at no page here."""
    invite(owner, team, email, role)
    accept(Person(chromium, live), email, name)


def hand_over(ines: Person, mei: Person, jonas: Person, name: str) -> str:
    """A team from which one member is removed, and whose ownership another takes and offers back."""
    team = make_team(ines, name, "What the tide leaves behind, in eight short films.")
    for person, email in ((mei, MEI), (jonas, JONAS)):
        invite(ines, team, email, "admin")
        token = person.mailed_token(email, f"Invitation to join {name}")
        person.post("/teams/invites/accept", token=token)
    members = {member["email"]: member["id"] for member in members_of(ines, team)}
    ines.delete(f"/teams/{team}/members/{members[MEI]}")
    ines.post(f"/teams/{team}/ownership", memberId=members[JONAS])
    jonas.post(f"/teams/{team}/ownership/accept")
    mine = next(member["id"] for member in members_of(jonas, team) if member["email"] == INES)
    jonas.post(f"/teams/{team}/ownership", memberId=mine)
    return team


def members_of(person: Person, team: str) -> Any:
    return person.get(f"/teams/{team}/members")["members"]


def invitation_of(person: Person, team: str, email: str) -> str:
    """The id of the invitation of an address."""
    return next(row["id"] for row in person.get(f"/teams/{team}/invites")["invites"] if row["email"] == email)


def lose_mail(live: Live, email: str) -> None:
    """Let the mail of an invitation have failed, as after ten hours without a mail server.

    The worker says that it is done only after it has arrived, and would have the last word.
    """
    import config
    from app import create_app
    from app.database import db, transaction
    from app.jobs import QueuedJob
    from blueprints.teams.models import Invitation

    app = create_app(config.load(live.environ))
    with app.app_context():
        its_job = QueuedJob.id == select(Invitation.mail_job_id).where(Invitation.email == email).scalar_subquery()
        done = update(QueuedJob).where(its_job, QueuedJob.state == "done").returning(QueuedJob.id)
        for _ in range(150):
            with transaction() as session:
                if session.scalars(done.values(state="failed")).all():
                    break
            time.sleep(0.1)
        else:
            raise AssertionError(f"no mail: {email}")
        db.engine.dispose()


def busy_hour(live: Live) -> None:
    """Requests and errors of another process of the fleet, stored as a process stores them."""
    import config
    from app import create_app
    from app.database import db
    from blueprints.metrics.flusher import Outbox
    from blueprints.metrics.recorder import Recorder

    recorder = Recorder()
    for method, route, count, failures, seconds in TRAFFIC:
        for number in range(count):
            recorder.add_request(method, route, "5xx" if number < failures else "2xx", seconds * (1 + number % 17 / 8))
    for error, people in FAILURES:
        for _ in range(people):
            recorder.add_error(error, uuid4())
    app = create_app(config.load(live.environ))
    assert Outbox(app, recorder).send()
    with app.app_context():
        db.engine.dispose()
