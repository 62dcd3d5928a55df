"""The same work whether or not there is an account: what a request asks of the database, and what it hashes."""

import re

import pytest

from blueprints.auth.models import User
from blueprints.auth.services import passwords
from tests.blueprints.auth.support import change, row_counts, statements
from tests.clients import Program
from tests.people import PASSWORD, work

KNOWN, UNKNOWN, WAITING = "ada@example.com", "nobody@example.com", "waits@example.com"
USERS = {"known": KNOWN, "unknown": UNKNOWN, "waiting for its link": WAITING}


@pytest.fixture
def people_of_all_kinds(app, people):
    people.verified(KNOWN)
    Program(app).submit("/auth/sign-up", email=WAITING, password=PASSWORD)
    work(app)


def asked(app, path, **values):
    """What the database is asked during a request, in order, without the values."""
    with statements(app) as found:
        Program(app).submit(path, **values)
    return [re.sub(r"__\[POSTCOMPILE_\w+\]|\(\?(, \?)*\)", "(?)", statement) for statement in found]


@pytest.mark.usefixtures("people_of_all_kinds")
@pytest.mark.parametrize("path", ["/auth/forgot-password", "/auth/resend-verification"])
def test_asking_for_a_link_asks_the_same_of_the_database(app, path):
    found = {kind: asked(app, path, email=email) for kind, email in USERS.items()}
    assert found["known"] == found["unknown"] == found["waiting for its link"]
    assert any("INSERT INTO jobs" in statement for statement in found["known"])


@pytest.mark.usefixtures("people_of_all_kinds")
@pytest.mark.parametrize("path", ["/auth/forgot-password", "/auth/resend-verification"])
def test_asking_for_a_link_writes_the_same_rows(app, path):
    grown = []
    for email in USERS.values():
        before = row_counts(app)
        Program(app).submit(path, email=email)
        after = row_counts(app)
        grown.append({table: after[table] - count for table, count in before.items() if after[table] != count})
    assert grown[0] == grown[1] == grown[2] == {"limit_hits": 2, "jobs": 1}


@pytest.mark.usefixtures("people_of_all_kinds")
def test_signing_in_with_a_wrong_password_asks_the_same_of_the_database(app):
    found = {kind: asked(app, "/auth/sign-in", email=email, password="wrong") for kind, email in USERS.items()}
    assert found["known"] == found["unknown"] == found["waiting for its link"]


@pytest.mark.usefixtures("people_of_all_kinds")
def test_signing_up_asks_as_much_of_the_database(app):
    """A new account is an INSERT, an existing one an UPDATE; all else is the same statement for statement."""
    new = asked(app, "/auth/sign-up", email="new@example.com", password=PASSWORD, username="new_one")
    taken = asked(app, "/auth/sign-up", email=KNOWN, password=PASSWORD, username="new_two")
    assert len(new) == len(taken)
    differ = [(ours.split()[0], theirs.split()[0]) for ours, theirs in zip(new, taken, strict=True) if ours != theirs]
    assert differ == [("INSERT", "UPDATE")]


@pytest.mark.usefixtures("people_of_all_kinds")
def test_a_sign_up_hashes_once_either_way(app, monkeypatch):
    hashed = []
    real = passwords.bcrypt.hashpw
    monkeypatch.setattr(
        passwords.bcrypt, "hashpw", lambda password, salt: (hashed.append(salt[:7]), real(password, salt))[1]
    )
    for email in ("new@example.com", KNOWN, WAITING):
        Program(app).submit("/auth/sign-up", email=email, password=PASSWORD)
    assert hashed == [b"$2b$04$"] * 3


@pytest.mark.usefixtures("people_of_all_kinds")
def test_a_device_cookie_is_looked_up_for_an_unknown_address_too(app):
    found = []
    for email in (KNOWN, UNKNOWN):
        program = Program(app)
        program.client.set_cookie("device", "a" * 43)
        with statements(app) as seen:
            program.submit("/auth/sign-in", email=email, password="wrong")
        found.append([statement for statement in seen if "FROM devices" in statement])
    assert len(found[0]) == len(found[1]) == 1


def test_the_account_of_an_earlier_system_asks_the_same_of_the_database(app, people):
    people.verified(KNOWN)
    change(User, User.email == KNOWN, password_hash="$2b$04$" + "." * 53)
    assert asked(app, "/auth/sign-in", email=KNOWN, password="wrong") == asked(
        app, "/auth/sign-in", email=UNKNOWN, password="wrong"
    )
