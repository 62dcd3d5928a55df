"""Which pages are looked at, by whom, in which state, and what they must say there."""

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page

from tests.browser.person import PASSWORD
from tests.browser.world import INES

Then = Callable[[Page], None]

CONFIRM, UNDO, NOT_ME = "/auth/change-email/confirm", "/auth/change-email/undo", "/auth/not-me"
ACCOUNT, EDIT, DELETE = "/auth/account", "/auth/account/edit", "/auth/account/delete"
DEAD = "This link does not work any more."


@dataclass(frozen=True)
class Visit:
    """A page, who looks at it, what they do on it first, what they then unfold, and what it says."""

    name: str
    who: str
    path: str
    status: int = 200
    then: Then | None = None
    unfold: str | None = None
    says: str = ""


def unfold(page: Page, words: str) -> None:
    page.locator("summary", has_text=words).click()


def press(name: str) -> Then:
    return lambda page: page.get_by_role("button", name=name, exact=True).click()


def fill(button: str, inside: str | None = None, **values: str) -> Then:
    """Fill the fields of a form, which may have to be unfolded first, and press its button."""

    def act(page: Page) -> None:
        if inside:
            unfold(page, inside)
        for name, value in values.items():
            page.locator(f"[name={name}]").fill(value)
        press(button)(page)

    return act


def guess(button: str, **values: str) -> Then:
    """Fill a form that asks for the password, and get that wrong."""
    return fill(button, **values, password="a guess")


SIGNED_OUT = (
    Visit("sign-in", "guest", "/auth/sign-in"),
    Visit("sign-in-refused", "guest", "/auth/sign-in", 401, guess("Sign in", email=INES)),
    Visit(
        "sign-in-ended", "ended", "/auth/sign-in", says="ended by a password change from Chrome on Linux (127.0.0.1)"
    ),
    Visit("sign-in-ended-refused", "ended", "/auth/sign-in", 401, guess("Sign in", email=INES)),
    Visit("sign-up", "guest", "/auth/sign-up"),
    Visit("sign-up-refused", "guest", "/auth/sign-up", 422, fill("Create account", email="ines", username="I C")),
    Visit("check-mail", "guest", "/auth/check-mail"),
    Visit("verify-email", "guest", "/auth/verify-email?token=x"),
    Visit("verify-email-dead", "guest", "/auth/verify-email?token=x", 400, press("Confirm my email"), says=DEAD),
    Visit("resend-verification", "guest", "/auth/resend-verification"),
    Visit("forgot-password", "guest", "/auth/forgot-password"),
    Visit("reset-password", "guest", "/auth/reset-password?token=x"),
    Visit(
        "reset-password-short", "guest", "/auth/reset-password?token=x", 422, fill("Set the password", newPassword="x")
    ),
    Visit("confirm", "guest", CONFIRM + "?token={confirm}"),
    Visit("confirm-dead", "guest", f"{CONFIRM}?token=x", 400, press("Use this address"), says=DEAD),
    Visit("undo", "guest", UNDO + "?token={undo}", says="your account has the address again"),
    Visit("undo-dead", "guest", f"{UNDO}?token=x", 400, press("Take my address back"), says=DEAD),
    Visit("not-me", "guest", NOT_ME + "?token={not_me}", says="the password is void"),
    Visit("not-me-dead", "guest", f"{NOT_ME}?token=x", 400, press("Shut everyone out"), says=DEAD),
    Visit("not-me-cut-off", "guest", NOT_ME, says="This link is not complete."),
    # These use their links up, so they come last.
    Visit("confirm-done", "guest", CONFIRM + "?token={confirm}", then=press("Use this address"), says="is changed."),
    Visit("undo-done", "guest", UNDO + "?token={undo}", then=press("Take my address back"), says="is as it was"),
    Visit("not-me-done", "guest", NOT_ME + "?token={not_me}", then=press("Shut everyone out"), says="has ended."),
)
ACCOUNTS = (
    Visit("account", "ines", ACCOUNT, says="The Long Winter of the Lighthouse Keepers' Daughters"),
    Visit("account-plain", "jonas", ACCOUNT, says="Delete account"),
    Visit("account-ended", "ines", ACCOUNT, unfold="Recently ended", says="Ended by signing out, "),
    Visit("account-new-token", "ines", ACCOUNT, unfold="New token"),
    Visit("token-refused", "ines", ACCOUNT, 422, fill("Create token", "New token", name="", expiresInDays="400")),
    Visit("token-asked", "ines", "/auth/tokens"),
    Visit("token-shown", "ines", ACCOUNT, then=fill("Create token", "New token", name="Festival sync")),
    Visit("edit-account", "ines", EDIT),
    Visit("edit-account-refused", "jonas", EDIT, 422, fill("Save", name="J. L.", username="ines_c"), says="is taken."),
    Visit("change-email", "ines", "/auth/change-email", says="Your address is ines@example.com."),
    Visit(
        "change-email-refused", "jonas", "/auth/change-email", 401, guess("Mail me the link", newEmail="j@example.com")
    ),
    Visit("change-password", "ines", "/auth/change-password"),
    Visit("change-password-short", "ines", "/auth/change-password", 422, fill("Change password", newPassword="x")),
    Visit("delete-account", "jonas", DELETE, says="This cannot be undone."),
    Visit("delete-account-refused", "jonas", DELETE, 401, guess("Delete my account"), says="incorrect"),
    Visit("delete-account-needed", "ines", DELETE, 409, fill("Delete my account", password=PASSWORD), says="Saltwater"),
    Visit("reauthenticate", "ines", "/auth/reauthenticate"),
    Visit("sign-out", "ines", "/auth/sign-out"),
)
TEAMS = (
    Visit("invitation-stranger", "guest", "/team/invite/{stranger}"),
    Visit("invitation-signed-out", "guest", "/team/invite/{invited}"),
    Visit("invitation-mine", "noor", "/team/invite/{invited}"),
    Visit("invitation-not-mine", "jonas", "/team/invite/{invited}"),
    Visit("invitation-dead", "guest", "/team/invite/{refused}", 410),
    Visit("teams", "ines", "/teams"),
    Visit("teams-none", "noor", "/teams"),
    Visit("team-new", "ines", "/teams/new"),
    Visit("team", "ines", "/teams/{team}"),
    Visit("team-alone", "ines", "/teams/{empty_team}"),
    Visit("invite", "ines", "/teams/{team}/invite"),
    Visit("invite-refused", "ines", "/teams/{team}/invite", 409, fill("Send invitation", email=INES)),
    Visit("invitations", "noor", "/teams/invites"),
)
OTHERS = (
    Visit("not-found", "guest", "/nowhere", 404),
    Visit("health", "guest", "/health"),
    Visit("mailbox", "guest", "/dev/mailbox"),
    Visit("mail", "guest", "/dev/mailbox/{mail}"),
    Visit("dashboard", "admin", "/metrics/dashboard"),
    Visit("forbidden", "ines", "/metrics/dashboard", 403),
)
VISITS = SIGNED_OUT + TEAMS + ACCOUNTS + OTHERS
