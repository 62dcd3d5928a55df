"""Which pages are looked at, by whom, in which state, and what they must say there."""

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page

from tests.browser.person import PASSWORD
from tests.browser.world import INES

Then = Callable[[Page], None]

CONFIRM, UNDO, NOT_ME = "/auth/change-email/confirm", "/auth/change-email/undo", "/auth/not-me"
AGAIN = "/auth/reauthenticate"
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


def post_to(path: str, **values: str) -> Then:
    """Send a form that the page of a team does not offer to the visitor any more: an old page still would."""

    def act(page: Page) -> None:
        page.evaluate(
            """([path, values]) => {
                const form = document.querySelector("header form");
                form.action = location.pathname.split("/").slice(0, 3).join("/") + path;
                for (const [name, value] of Object.entries(values)) {
                    form.append(Object.assign(document.createElement("input"), {name, value}));
                }
                form.submit();
            }""",
            [path, values],
        )

    return act


SIGNED_OUT = (
    Visit("sign-in", "guest", "/auth/sign-in"),
    Visit("sign-in-refused", "guest", "/auth/sign-in", 401, guess("Sign in", email=INES)),
    Visit("sign-in-ended", "ended", "/auth/sign-in", says="ended by a password change"),
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
    Visit("confirm-done", "guest", CONFIRM + "?token={confirm}", then=press("Use this address"), says="is changed."),
    Visit("undo-done", "guest", UNDO + "?token={undo}", then=press("Take my address back"), says="is as it was"),
    Visit("not-me-done", "guest", NOT_ME + "?token={not_me}", then=press("Shut everyone out"), says="has ended."),
)
ACCOUNTS = (
    Visit("account", "ines", ACCOUNT, says="The Long Winter of the Lighthouse Keepers' Daughters"),
    Visit("account-plain", "mei", ACCOUNT, says="Delete account"),
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
    Visit("reauthenticate", "ines", AGAIN),
    Visit("sign-out", "ines", "/auth/sign-out"),
)
TEAM, SALTWATER, OFFERED, TAKEN = "/teams/{team}", "/teams/{empty_team}", "/teams/{offered_team}", "/teams/{taken_team}"
LINK = "/team/invite/{invited}"
TEAMS = (
    Visit("invitation-stranger", "guest", "/team/invite/{stranger}"),
    Visit("invitation-stranger-refused", "guest", "/team/invite/{stranger}", 422, press("Join Harbour Lights")),
    Visit("invitation-signed-out", "guest", LINK, says="There is an account for this address."),
    Visit("invitation-mine", "noor", LINK, says="Your night scenes are what this needs."),
    Visit("invitation-not-mine", "jonas", LINK, says="n***@example.com"),
    Visit("invitation-joined", "mei", "/team/invite/{used}", says="You are in Harbour Lights"),
    Visit("invitation-used", "guest", "/team/invite/{used}", 410, says="has been used"),
    Visit("invitation-dead", "guest", "/team/invite/{refused}", 410),
    Visit("invitation-unknown", "guest", "/team/invite/x", 400, says="no invitation behind this link"),
    Visit("teams", "ines", "/teams"),
    Visit("teams-none", "noor", "/teams", says="Create your first team"),
    Visit("team-new", "ines", "/teams/new"),
    Visit("team-new-refused", "ines", "/teams/new", 422, press("Create team"), says="required"),
    Visit("team", "ines", TEAM, says="Mail failed"),
    Visit("team-manage", "ines", TEAM, unfold="Manage Jonas Lindqvist", says="loses sight of the team"),
    Visit("team-admin", "jonas", TEAM, says="Send invitation"),
    Visit("team-member", "mei", TEAM, says="4 in this team."),
    Visit("team-alone", "ines", SALTWATER, says="Nobody is invited at the moment."),
    Visit("team-offered", "ines", OFFERED, says="Jonas Lindqvist offers you this team"),
    Visit("team-not-allowed", "mei", TEAM, 403, post_to("/invite", email=INES), says="You are not allowed to do this."),
    Visit("team-invite-refused", "ines", f"{TEAM}/invite", 409, fill("Send invitation", email=INES)),
    Visit("team-invite-asked", "ines", f"{TEAM}/invite"),
    Visit("team-invite", "ines", "/teams/invites/{invite}", says="Mail sent"),
    Visit("team-invite-again", "ines", "/teams/invites/{invite}", 429, press("Send again"), says="a short while ago"),
    Visit("team-settings", "ines", f"{TEAM}/settings", says="You cannot leave yet: you are the only owner"),
    Visit("team-settings-offered", "jonas", f"{OFFERED}/settings", says="You have offered your place to Ines Carvalho"),
    Visit("team-settings-alone", "ines", f"{SALTWATER}/settings", says="There is nobody to offer it to"),
    Visit("team-settings-admin", "jonas", f"{TEAM}/settings", says="You are an admin of Harbour Lights."),
    Visit("team-settings-member", "mei", f"{TEAM}/settings", says="You are a member of Harbour Lights."),
    Visit("team-edit-refused", "ines", TEAM, 422, post_to("/edit", name="x" * 101), says="100"),
    Visit("team-edit-not-allowed", "mei", TEAM, 403, post_to("/edit"), says="You are not allowed to do this."),
    Visit(
        "team-ownership",
        "ines",
        f"{AGAIN}?next={TEAM}/ownership",
        then=fill("Continue", password=PASSWORD),
        says="Offer it",
    ),
    Visit("team-leave", "mei", f"{TEAM}/leave", says="Do you want to leave Harbour Lights?"),
    Visit("team-leave-last-owner", "ines", TEAM, 409, post_to("/leave"), says="A team needs an owner."),
    Visit("team-delete", "ines", f"{TEAM}/delete", says="This cannot be undone."),
    Visit("team-invites-mine", "noor", "/teams/invites", says="Member, invited by Ines Carvalho"),
    Visit("team-invites-none", "jonas", "/teams/invites", says="Ask whether it went to this address."),
    Visit("team-taken", "ines", TAKEN, then=press("Become an owner"), says="You own this team now."),
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
