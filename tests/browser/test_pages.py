"""Every page and mail, wide and narrow, light and dark: it fits, complains of nothing, and works by keyboard."""

import os
from itertools import product
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Page, Response, ViewportSize, expect

from tests.browser.past import MAILS
from tests.browser.visits import VISITS, Visit, unfold
from tests.browser.watch import axe_findings, keyboard_troubles, overflow
from tests.browser.world import World

pytestmark = pytest.mark.browser

SIZES: dict[str, ViewportSize] = {"wide": {"width": 1280, "height": 800}, "narrow": {"width": 360, "height": 740}}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SCREENSHOTS = os.environ.get("SCREENSHOTS")


@pytest.mark.parametrize("visit", VISITS, ids=lambda visit: visit.name)
def test_page(visit: Visit, world: World) -> None:
    person = world.people[visit.who]
    page = person.context.pages[0] if person.context.pages else person.context.new_page()
    assert open_page(page, visit, world).status == visit.status
    if visit.unfold:
        unfold(page, visit.unfold)
    expect(page.get_by_role("main")).to_contain_text(visit.says)
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
    for name, words in MAILS.items():
        html = next(mail["html"] for mail in mails if words in mail["text"])
        page.set_content(html)
        for (size, viewport), scheme in product(SIZES.items(), SCHEMES):
            page.set_viewport_size(viewport)
            page.emulate_media(color_scheme=scheme)
            found = axe_findings(page, "wcag2a", "wcag2aa", "wcag21aa", "wcag22aa")
            found += [f"{pixels} pixels too wide" for pixels in [overflow(page)] if pixels]
            troubles += [f"{name}, {size}, {scheme}: {trouble}" for trouble in found]
            if SCREENSHOTS:
                picture(page, Path(SCREENSHOTS) / f"mail-{name}-{size}-{scheme}.png")
    page.close()
    assert troubles == []
