"""Passwords: every byte counts, the pepper too, and hashes of earlier systems are believed once."""

import bcrypt
import pytest

from app.errors import ValidationFailed
from blueprints.auth.models import User
from blueprints.auth.services.passwords import check_password, hash_password, needs_rehash, verify_password
from config import Settings
from tests.blueprints.auth.support import change, only, refuses, succeeds
from tests.clients import Program
from tests.conftest import PEPPER

EMAIL = "ada@example.com"


@pytest.mark.parametrize(
    "password",
    ["a" * 71 + "x", "a" * 72 + "x", "a" * 127 + "x", "\U0001f511" * 20 + "x", "\U0001f511" * 127 + "x", "pass word "],
)
def test_the_last_byte_counts(people, either, password):
    people.verified(EMAIL, password)
    assert either.submit("/auth/sign-in", email=EMAIL, password=password[:-1] + "y").status == 401
    assert either.submit("/auth/sign-in", email=EMAIL, password=password[:-1]).status == 401
    assert either.submit("/auth/sign-in", email=EMAIL, password=password).status == succeeds(either)


def test_passwords_are_never_trimmed_or_folded(people, program):
    people.verified(EMAIL, "  Gr\u00fc\u00dfe aus Wien ")
    for other in ("Gr\u00fc\u00dfe aus Wien", "  gr\u00fc\u00dfe aus wien ", "  Gru\u0308\u00dfe aus Wien "):
        assert program.submit("/auth/sign-in", email=EMAIL, password=other).status == 401


@pytest.mark.parametrize("length, fits", [(7, False), (8, True), (128, True), (129, False)])
@pytest.mark.parametrize("letter", ["x", "\U0001f511"])
def test_lengths_count_code_points(either, length, fits, letter):
    answer = either.submit("/auth/sign-up", email=EMAIL, password=letter * length)
    assert answer.status == (succeeds(either, 202) if fits else refuses(either))
    if not fits and not either.is_browser:
        words = "at least 8" if length < 8 else "at most 128"
        assert answer.fields == {"password": [f"Use {words} characters."]}


def test_lengths_are_settings(make_app):
    program = Program(make_app(PASSWORD_MIN_LENGTH="15", PASSWORD_MAX_LENGTH="64"))
    for password, words in (("x" * 14, "at least 15"), ("x" * 65, "at most 64")):
        answer = program.submit("/auth/sign-up", email=EMAIL, password=password)
        assert answer.fields == {"password": [f"Use {words} characters."]}
    for password in ("x" * 15, "x" * 64):
        assert program.submit("/auth/sign-up", email=EMAIL, password=password).status == 202


@pytest.mark.parametrize("password", ["unhurried", "aaaaaaaa", "        ", "ada@example.org"])
def test_there_is_no_composition_rule(app, password):
    check_password(password, EMAIL, "password")


@pytest.mark.parametrize("password", [EMAIL, "ADA@example.COM", "A Product Name", "a product NAME"])
def test_the_address_and_the_product_are_too_easy(make_app, password):
    app = make_app(PRODUCT_NAME="A Product Name")
    with app.app_context(), pytest.raises(ValidationFailed) as refused:
        check_password(password, EMAIL, "newPassword")
    assert refused.value.fields == {"newPassword": ["Choose something other than your address or the product's name."]}


def test_the_hash_names_its_scheme_and_pepper(app):
    stored = hash_password("correct horse")
    scheme, pepper, hashed = stored.split("$", 2)
    assert (scheme, len(pepper), hashed[:7]) == ("bcrypt-sha384", 8, "$2b$04$")
    assert PEPPER not in stored
    assert hash_password("correct horse") != stored
    assert verify_password("correct horse", stored)
    assert not verify_password("correct horsf", stored)
    assert not needs_rehash(stored)


@pytest.mark.parametrize("version", ["2a", "2b", "2y"])
def test_a_plain_hash_verifies_and_is_rehashed_at_sign_in(ada, either, version):
    plain = bcrypt.hashpw(b"from an earlier system", bcrypt.gensalt(4)).decode().replace("$2b$", f"${version}$")
    change(User, password_hash=plain)
    assert either.submit("/auth/sign-in", email=EMAIL, password="from another system").status == 401
    assert only(User).password_hash == plain
    for _ in range(2):
        answer = either.submit(
            "/auth/sign-in", _page="/auth/forgot-password", email=EMAIL, password="from an earlier system"
        )
        assert answer.status == succeeds(either)
        assert only(User).password_hash.startswith("bcrypt-sha384$")


@pytest.mark.parametrize("version", ["2a", "2b", "2y"])
@pytest.mark.parametrize("password", ["x" * 100, "x" * 71 + "\u00fc" * 9])
def test_a_plain_hash_knows_72_bytes_until_it_is_rehashed(ada, program, version, password):
    """Also where they end inside a letter."""
    plain = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)).decode().replace("$2b$", f"${version}$")
    change(User, password_hash=plain)
    assert program.submit("/auth/sign-in", email=EMAIL, password=password[:71]).status == 401
    assert program.submit("/auth/sign-in", email=EMAIL, password=password).status == 200
    assert program.submit("/auth/sign-in", email=EMAIL, password=password[:-1]).status == 401


def test_an_earlier_pepper_verifies_and_is_replaced_at_sign_in(ada, make_app):
    newest, password = "a newer pepper for the tests", "correct horse battery"
    newer = make_app(PASSWORD_PEPPER=newest, PASSWORD_PEPPER_FALLBACKS=f"unrelated, {PEPPER}")
    before = only(User).password_hash
    assert Program(newer).submit("/auth/sign-in", email=EMAIL, password="correct horse batterx").status == 401
    assert only(User).password_hash == before
    assert Program(newer).submit("/auth/sign-in", email=EMAIL, password=password).status == 200
    after = only(User).password_hash
    assert after.split("$")[1] != before.split("$")[1]
    assert Program(newer).submit("/auth/sign-in", email=EMAIL, password=password).status == 200
    assert only(User).password_hash == after, "it is hashed anew once"
    without = make_app(PASSWORD_PEPPER=newest)
    assert Program(without).submit("/auth/sign-in", email=EMAIL, password=password).status == 200


def test_the_first_pepper_is_the_one_for_new_hashes(make_app):
    newest = "a newer pepper for the tests"
    with make_app(PASSWORD_PEPPER=newest, PASSWORD_PEPPER_FALLBACKS=f"{PEPPER}, unrelated").app_context():
        stored = hash_password("correct horse")
        assert not needs_rehash(stored)
    with make_app(PASSWORD_PEPPER=newest).app_context():
        assert verify_password("correct horse", stored)
    with make_app(PASSWORD_PEPPER=PEPPER, PASSWORD_PEPPER_FALLBACKS="unrelated").app_context():
        assert not verify_password("correct horse", stored)


def test_without_its_pepper_a_hash_fits_nothing(ada, make_app):
    other = Program(make_app(PASSWORD_PEPPER="a pepper of somebody else"))
    assert other.submit("/auth/sign-in", email=EMAIL, password="correct horse battery").code == "INVALID_CREDENTIALS"


@pytest.mark.parametrize("cost", ["5", "4"])
def test_another_cost_is_taken_over_at_sign_in(ada, make_app, cost):
    with make_app(BCRYPT_COST="4" if cost == "5" else "5").app_context():
        change(User, password_hash=hash_password("correct horse battery"))
    program = Program(make_app(BCRYPT_COST=cost))
    assert program.submit("/auth/sign-in", email=EMAIL, password="correct horse battery").status == 200
    assert f"$2b$0{cost}$" in only(User).password_hash


def test_the_usual_cost_is_twelve(app):
    assert Settings.model_fields["bcrypt_cost"].default == 12
