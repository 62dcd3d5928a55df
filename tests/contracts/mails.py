"""Every mail there is, rendered by its own job from rows with fixed values: the same letters at each run."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from uuid import UUID

from flask import Flask

from app import mailed_tokens
from app.database import db, transaction
from blueprints.auth.models import MailedToken, User
from blueprints.teams.models import Invitation, OwnershipOffer, Team, TeamMember
from blueprints.teams.services import cases

EARLIER, LATER = datetime(2026, 1, 31, 12, 0, tzinfo=UTC), datetime(2099, 1, 31, 12, 0, tzinfo=UTC)
CHROME = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36"
NONCE = "0" * 32
TO = "bob@example.com"


def fixed(number: int) -> UUID:
    """A UUID that is the same at each run."""
    return UUID(f"00000000-0000-4000-8000-{number:012d}")


INES, BOB, TEAM, INVITED, BARE, JOINED, OFFER = (fixed(number) for number in range(1, 8))
VERIFY, RESET, CHANGE, UNDO, NOT_ME, VOID = (fixed(number) for number in range(11, 17))
NOTICE = {"at": EARLIER.isoformat(), "ip": "203.0.113.7"}
# The mail and what its job is queued with, by the name of the snapshot.
MAILS: dict[str, tuple[str, dict[str, Any]]] = {
    "verify_email": ("verify_email", {"token_id": VERIFY}),
    "verify_email_again": ("verify_email", {"token_id": VERIFY, "again": "yes"}),
    "already_registered": ("already_registered", {"user_id": BOB}),
    "reset_password": ("reset_password", {"token_id": RESET}),
    "password_changed": ("password_changed", NOTICE | {"token_id": NOT_ME}),
    "password_changed_link_void": ("password_changed", NOTICE | {"token_id": VOID}),
    "new_device": ("new_device", NOTICE | {"token_id": NOT_ME}),
    "confirm_email_change": ("confirm_email_change", {"token_id": CHANGE}),
    "address_taken": ("address_taken", {"token_id": CHANGE}),
    "email_changed": ("email_changed", NOTICE | {"token_id": UNDO, "user_id": BOB}),
    "email_changed_link_void": ("email_changed", NOTICE | {"token_id": VOID, "user_id": BOB}),
    "account_deleted": ("account_deleted", NOTICE),
    "invitation": ("invitation", {"invitation_id": INVITED}),
    "invitation_without_message": ("invitation", {"invitation_id": BARE}),
    "member_joined": ("member_joined", {"invitation_id": JOINED}),
    "member_removed": ("member_removed", {"team_id": TEAM}),
    "ownership_offered": ("ownership_offered", {"offer_id": OFFER}),
    "ownership_taken": ("ownership_taken", {"team_id": TEAM, "user_id": BOB}),
}


@dataclass(frozen=True)
class Words:
    """What people have written into a mail."""

    team: str = "Night Shoot"
    inviter: str = "Ines Carvalho"
    member: str = "Bob Tanaka"
    message: str = "We start on Monday, and we need somebody for the sound.\n\nCall me if anything is unclear!"
    browser: str = CHROME


def write_rows(words: Words) -> None:
    """Write what every mail is made from, past the schemas: rows may be older than a rule about names."""
    tokens = {VERIFY: "verify-email", RESET: "reset-password", CHANGE: "change-email", UNDO: "undo-change-email"}
    with transaction() as session:
        session.add_all([person(INES, "ines@example.com", words.inviter), person(BOB, TO, words.member)])
        session.add(Team(id=TEAM, name=words.team, created_at=EARLIER, updated_at=EARLIER))
        session.flush()
        session.add_all([member(INES, "owner"), member(BOB, "admin")])
        session.add_all([token(id, purpose) for id, purpose in (tokens | {NOT_ME: "not-me"}).items()])
        session.add(token(VOID, "not-me", ended_at=EARLIER))
        session.add(invitation(INVITED, "guest@example.com", message=words.message, role="admin"))
        session.add(invitation(BARE, "other@example.com", role="member"))
        session.add(invitation(JOINED, TO, role="admin", status="accepted", accepted_by=BOB))
        offer = {"team_id": TEAM, "user_id": BOB, "offered_by": INES}
        session.add(OwnershipOffer(id=OFFER, **offer, created_at=EARLIER, expires_at=LATER))


def person(id: UUID, email: str, name: str) -> User:
    return User(
        id=id, email=email, email_key=email, name=name, password_hash="", sign_up_id="0", email_verified_at=EARLIER
    )


def member(user_id: UUID, role: str) -> TeamMember:
    return TeamMember(team_id=TEAM, user_id=user_id, role=role)


def token(id: UUID, purpose: str, **more: Any) -> MailedToken:
    key = mailed_tokens.key_id()
    digest = mailed_tokens.digest(mailed_tokens.derive(purpose, id, NONCE, key))
    row = MailedToken(id=id, user_id=BOB, purpose=purpose, address=TO, nonce=NONCE, key_id=key, token_hash=digest)
    row.expires_at, row.ended_at = LATER, more.get("ended_at")
    return row


def invitation(id: UUID, email: str, **more: Any) -> Invitation:
    row = Invitation(id=id, team_id=TEAM, email=email, email_key=email, invited_by=INES, nonce=NONCE, expires_at=LATER)
    row.key_id = mailed_tokens.key_id()
    row.token_hash = mailed_tokens.digest(cases.token_of(row))
    for name, value in more.items():
        setattr(row, name, value)
    return row


@contextmanager
def delivered() -> Iterator[list[Any]]:
    """What jobs deliver meanwhile: (job id, recipient, subject, text, html)."""
    found: list[Any] = []
    with patch("app.mail.deliver", lambda *mail: found.append(mail)):
        yield found


def render(app: Flask, name: str, words: Words | None = None) -> tuple[str, str, str]:
    """Subject, text and HTML of a mail of MAILS, by its job."""
    words = words or Words()
    write_rows(words)
    mail, ids = MAILS[name]
    values = {key: str(value) for key, value in ids.items()} | ({"browser": words.browser} if "at" in ids else {})
    db.session.rollback()
    with delivered() as found:
        app.extensions["jobs"].jobs[f"mail.{mail}"].run(fixed(99), TO, **values)
    ((_, _, subject, text, html),) = found
    return subject, text, html
