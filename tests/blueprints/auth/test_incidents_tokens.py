"""What went wrong elsewhere with mailed links: each test is one incident."""

import pytest
from sqlalchemy import select

from app import mailed_tokens
from app.database import db, end_read, transaction, utc_now
from blueprints.auth.models import MailedToken, User, UserSession
from blueprints.auth.services import mailed
from tests.blueprints.auth.support import NEW_PASSWORD, count, dump, let_limits_pass, only, succeeds
from tests.clients import Program
from tests.people import PASSWORD, token_in, work

EMAIL, NEW, OLD = "ada@example.com", "ada@example.org", "ada@example.net"
USES = {  # the page of a kind of link, what it takes beside the token, and where the link was mailed to
    "verify-email": ("/auth/verify-email", {}, EMAIL),
    "reset-password": ("/auth/reset-password", {"newPassword": NEW_PASSWORD}, EMAIL),
    "change-email": ("/auth/change-email/confirm", {}, NEW),
    "undo-change-email": ("/auth/change-email/undo", {}, OLD),
    "not-me": ("/auth/not-me", {}, EMAIL),
}
pytestmark = pytest.mark.usefixtures("ada")


def make_link(purpose, email=EMAIL):
    """Mail somebody a link for a purpose; returns its token."""
    with transaction() as session:
        user = session.scalars(select(User).where(User.email == email).with_for_update()).one()
        row = mailed.make_token(session, user, purpose, USES[purpose][2] if email == EMAIL else None)
        return mailed_tokens.derive(row.purpose, row.id, row.nonce, row.key_id)


def use(client, purpose, token):
    page, more, _ = USES[purpose]
    return client.submit(page, _page=f"{page}?token={token}", token=token, **more)


def is_open(token):
    end_read()
    found = db.session.scalar(select(MailedToken).where(MailedToken.token_hash == mailed_tokens.digest(token)))
    return found.ended_at is None and found.expires_at > utc_now()


@pytest.mark.parametrize("purpose", USES)
def test_any_other_text_is_no_token(either, purpose):
    """lingthio/Flask-User #84: the page took any text for a token."""
    token = make_link(purpose)
    row = only(MailedToken, MailedToken.purpose == purpose, MailedToken.ended_at.is_(None))
    junk = [str(row.id), row.id.hex, row.nonce, row.token_hash, row.key_id, f"{token}=", f"{token}x", token[:-1]]
    junk += [token.swapcase(), token[::-1], "'", "%", "_" * 43, "null", "undefined", "0", "../../", "🔑", "a" * 300]
    for text in junk:
        answer = use(either, purpose, text)
        assert (answer.status, answer.code) == (400, None if either.is_browser else "INVALID_TOKEN"), text
        let_limits_pass(hours=1)
    assert is_open(token)
    assert use(either, purpose, token).status == succeeds(either)


@pytest.mark.parametrize("purpose", USES)
def test_a_token_in_the_address_does_nothing(app, purpose):
    """supabase/auth #1214: to ask for the address in the mail was enough, by whatever method."""
    path, token = f"/api{USES[purpose][0]}", make_link(purpose)
    before, client = dump(app), app.test_client()
    for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE"):
        assert client.open(f"{path}?token={token}", method=method, json={}).status_code == 405
    assert client.post(f"{path}?token={token}&newPassword=x{NEW_PASSWORD}", json={}).status_code == 400
    assert dump(app) == before


def change_password(ada):
    return ada.submit("/auth/change-password", currentPassword=PASSWORD, newPassword=f"{NEW_PASSWORD}!")


def reset_password(ada):
    return use(ada, "reset-password", make_link("reset-password"))


def change_email(ada):
    return use(ada, "change-email", make_link("change-email"))


def undo_change_email(ada):
    return use(ada, "undo-change-email", make_link("undo-change-email"))


def say_it_was_not_me(ada):
    return use(ada, "not-me", make_link("not-me"))


def sign_in(ada):
    return ada.submit("/auth/sign-in", email=EMAIL, password=PASSWORD)


@pytest.mark.parametrize(
    "event", [change_password, reset_password, change_email, undo_change_email, say_it_was_not_me, sign_in]
)
def test_an_older_reset_link_dies_with(ada, program, event):
    """allauth 0.35: a link for a new password still worked after the address, or the password, was changed."""
    token = make_link("reset-password")
    assert event(ada).status == 200
    before = only(User).password_hash
    assert use(program, "reset-password", token).code == "INVALID_TOKEN"
    assert only(User).password_hash == before


def test_a_reset_shuts_out_whoever_signed_up_before(app, either, outbox):
    """allauth 64.2.1, better-auth c06a56d: a stranger had signed up first, and kept the password they had chosen."""
    squatter, bob = Program(app), "bob@example.com"
    squatter.submit("/auth/sign-up", email=bob, password=PASSWORD, username="mallory")
    verification = token_in(outbox()[-1])
    either.submit("/auth/forgot-password", email=bob)
    assert use(either, "reset-password", token_in(outbox()[-1])).status == succeeds(either)
    assert squatter.submit("/auth/verify-email", token=verification).code == "INVALID_TOKEN"
    assert squatter.submit("/auth/sign-in", email=bob, password=PASSWORD).code == "INVALID_CREDENTIALS"
    assert squatter.get("/auth/session").status == 401
    assert count(UserSession, UserSession.user_id == only(User, User.email == bob).id) == 0


@pytest.mark.parametrize("purpose", USES)
def test_a_link_is_of_one_account(people, purpose):
    """devise CVE-2026-32700, allauth 65.12.1: somebody's link confirmed the address of another account."""
    people.verified("bob@example.com")
    token = make_link(purpose)
    bob = people.program("bob@example.com")
    before = only(User, User.email == "bob@example.com")
    assert use(bob, purpose, token).status == 200
    after = only(User, User.email == "bob@example.com")
    for name in ("password_hash", "email_key", "email_verified_at", "sign_up_id"):
        assert getattr(after, name) == getattr(before, name)
    assert count(UserSession, UserSession.user_id == before.id, UserSession.ended_at.is_(None)) == 2


@pytest.mark.needs("teams", "an invitation is answered there")
def test_a_reset_accepts_no_invitation(ada, app, outbox, people):
    """devise_invitable #897: a new password, set by a mailed link, accepted an expired invitation on the way."""
    people.verified("bob@example.com")
    bob = people.program("bob@example.com")
    team_id = ada.submit("/teams", name="Engines").data["team"]["id"]
    assert ada.submit(f"/teams/{team_id}/invite", email="bob@example.com").status == 201
    bob.submit("/auth/forgot-password", email="bob@example.com")
    work(app)
    token = next(token_in(mail) for mail in outbox()[::-1] if "Reset" in mail.subject)
    assert use(bob, "reset-password", token).status == 200
    bob = people.program("bob@example.com", NEW_PASSWORD)
    assert bob.get("/teams").data["teams"] == []
    assert [invite["status"] for invite in bob.get("/teams/invites").data["invites"]] == ["pending"]
