"""People, teams, mails and numbers for the pages to show: long names and long addresses among them."""

import re
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from playwright.sync_api import APIResponse, Browser, BrowserContext

from tests.browser.watch import Complaints
from tests.live import Live, flask

PASSWORD = "correct horse battery"
INES, JONAS, NOOR, ADMIN = "ines@example.com", "jonas@example.com", "noor@example.com", "admin@example.com"
AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:126.0) Gecko/20100101 Firefox/126.0",
)
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


class Person:
    """Somebody with a browser of their own, who does the preliminaries over JSON."""

    def __init__(self, chromium: Browser, live: Live) -> None:
        self.context: BrowserContext = chromium.new_context(base_url=live.base_url)
        self.complaints = Complaints(self.context)

    def post(self, path: str, agent: str | None = None, **values: Any) -> Any:
        headers = {"User-Agent": agent} if agent else {}
        return data_of(self.context.request.post(f"/api{path}", data=values, headers=headers))

    def mails(self) -> Any:
        """Every mail so far, newest first."""
        return data_of(self.context.request.get("/api/dev/mailbox"))["messages"]

    def mail_to(self, address: str, words: str) -> Any:
        """The newest mail to an address with these words in its subject; it is kept within two seconds."""
        for _ in range(40):
            for mail in self.mails():
                if mail["to"] == address and words in mail["subject"]:
                    return mail
            time.sleep(0.1)
        raise AssertionError(f"no mail to {address} about {words}")

    def mailed_token(self, address: str, words: str) -> str:
        found = re.search(r"(?:\?token=|/team/invite/)(\S+)", self.mail_to(address, words)["text"])
        assert found
        return found.group(1)


def data_of(response: APIResponse) -> Any:
    body = response.json()
    assert body["success"], body
    return body["data"]


@dataclass
class World:
    """Who looks at pages, by name, and what stands for the braces in their paths."""

    people: dict[str, Person]
    values: dict[str, str] = field(default_factory=dict)


def build(chromium: Browser, live: Live) -> World:
    """Make the world on a service, through its API alone but for the numbers of the dashboard."""
    names = ("guest", "ines", "jonas", "noor", "admin")
    world = World({name: Person(chromium, live) for name in names})
    guest, ines, jonas, noor, admin = world.people.values()
    sign_up(ines, INES, "Ines Carvalho", username="ines_c", userType="production")
    sign_up(noor, NOOR, "Noor El-Amin")
    teams = [make_team(ines, name, description) for name, description in TEAMS]
    invite(ines, teams[0], JONAS, "admin")
    accept(jonas, JONAS, "Jonas Lindqvist")
    join(chromium, live, ines, teams[0], "mei.tanaka@example.com", "member", "Mei Tanaka")
    join(chromium, live, ines, teams[0], "priya@example.com", "viewer", None)
    long_address = "maximiliane.von-der-heide-zu-ostertal@filmfoerderung.example.com"
    invite(ines, teams[0], long_address, "viewer", message="You asked to see how it goes. Here it is.\nInes")
    invite(ines, teams[0], "oskar@example.com", "member")
    invite(ines, teams[2], NOOR, "member", message="Your night scenes are what this needs.")
    refused = invite(ines, teams[1], "refused@example.com", "member")
    guest.post("/teams/invites/reject", token=refused)
    for agent in AGENTS:
        Person(chromium, live).post("/auth/sign-in", agent, email=INES, password=PASSWORD)
    for name in ("Slate importer", "Nightly export of everything that was pitched in the season before this one"):
        ines.post("/auth/tokens", name=name, expiresInDays=365)
    every_mail(guest, noor)
    flask(live.environ, "users", "create-admin", ADMIN, typed=f"{PASSWORD}\n")
    admin.post("/auth/sign-in", email=ADMIN, password=PASSWORD)
    busy_hour(live)
    invitation = next(mail for mail in guest.mails() if mail["to"] == long_address)
    world.values = {
        "team": teams[0],
        "empty_team": teams[1],
        "mail": invitation["id"],
        "stranger": ines.mailed_token(long_address, "Invitation"),
        "invited": ines.mailed_token(NOOR, "Invitation"),
        "refused": refused,
    }
    return world


def sign_up(person: Person, email: str, name: str, **more: str) -> None:
    person.post("/auth/sign-up", email=email, password=PASSWORD, name=name, **more)
    assert person.post("/auth/verify-email", token=person.mailed_token(email, "Confirm"))["session"]


def every_mail(guest: Person, noor: Person) -> None:
    """Cause the kinds of mail that nothing else here does."""
    guest.post("/auth/sign-up", email=NOOR, password=PASSWORD)
    guest.post("/auth/forgot-password", email=NOOR)
    noor.post("/auth/change-password", currentPassword=PASSWORD, newPassword=PASSWORD)
    for subject in ("already have", "Reset", "was changed"):
        noor.mail_to(NOOR, subject)


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
