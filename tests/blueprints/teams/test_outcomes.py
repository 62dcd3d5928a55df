"""What a mailed link answers: every cell of the tables in docs/teams.md, as a browser and as a program."""

import re
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import unquote

import pytest

from app.database import utc_now
from blueprints.teams.models import Invitation
from blueprints.teams.roles import ROLES
from blueprints.teams.schemas import ChangeRole
from blueprints.teams.services import cases, member_changes, resending, teams
from tests.blueprints.auth.support import let_limits_pass
from tests.clients import Browser, Program
from tests.docs import markdown
from tests.people import PASSWORD

PAGE = markdown.chapter(markdown.read("teams.md"), "The mailed link")
OUTCOMES = markdown.chapter(markdown.read("teams.md"), "The outcome of every link")
STATES = re.findall(r"^### (.+)$", OUTCOMES, re.MULTILINE)
SENTENCES: dict[str, str] = dict(markdown.table(PAGE, "what is said"))
BUTTONS = {label: re.findall(r"^(GET|POST) `([^`]+)`", target)[0] for label, target in markdown.table(PAGE, "button")}
REJECTING = {(state, who): cells for state, who, *cells in markdown.table(PAGE, "rejecting")}
CELL = re.compile(r"(\d{3}) (?:to `(?P<to>[^`]+)`|(?P<said>[^,]+?)(?:, \*\*(?P<button>.+)\*\*)?)")

LINK = re.compile(r'<a class="btn btn-primary"\s+href="([^"]*)"[^>]*>(.*?)</a>', re.DOTALL)
FORM = re.compile(r'<form[^>]*\saction="([^"]*)"[^>]*>(.*?)</form>', re.DOTALL)
BUTTON = re.compile(r'<button class="btn btn-primary[^"]*"[^>]*>(.*?)</button>', re.DOTALL)


@dataclass(frozen=True)
class Outcome:
    """One cell: a status, what is said (a code of the contract or words), and the button or the redirect."""

    status: int
    said: str | None
    button: str | None
    to: str | None

    @classmethod
    def read(cls, cell: str) -> "Outcome":
        found = CELL.fullmatch(cell)
        assert found, cell
        return cls(int(found[1]), found["said"], found["button"], found["to"])

    @property
    def code(self) -> str | None:
        """The code of an error; none for what went well."""
        first = (self.said or "").partition(" ")[0]
        return first if first.isupper() else None


def all_cells() -> list[Any]:
    """Every state, visitor, client and answer, with what the tables say: first of looking, then of answering."""
    found = []
    for state in STATES:
        for who, *columns in markdown.table(markdown.chapter(OUTCOMES, state), "visitor"):
            page, page_accept, preview, accept = columns
            page_reject, reject = REJECTING.get((state.lower(), who), (page_accept, accept))
            expected = {
                ("page", "accept"): (page, page_accept),
                ("page", "reject"): (page, page_reject),
                ("JSON", "accept"): (preview, accept),
                ("JSON", "reject"): (preview, reject),
            }
            for (client, verb), pair in expected.items():
                outcomes = tuple(map(Outcome.read, pair))
                found.append(pytest.param(state, who, client, verb, *outcomes, id=f"{state}-{who}-{client}-{verb}"))
    return found


@pytest.fixture
def scene(house, ada):
    """Cleo, an admin of Ada's team, has invited bob as an admin."""
    return Scene(house, ada)


class Scene:
    """A team, the invitation that is looked at, and who looks."""

    def __init__(self, house: Any, ada: Any) -> None:
        self.house, self.ada = house, ada
        self.team_id = house.team(ada)
        self.cleo = house.join(self.team_id, house.person("cleo@example.com", "Cleo"), "admin")
        self.sent = house.invite(self.cleo, self.team_id, role="admin")
        self.token = house.token(self.sent)
        self.link = f"/team/invite/{self.token}"
        self.bob: Any = None

    def let_in(self, client: Any, who: str) -> None:
        """Make the visitor, and sign them in where the table says so."""
        if who == "unverified account":
            early = Program(client.client.application)
            assert early.submit("/auth/sign-up", email="bob@example.com", password="another long one").status == 202
        elif who != "no account":
            self.bob = self.house.person("bob@example.com")
        if who.startswith("a member"):
            self.house.join(self.team_id, self.bob, "viewer")
        if who.startswith("someone else"):
            self.house.sign_in(client, self.house.person("eve@example.com"))
        elif who.endswith("signed in"):
            self.house.sign_in(client, self.bob)

    def come_to(self, state: str) -> None:
        """Bring the invitation into a state, the way it gets there."""
        invitation_id = self.sent.invitation.id
        cleo_id = self.house.member_id(self.team_id, self.cleo)
        match state:
            case "Accepted":
                accepted_by = self.bob.user_id if self.bob else None
                self.house.change(self.sent, status="accepted", answered_at=utc_now(), accepted_by=accepted_by)
            case "Rejected":
                self.house.change(self.sent, status="rejected", answered_at=utc_now())
            case "Revoked":
                resending.revoke_invite(self.ada, invitation_id)
            case "Expired":
                self.house.change(self.sent, expires_at=utc_now())
            case "Superseded":
                let_limits_pass(minutes=10)
                resending.resend_invite(self.cleo, invitation_id)
            case "Team deleted":
                teams.delete_team(self.ada, self.team_id)
            case "Inviter gone":
                member_changes.remove_member(self.ada, self.team_id, cleo_id)
            case "Inviter demoted":
                member_changes.change_role(self.ada, self.team_id, cleo_id, ChangeRole(role="member"))
            case _:
                assert state == "Pending"

    def look(self, client: Any) -> Any:
        return client.get(self.link if client.is_browser else f"/teams/invites/preview?token={self.token}")

    def answer(self, client: Any, verb: str) -> Any:
        """Accept or reject, from a page that was open before."""
        values = {"name": "Bob", "password": PASSWORD} if verb == "accept" else {}
        if client.is_browser:
            return client.submit(f"{self.link}/{verb}", _page="/auth/sign-out", **values)
        return client.submit(f"/teams/invites/{verb}", token=self.token, **values)

    def real(self, place: str) -> str:
        """An address of the tables, as it is here."""
        return place.replace("{link}", self.link).replace("{team}", f"/teams/{self.team_id}")


def words(html: str) -> str:
    """What a page says, in one line."""
    main = re.sub(r"<script.*?</script>", "", html[html.index("<main") :], flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", "", main)).split())


def primary_buttons(html: str) -> list[tuple[str, str, str]]:
    """The primary buttons of a page: label, method, and where each leads."""
    links = [(label, "GET", place) for place, label in LINK.findall(html)]
    forms = [(label, "POST", place) for place, inside in FORM.findall(html) for label in BUTTON.findall(inside)]
    assert len(links) + len(forms) == html.count("btn-primary")
    return [(" ".join(unescape(label).split()), method, place) for label, method, place in links + forms]


def check_page(scene: Scene, browser: Browser, answer: Any, expected: Outcome) -> None:
    assert answer.status == expected.status
    if expected.to is not None:
        assert unquote(answer.location) == scene.real(expected.to)
        return
    assert markdown.is_like(f"…{SENTENCES[str(expected.said)]}…", words(answer.text))
    method, place = BUTTONS[str(expected.button)]
    assert primary_buttons(answer.text) == [(expected.button, method, scene.real(place))]
    if method == "GET":  # it is no dead end: a page, or the sign-in page that leads back to it
        there = browser.get(scene.real(place))
        way_in = str(expected.button).startswith("Sign in")
        where = (303, f"/auth/sign-in?next={place}") if way_in else (200, "")
        assert (there.status, unquote(there.location)) == where


def check_json(answer: Any, expected: Outcome) -> None:
    assert (answer.status, answer.code) == (expected.status, expected.code)
    if expected.code is not None:
        message = answer.response.get_json()["error"]["message"]
        assert markdown.is_like(SENTENCES[str(expected.said)], message)
    else:
        state = "accepted" if "member" in answer.data else answer.data["invitation"]["status"]
        assert state == {"open": "pending", "joined": "accepted", "rejected": "rejected"}[str(expected.said)]


@pytest.mark.parametrize(("state", "who", "client", "verb", "looking", "answering"), all_cells())
def test_outcome(app, scene, state, who, client, verb, looking, answering):
    visitor = Browser(app) if client == "page" else Program(app)
    scene.let_in(visitor, who)
    scene.come_to(state)
    before = scene.house.state(scene.sent), scene.house.roles(scene.team_id)
    for act, expected in ((lambda: scene.look(visitor), looking), (lambda: scene.answer(visitor, verb), answering)):
        answer = act()
        if isinstance(visitor, Browser):
            check_page(scene, visitor, answer, expected)
        else:
            check_json(answer, expected)
        if expected is looking or answering.code is not None:  # looking and refusals change nothing
            assert (scene.house.state(scene.sent), scene.house.roles(scene.team_id)) == before
    if state == "Pending" and answering.code is None:
        signs_in_first = (answering.to or "").startswith("/auth/sign-in")
        assert scene.house.state(scene.sent) == ("pending" if signs_in_first else f"{verb}ed")


def test_the_roles_are_those_of_the_table():
    told = markdown.table(markdown.read("teams.md"), "role")
    yes = {True: "yes", False: "no"}
    rights = [(role.id, role.can_edit, role.can_invite and role.can_manage_roles, role.can_delete) for role in ROLES]
    assert told == [[name, *(yes[right] for right in each)] for name, *each in rights]


def test_the_tables_are_whole():
    """Every state for every visitor, nobody forgotten; and nothing is explained that is said nowhere."""
    visitors = [[row[0] for row in markdown.table(markdown.chapter(OUTCOMES, state), "visitor")] for state in STATES]
    assert len(STATES) == 9
    assert visitors == [visitors[0]] * 9
    assert len(set(visitors[0])) == 7
    assert {f"{state[0].upper()}{state[1:]}" for state, _ in REJECTING} <= set(STATES)
    told = [outcome for cell in all_cells() for outcome in cell.values[4:]]
    assert {outcome.said for outcome in told if outcome.said} == set(SENTENCES) | {"rejected"}
    assert {outcome.button for outcome in told if outcome.button} == set(BUTTONS)


def test_signing_out_returns_to_the_invitation(scene, browser):
    scene.let_in(browser, "someone else, signed in")
    page = browser.get(scene.link)
    assert "bob@example.com" not in page.text
    [(place, form)] = [found for found in FORM.findall(page.text) if BUTTON.search(found[1])]
    values = dict(re.findall(r'name="(\w+)"\s+value="([^"]*)"', form))
    assert set(values) == {"csrf_token", "next"}
    answer = browser.post(place, data=values)
    assert (answer.status, answer.location) == (303, scene.link)
    there = browser.get(answer.location)
    assert "You are signed out." in words(there.text)
    assert [label for label, *_ in primary_buttons(there.text)] == ["Sign in to accept"]


@pytest.mark.parametrize("verb", ["accept", "reject"])
def test_signing_in_returns_to_the_invitation(scene, browser, verb):
    scene.let_in(browser, "account, signed out")
    there = browser.get(scene.answer(browser, verb).location)
    assert f'name="next" value="{scene.link}"' in there.text
    answer = browser.submit("/auth/sign-in", next=scene.link, email="bob@example.com", password=PASSWORD)
    assert answer.location == scene.link
    assert scene.answer(browser, verb).status == 303
    assert scene.house.state(scene.sent) == f"{verb}ed"


def test_a_superseded_link_says_when_and_leads_to_the_newer_one(scene, browser):
    scene.let_in(browser, "the invited, signed in")
    scene.come_to("Superseded")
    [newer] = cases.find_pending(Invitation.team_id == scene.team_id)
    assert f"sent on {newer.invitation.created_at:%d %B %Y at %H:%M} UTC." in scene.look(browser).text
    listed = browser.get("/teams/invites").text
    assert f"/teams/invites/{newer.invitation.id}/accept" in listed
