"""What happened to accounts before anyone looks: sessions that ended, links that are still good, every kind of mail."""

from collections.abc import Callable

from tests.browser.person import PASSWORD, Person, sign_up

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Mobile Safari/604.1"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:126.0) Gecko/20100101 Firefox/126.0"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0"
TARA, LENA, OTTO, GONE = "tara@example.com", "lena@example.com", "otto@example.com", "gone@example.com"
# What each kind of mail has in its text, by the name of its templates.
MAILS = {
    "verify_email": "to confirm your address",
    "already_registered": "tried to sign up",
    "reset_password": "Choose a new password",
    "password_changed": "Your password was changed",
    "new_device": "New sign-in",
    "confirm_email_change": "Confirm your new address",
    "address_taken": "move another",
    "email_changed": "Your address was changed",
    "account_deleted": "Your account was deleted",
    "invitation": "Ines Carvalho writes:",
    "member_joined": "accepted your invitation",
    "member_removed": "has removed you from",
    "ownership_offered": "to take their place",
    "ownership_taken": "accepted your offer",
}


def end_sessions(owner: Person, email: str, out: Person, ended: Person, shut: Person) -> None:
    """Sign in in three more browsers: one signs out, one is ended from the list, one by a new password."""
    out.post("/auth/sign-in", IPHONE, email=email, password=PASSWORD)
    out.post("/auth/sign-out", IPHONE)
    ended.post("/auth/sign-in", MAC, email=email, password=PASSWORD)
    owner.post("/auth/sessions/revoke-others")
    shut.post("/auth/sign-in", WINDOWS, email=email, password=PASSWORD)
    owner.post("/auth/change-password", currentPassword=PASSWORD, newPassword=PASSWORD, revokeOtherSessions=True)


def every_mail(guest: Person, noor: str, new_person: Callable[[], Person]) -> dict[str, str]:
    """Cause the kinds of mail that nothing else does; return the tokens of links that nobody has used."""
    guest.post("/auth/sign-up", email=noor, password=PASSWORD)
    guest.post("/auth/forgot-password", email=noor)
    tara, lena, otto, gone = (new_person() for _ in range(4))
    sign_up(tara, TARA, "Tara Quinn")
    sign_up(lena, LENA, "Lena Brandt")
    sign_up(otto, OTTO, "Otto Hansen")
    sign_up(gone, GONE, "Gone Tomorrow")
    tara.post("/auth/change-email", newEmail=noor, password=PASSWORD)
    tara.post("/auth/change-email", newEmail=f"new.{TARA}", password=PASSWORD)
    lena.post("/auth/change-email", newEmail=f"new.{LENA}", password=PASSWORD)
    lena.post("/auth/change-email/confirm", token=lena.mailed_token(f"new.{LENA}", "Confirm"))
    otto.post("/auth/change-password", currentPassword=PASSWORD, newPassword=PASSWORD)
    gone.delete("/auth/account", password=PASSWORD)
    for words in MAILS.values():
        guest.mail_with(words)
    return {
        "confirm": tara.mailed_token(f"new.{TARA}", "Confirm"),
        "undo": lena.mailed_token(LENA, "was changed"),
        "not_me": otto.mailed_token(OTTO, "was changed"),
    }
