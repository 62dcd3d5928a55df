"""Every page, wide and narrow, light and dark: it answers, fits, complains of nothing, and works by keyboard."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, Response, ViewportSize, expect

from tests.browser.conftest import NewVisitor
from tests.browser.watch import axe_findings, keyboard_troubles, overflow
from tests.browser.world import INES, PASSWORD, World

pytestmark = pytest.mark.browser

SIZES: dict[str, ViewportSize] = {"wide": {"width": 1280, "height": 800}, "narrow": {"width": 360, "height": 740}}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SCREENSHOTS = os.environ.get("SCREENSHOTS")

Then = Callable[[Page], None]


@dataclass(frozen=True)
class Visit:
    """A page, who looks at it, and what they do on it first."""

    name: str
    who: str
    path: str
    status: int = 200
    then: Then | None = None


def press(name: str) -> Then:
    return lambda page: page.get_by_role("button", name=name, exact=True).click()


def fill(button: str, **values: str) -> Then:
    def act(page: Page) -> None:
        for name, value in values.items():
            page.locator(f"[name={name}]").fill(value)
        press(button)(page)

    return act


VISITS = (
    Visit("sign-in", "guest", "/auth/sign-in"),
    Visit("sign-in-refused", "guest", "/auth/sign-in", 401, fill("Sign in", email=INES, password="a guess")),
    Visit("sign-up", "guest", "/auth/sign-up"),
    Visit("sign-up-refused", "guest", "/auth/sign-up", 422, fill("Create account", email="ines", username="I C")),
    Visit("check-mail", "guest", "/auth/check-mail"),
    Visit("verify-email", "guest", "/auth/verify-email?token=x"),
    Visit("verify-email-dead", "guest", "/auth/verify-email?token=x", 400, press("Confirm my email")),
    Visit("resend-verification", "guest", "/auth/resend-verification"),
    Visit("forgot-password", "guest", "/auth/forgot-password"),
    Visit("reset-password", "guest", "/auth/reset-password?token=x"),
    Visit("invitation-stranger", "guest", "/team/invite/{stranger}"),
    Visit("invitation-signed-out", "guest", "/team/invite/{invited}"),
    Visit("invitation-mine", "noor", "/team/invite/{invited}"),
    Visit("invitation-not-mine", "jonas", "/team/invite/{invited}"),
    Visit("invitation-dead", "guest", "/team/invite/{refused}", 410),
    Visit("not-found", "guest", "/nowhere", 404),
    Visit("health", "guest", "/health"),
    Visit("mailbox", "guest", "/dev/mailbox"),
    Visit("mail", "guest", "/dev/mailbox/{mail}"),
    Visit("teams", "ines", "/teams"),
    Visit("teams-none", "noor", "/teams"),
    Visit("team-new", "ines", "/teams/new"),
    Visit("team", "ines", "/teams/{team}"),
    Visit("team-alone", "ines", "/teams/{empty_team}"),
    Visit("invite", "ines", "/teams/{team}/invite"),
    Visit("invite-refused", "ines", "/teams/{team}/invite", 409, fill("Send invitation", email=INES)),
    Visit("invitations", "noor", "/teams/invites"),
    Visit("account", "ines", "/auth/account"),
    Visit("token-shown", "ines", "/auth/account", 200, fill("Create token", name="Festival sync")),
    Visit("change-password", "ines", "/auth/change-password"),
    Visit("reauthenticate", "ines", "/auth/reauthenticate"),
    Visit("sign-out", "ines", "/auth/sign-out"),
    Visit("dashboard", "admin", "/metrics/dashboard"),
    Visit("forbidden", "ines", "/metrics/dashboard", 403),
)


@pytest.mark.parametrize("visit", VISITS, ids=lambda visit: visit.name)
def test_page(visit: Visit, world: World) -> None:
    person = world.people[visit.who]
    page = person.context.pages[0] if person.context.pages else person.context.new_page()
    assert open_page(page, visit, world).status == visit.status
    troubles = []
    for (size, viewport), scheme in product(SIZES.items(), SCHEMES):
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # no colour halfway
        found = axe_findings(page) + [f"{pixels} pixels too wide" for pixels in [overflow(page)] if pixels]
        troubles += [f"{size}, {scheme}: {trouble}" for trouble in found]
        if SCREENSHOTS:
            picture(page, Path(SCREENSHOTS) / f"{visit.name}-{size}-{scheme}.png")
    assert troubles + keyboard_troubles(page) + person.complaints.take() == []


def picture(page: Page, path: Path) -> None:
    """Take a picture of the whole page, in a window as high: a frame out of sight would not be drawn."""
    height = page.evaluate("document.documentElement.scrollHeight")
    assert page.viewport_size is not None
    page.set_viewport_size({"width": page.viewport_size["width"], "height": height})
    page.wait_for_timeout(100)
    page.screenshot(path=path)


def open_page(page: Page, visit: Visit, world: World) -> Response:
    """Go there, and do what is to be done there; return the answer that is shown in the end."""
    response = page.goto(visit.path.format(**world.values))
    if visit.then is not None:
        with page.expect_navigation() as navigation:
            visit.then(page)
        response = navigation.value
    assert response is not None
    return response


def test_mails(world: World) -> None:
    """Each kind of mail can be read in a narrow and in a wide window, light and dark."""
    page = world.people["guest"].context.new_page()
    mails = world.people["guest"].mails()
    troubles = []
    for words in ("Confirm your email", "Invitation to join", "joined", "already have", "Reset", "was changed"):
        html = next(mail["html"] for mail in mails if words in mail["subject"])
        page.set_content(html)
        for (size, viewport), scheme in product(SIZES.items(), SCHEMES):
            page.set_viewport_size(viewport)
            page.emulate_media(color_scheme=scheme)
            found = axe_findings(page, "wcag2a", "wcag2aa", "wcag21aa", "wcag22aa")
            found += [f"{pixels} pixels too wide" for pixels in [overflow(page)] if pixels]
            troubles += [f"{words}, {size}, {scheme}: {trouble}" for trouble in found]
            if SCREENSHOTS:
                picture(page, Path(SCREENSHOTS) / f"mail-{words.lower().replace(' ', '-')}-{size}-{scheme}.png")
    page.close()
    assert troubles == []


@pytest.mark.usefixtures("world")
def test_signing_in_by_keyboard_alone(new_visitor: NewVisitor) -> None:
    page = new_visitor()
    page.goto("/auth/sign-in")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Email")).to_be_focused()
    page.keyboard.type(INES)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.get_by_label("Stay signed in on this device")).to_be_checked()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Sign in")).to_be_focused()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Teams", exact=True)).to_be_visible()


@pytest.mark.usefixtures("world")
def test_a_refused_form_says_so_to_the_keyboard(new_visitor: NewVisitor) -> None:
    """The summary of errors has the focus, and each error leads to its field."""
    page = new_visitor()
    page.goto("/auth/sign-up")
    with page.expect_navigation():
        page.get_by_label("Email").press("Enter")
    expect(page.get_by_role("alert")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Email")).to_be_focused()
