"""Accounts of an earlier system: who they are here, and that they sign in with the password they had."""

import bcrypt
import pytest
from sqlalchemy import select

from app.database import db, utc_now
from blueprints.auth.models import User
from blueprints.auth.services.imports import PLAIN_BCRYPT, Import, Kind, Row
from blueprints.auth.services.passwords import verify_password
from tests.blueprints.auth.support import NEW_PASSWORD, count, only
from tests.clients import Browser, Program
from tests.people import PASSWORD, token_in

EMAIL = "ada@example.com"
HASH = bcrypt.hashpw(PASSWORD.encode(), b"$2b$04$saltsaltsaltsaltsaltsu").decode()  # the same in every process
ALPHABET = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def hashed(password, version="2b"):
    """A plain bcrypt hash as an earlier system made it: the first 72 bytes count."""
    made = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)).decode()
    return f"${version}${made[4:]}"


def row(line=2, **cells):
    return Row(line, {"email": EMAIL, "password_hash": HASH} | cells)


def imported(*rows, **how):
    """What becomes of rows, in one batch."""
    return Import(**how).take(rows)


@pytest.fixture
def refusal(app):
    """Why a row is refused."""

    def refusal(**cells):
        (outcome,) = imported(row(**cells))
        assert (outcome.kind, count(User)) == (Kind.REFUSED, 0)
        return outcome.sentence

    return refusal


@pytest.mark.parametrize("client", [Browser, Program])
@pytest.mark.parametrize("version", ["2a", "2b", "2y"])
def test_they_sign_in_with_the_old_password_and_are_hashed_anew(app, mails, client, version):
    imported(row(password_hash=hashed(PASSWORD, version)))
    assert client(app).submit("/auth/sign-in", email=EMAIL, password="wrong " + PASSWORD).status == 401
    assert only(User).password_hash.startswith(f"${version}$04$")
    for _ in range(2):  # with the old hash, and with the new one
        assert client(app).submit("/auth/sign-in", email=EMAIL, password=PASSWORD).status in (200, 303)
        assert only(User).password_hash.startswith("bcrypt-sha384$")
    assert mails()[1:] == [], "none at the first sign-in"


def test_the_first_sign_in_mails_nothing(app, people, outbox):
    imported(row())
    people.program(EMAIL)
    assert outbox() == []


@pytest.mark.parametrize(
    "password, similar",
    [
        ("x" * 100, "x" * 72 + " another end"),
        ("a" + "ä" * 60, "a" + "ä" * 36 + " another end"),  # cut in the middle of a letter
    ],
)
def test_of_a_long_password_72_bytes_count_until_the_first_sign_in(app, people, password, similar):
    imported(row(password_hash=hashed(password)))
    assert verify_password(similar, only(User).password_hash)
    people.program(EMAIL, password)
    assert Program(app).submit("/auth/sign-in", email=EMAIL, password=similar).code == "INVALID_CREDENTIALS"
    people.program(EMAIL, password)


def test_what_stands_in_the_account(app, people):
    cells = {"name": " Ada Lovelace ", "username": "ada", "user_type": "investor", "is_admin": "true"}
    imported(row(email=" Ada@EXAMPLE.com ", created_at="2019-03-01T09:00:00+01:00", **cells))
    user = people.program(EMAIL).get("/auth/session").data["user"]
    assert user == {
        "id": str(only(User).id),
        "email": "Ada@example.com",
        "name": "Ada Lovelace",
        "username": "ada",
        "userType": "investor",
        "emailVerified": True,
        "twoFactorEnabled": False,
        "isAdmin": False,
        "createdAt": "2019-03-01T08:00:00.000Z",
    }


def test_what_is_left_out(app):
    before = utc_now()
    imported(row(name="", username=" ", user_type="", email_verified="", created_at=""), row(3, email="b@example.com"))
    ada, bob = db.session.scalars(select(User).order_by(User.email))
    for user in (ada, bob):
        assert (user.name, user.username, user.user_type, user.is_admin) == (None, None, "creator", False)
        assert before <= user.created_at <= user.email_verified_at <= utc_now()
        assert len(user.sign_up_id) == 32
    assert ada.sign_up_id != bob.sign_up_id


def test_an_unverified_one_is_like_any_unverified_account(app, people, mails):
    imported(row(email_verified="FALSE"))
    program = Program(app)
    assert program.submit("/auth/sign-in", email=EMAIL, password="wrong " + PASSWORD).code == "INVALID_CREDENTIALS"
    assert mails() == []
    assert program.submit("/auth/sign-in", email=EMAIL, password=PASSWORD).code == "EMAIL_NOT_VERIFIED"
    assert program.submit("/auth/verify-email", token=token_in(mails()[-1])).status == 200
    assert program.get("/auth/session").status == 401, "this browser has not signed up"
    people.program(EMAIL)


def test_a_sign_up_voids_what_an_unverified_one_brought(app, people):
    imported(row(email_verified="false", name="Somebody"))
    user = people.verified(EMAIL, NEW_PASSWORD).get("/auth/session").data["user"]
    assert (user["name"], count(User)) == (None, 1)
    assert Program(app).submit("/auth/sign-in", email=EMAIL, password=PASSWORD).code == "INVALID_CREDENTIALS"


@pytest.mark.parametrize(
    "cells, sentence",
    [
        ({"email": ""}, "email: This field is required."),
        ({"email": "ada"}, "email: Enter an email address like name@example.com."),
        ({"email": "a\x00da@example.com"}, "email: Enter an email address like name@example.com."),
        ({"password_hash": " "}, "password_hash: This field is required."),
        ({"name": "x" * 101}, "name: Use at most 100 characters."),
        ({"name": "a\x07b"}, "name: This contains characters that are not allowed."),
        ({"username": "ad"}, "username: Use 3 to 30 of the letters a to z, digits and underscores."),
        ({"username": "Ada"}, "username: Use 3 to 30 of the letters a to z, digits and underscores."),
        ({"user_type": "boss"}, "user_type: Choose one of: 'creator', 'investor' or 'production'."),
        ({"email_verified": "1"}, "email_verified: Choose one of: 'true' or 'false'."),
        ({"created_at": "2019-03-01"}, "created_at: Use a time with its zone, like 2019-03-01T08:00:00Z."),
        ({"created_at": "1551427200"}, "created_at: Use a time with its zone, like 2019-03-01T08:00:00Z."),
        ({"created_at": "0000-00-00 00:00:00"}, "created_at: Use a time with its zone, like 2019-03-01T08:00:00Z."),
        ({"created_at": "0001-01-01T00:00:00+23:00"}, "created_at: Use a time between 1970 and now."),
        ({"created_at": "9999-12-31T23:59:59-23:00"}, "created_at: Use a time between 1970 and now."),
        ({"name": "\x07", "user_type": "x"}, "name: This contains characters that are not allowed. user_type: "),
    ],
)
def test_a_row_under_the_rules_of_sign_up(refusal, cells, sentence):
    assert refusal(**cells).startswith(sentence)


@pytest.mark.parametrize(
    "wrong",
    [
        "5f4dcc3b5aa765d61d8327deb882cf99",
        HASH[:-1],
        HASH + "a",
        HASH.replace("$2b$", "$2x$"),
        HASH.replace("$2b$", "$2$"),
        HASH.replace("$04$", "$03$"),
        HASH.replace("$04$", "$16$"),
        HASH.replace("$04$", "$4$"),
        HASH[:40] + "!" + HASH[41:],
        HASH[:40] + "ä" + HASH[41:],
        HASH[:28] + "z" + HASH[29:],
        HASH[:-1] + "z",
        "bcrypt-sha384$12345678$" + HASH,
    ],
)
def test_a_hash_that_is_none(refusal, wrong):
    sentence = refusal(password_hash=wrong)
    assert sentence.startswith("password_hash: Use a plain bcrypt hash: ")
    assert wrong not in sentence


def test_a_hash_that_takes_longer_than_ours_is_refused(refusal):
    """The cost of the tests is 4: another would tell by its time that there is an account."""
    assert refusal(password_hash=HASH.replace("$04$", "$05$")) == (
        "password_hash: Its cost is 5. Set BCRYPT_COST to that or more first."
    )


def test_a_hash_is_taken_where_bcrypt_takes_it():
    for letter in ALPHABET:
        salted = HASH[:28] + letter + HASH[29:]
        try:
            usable = bcrypt.hashpw(b"", salted[:29].encode())[:29] == salted[:29].encode()
        except ValueError:
            usable = False
        assert bool(PLAIN_BCRYPT.fullmatch(salted)) is usable, letter
    last = {bcrypt.hashpw(str(number).encode(), HASH[:29].encode())[-1:].decode() for number in range(400)}
    assert {letter for letter in ALPHABET if PLAIN_BCRYPT.fullmatch(HASH[:-1] + letter)} == last


def test_a_refused_row_tells_its_address_and_nothing_else(app):
    (outcome,) = imported(row(line=7, email=" Ada@EXAMPLE.com", name="\x1b[2J"))
    assert (outcome.line, outcome.email) == (7, "Ada@example.com")
    (outcome,) = imported(row(email=HASH))
    assert (outcome.email, HASH in repr(outcome)) == (None, False)


def test_an_address_that_has_an_account_is_refused(app, people):
    people.verified(EMAIL, NEW_PASSWORD)
    before = only(User).password_hash
    (outcome,) = imported(row(email="ADA@example.com"))
    assert (outcome.kind, outcome.sentence) == (Kind.REFUSED, "There is an account with this address already.")
    assert only(User).password_hash == before


def test_the_first_valid_row_of_an_address_wins(app):
    running = Import()
    refused, first = running.take([row(2, name="\x07"), row(3, name="First")])
    (later,) = running.take([row(4, email="ADA@example.com", name="Later")])
    assert [outcome.kind for outcome in (refused, first, later)] == [Kind.REFUSED, Kind.IMPORTED, Kind.REFUSED]
    assert later.sentence == "Line 3 has this address, too."
    assert only(User).name == "First"


def test_a_taken_username_is_left_out(app, people):
    people.verified("bob@example.com", username="bob")
    rows = (
        row(2, username="bob"),
        row(3, email="b@example.com", username="eve"),
        row(4, email="c@example.com", username="eve"),
    )
    bob, eve, other = imported(*rows)
    assert (bob.kind, bob.sentence) == (Kind.IMPORTED, "The username bob is taken; the account has none.")
    assert (eve.kind, eve.sentence) == (Kind.IMPORTED, "")
    assert (other.kind, other.sentence) == (Kind.IMPORTED, "The username eve is taken; the account has none.")
    assert count(User, User.username.in_(["bob", "eve"])) == 2
