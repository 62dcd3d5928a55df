"""The whole chain as two people live it, with a browser each and a phone: no shortcut through the API."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewVisitor

pytestmark = pytest.mark.browser

OLD, NEW = "correct horse battery", "a lantern on the pier"


def press(page: Page, name: str) -> None:
    """Press a button and wait for the page it leads to."""
    with page.expect_navigation():
        page.get_by_role("button", name=name, exact=True).click()


def follow(page: Page, name: str) -> None:
    with page.expect_navigation():
        page.get_by_role("link", name=name, exact=True).click()


def open_mail(page: Page, subject: str, to: str) -> str:
    """Open a mail in the mailbox, read it as HTML, and return the address that its button has."""
    mail = page.get_by_role("listitem").filter(has_text=f"to {to}").get_by_role("link", name=subject, exact=True)
    for _ in range(20):  # it is kept within two seconds
        page.goto("/dev/mailbox")
        if mail.count():
            break
        page.wait_for_timeout(200)
    with page.expect_navigation():
        mail.first.click()
    html = page.frame_locator("iframe")
    expect(html.get_by_role("heading", name=subject.removesuffix(" for Pitchey"))).to_be_visible()
    return html.locator("a.button").get_attribute("href") or ""


def follow_mail(page: Page, subject: str, to: str) -> None:
    """Go where the button of a mail leads: the sandbox of its HTML keeps it shut, the text has the same link."""
    follow(page, open_mail(page, subject, to))


def sign_in(page: Page, email: str, password: str) -> None:
    page.goto("/auth/sign-in")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    press(page, "Sign in")


def test_the_whole_chain(new_visitor: NewVisitor) -> None:
    mara, phone, tom = new_visitor(), new_visitor(), new_visitor()
    sign_up(mara)
    sign_in(phone, "mara@example.com", OLD)
    expect(phone.get_by_text("Create your first team")).to_be_visible()
    make_team(mara)
    invite(mara)
    join(tom)
    hear_of_it(mara)
    change_password(mara)
    phone.goto("/teams")
    expect(phone.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in(phone, "mara@example.com", NEW)
    expect(phone.get_by_role("link", name="Night Ferry")).to_be_visible()


def sign_up(page: Page) -> None:
    """From the start page to a verified account, signed in by the mailed link."""
    page.goto("/")
    follow(page, "Create an account")
    page.get_by_label("Email").fill("mara@example.com")
    page.get_by_label("Password").fill(OLD)
    page.get_by_label("Production company").check()
    page.get_by_label(re.compile("^Name")).fill("Mara Voss")
    press(page, "Create account")
    expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()
    follow(page, "Open the development mailbox")
    follow_mail(page, "Confirm your email for Pitchey", "mara@example.com")
    press(page, "Confirm my email")
    expect(page.get_by_role("status")).to_contain_text("Your address is verified.")
    expect(page.get_by_role("banner")).to_contain_text("Mara Voss")


def make_team(page: Page) -> None:
    page.goto("/teams")
    follow(page, "Create a team")
    page.get_by_label("Name").fill("Night Ferry")
    page.get_by_label("Description").fill("A thriller in one crossing.")
    press(page, "Create team")
    expect(page.get_by_role("heading", name="Night Ferry", level=1)).to_be_visible()


def invite(page: Page) -> None:
    page.get_by_label("Email").fill("tom@example.com")
    page.get_by_label("Role").select_option("Admin")
    page.get_by_label("Message").fill("Will you read the first act?")
    press(page, "Send invitation")
    expect(page.get_by_role("status")).to_contain_text("An invitation is on its way to tom@example.com.")
    expect(page.get_by_role("listitem").filter(has_text="tom@example.com")).to_contain_text("Mail ")


def join(page: Page) -> None:
    """Somebody without an account opens the mailed link, and needs a password to be in."""
    follow_mail(page, "Invitation to join Night Ferry", "tom@example.com")
    expect(page.get_by_role("main")).to_contain_text("Mara Voss invites you to join Night Ferry as an admin.")
    expect(page.get_by_role("main")).to_contain_text("Will you read the first act?")
    page.get_by_label("Name").fill("Tom Adeyemi")
    page.get_by_label("Password").fill("two tickets please")
    press(page, "Join Night Ferry")
    expect(page.get_by_role("status")).to_contain_text("You are in Night Ferry now.")
    expect(page.get_by_role("banner")).to_contain_text("Tom Adeyemi")


def hear_of_it(page: Page) -> None:
    """The second mail leads whoever invited to the members."""
    follow_mail(page, "Tom Adeyemi joined Night Ferry", "mara@example.com")
    expect(page).to_have_url(re.compile(r"/teams/[0-9a-f-]{36}$"))
    row = page.get_by_role("listitem").filter(has_text="Tom Adeyemi")
    expect(row).to_contain_text("Admin")


def change_password(page: Page) -> None:
    follow(page, "Account of Mara Voss")
    follow(page, "Change password")
    page.get_by_label("Current password").fill(OLD)
    page.get_by_label("New password").fill(NEW)
    expect(page.get_by_label("Sign out everywhere else")).to_be_checked()
    press(page, "Change password")
    expect(page.get_by_role("status")).to_contain_text("Password changed successfully.")
    expect(page.get_by_role("listitem").filter(has_text="This browser")).to_have_count(1)
