"""What people do without a mouse, from the first Tab to the message that it is done."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import NewVisitor
from tests.browser.person import PASSWORD
from tests.browser.world import INES, JONAS, NOOR, PRIYA, World, members_of

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("world")]


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


def test_changing_the_password_by_keyboard_alone(new_visitor: NewVisitor) -> None:
    """From signing in to the message that it is done; the other sessions go on."""
    page = new_visitor()
    page.goto("/auth/sign-in")
    type_into(page, "Email", NOOR)
    type_into(page, "Password", PASSWORD)
    enter(page, page.get_by_role("button", name="Sign in"))
    enter(page, page.get_by_role("link", name="Account of Noor El-Amin"))
    enter(page, page.get_by_role("link", name="Change password"))
    type_into(page, "Current password", PASSWORD)
    type_into(page, "New password", PASSWORD)
    box = page.get_by_label("Sign out everywhere else")
    tab_to(page, box)
    page.keyboard.press("Space")
    expect(box).not_to_be_checked()
    enter(page, page.get_by_role("button", name="Change password"))
    expect(page.get_by_role("status")).to_contain_text("Password changed successfully.")
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()


def test_changing_a_role_by_keyboard_alone(new_visitor: NewVisitor) -> None:
    """From signing in to the message that somebody has another role."""
    page = new_visitor()
    page.goto("/auth/sign-in")
    type_into(page, "Email", INES)
    type_into(page, "Password", PASSWORD)
    enter(page, page.get_by_role("button", name="Sign in"))
    enter(page, page.get_by_role("link", name="Harbour Lights"))
    tab_to(page, page.locator("summary", has_text=f"Manage {PRIYA}"))
    page.keyboard.press("Enter")
    role = page.get_by_label("Role", exact=True).filter(visible=True).first
    tab_to(page, role)
    page.keyboard.type("Member")
    enter(page, page.get_by_role("button", name=f"Change the role of {PRIYA}"))
    expect(page.get_by_role("status")).to_contain_text(f"{PRIYA} is member now.")
    row = page.get_by_role("listitem").filter(has_text=f"Manage {PRIYA}")
    expect(row.get_by_text("Member", exact=True).first).to_be_visible()


def test_a_page_that_is_asked_for_one_of_its_forms_begins_there(world: World) -> None:
    """The focus is on the form, or just before its button when that would change something at once."""
    team, ines = f"/teams/{world.values['team']}", world.people["ines"]
    jonas = next(member["id"] for member in members_of(ines, world.values["team"]) if member["email"] == JONAS)
    for who, path, button in (
        ("mei", "leave", "Leave the team"),
        ("ines", f"members/{jonas}/edit", "Change the role of Jonas Lindqvist"),
        ("ines", f"members/{jonas}/delete", "Remove Jonas Lindqvist from the team"),
    ):
        page = world.people[who].context.new_page()
        page.goto(f"{team}/{path}")
        expect(page.locator("[autofocus]")).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name=button)).to_be_focused()
        page.close()


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


def tab_to(page: Page, place: Locator) -> None:
    """Press Tab until the place has the focus."""
    for _ in range(40):
        if place.evaluate("place => place === document.activeElement"):
            return
        page.keyboard.press("Tab")
    expect(place).to_be_focused()


def type_into(page: Page, label: str, text: str) -> None:
    tab_to(page, page.get_by_label(label, exact=True))
    page.keyboard.type(text)


def enter(page: Page, place: Locator) -> None:
    """Press Enter on the place, and wait for the page it leads to."""
    tab_to(page, place)
    with page.expect_navigation():
        page.keyboard.press("Enter")
