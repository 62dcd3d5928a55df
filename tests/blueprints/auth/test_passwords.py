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


@pytest.mark.parametrize("password", ["password", "aaaaaaaa", "        ", "ada@example.org"])
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


def test_a_long_password_of_an_earlier_system_verifies(ada, program):
    plain = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()
    change(User, password_hash=plain)
    assert program.submit("/auth/sign-in", email=EMAIL, password="x" * 100).status == 200


def test_an_earlier_pepper_verifies_and_is_replaced_at_sign_in(ada, make_app):
    before = only(User).password_hash
    newer = make_app(PASSWORD_PEPPER="a newer pepper for the tests", PASSWORD_PEPPER_FALLBACKS=f"unrelated, {PEPPER}")
    password = "correct horse battery"
    assert Program(newer).submit("/auth/sign-in", email=EMAIL, password=password).status == 200
    after = only(User).password_hash
    assert after.split("$")[1] != before.split("$")[1]
    without = make_app(PASSWORD_PEPPER="a newer pepper for the tests")
    assert Program(without).submit("/auth/sign-in", email=EMAIL, password=password).status == 200


def test_without_its_pepper_a_hash_fits_nothing(ada, make_app):
    other = Program(make_app(PASSWORD_PEPPER="a pepper of somebody else"))
    assert other.submit("/auth/sign-in", email=EMAIL, password="correct horse battery").code == "INVALID_CREDENTIALS"


def test_a_higher_cost_is_taken_over_at_sign_in(ada, make_app):
    costlier = Program(make_app(BCRYPT_COST="5"))
    assert costlier.submit("/auth/sign-in", email=EMAIL, password="correct horse battery").status == 200
    assert "$2b$05$" in only(User).password_hash


def test_the_usual_cost_is_twelve(app):
    assert Settings.model_fields["bcrypt_cost"].default == 12
