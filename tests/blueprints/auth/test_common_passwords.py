"""The bundled list of common passwords: nobody may choose one of them, capitals or not."""

import subprocess
import sys
from functools import partial

import pytest

from app.errors import ValidationFailed
from blueprints.auth.services.common_passwords import SHORTEST, common_passwords
from blueprints.auth.services.passwords import check_password
from blueprints.auth.settings import AuthSettings
from config.settings import ROOT
from tests.blueprints.auth.support import NEW_PASSWORD, refuses, succeeds
from tests.clients import Program
from tests.live import surroundings
from tests.people import PASSWORD, link_in, token_in

EMAIL = "ada@example.com"
SENTENCE = "This password is one of the most common ones. Choose another."
COMMON = "Trustno1"
PROGRAM = """
import sys, wsgi
from blueprints.auth.services.common_passwords import common_passwords, is_common
print(common_passwords.cache_info().currsize, is_common("password"), common_passwords.cache_info().currsize)
print([name for name in sys.modules if name.partition(".")[0] == "zxcvbn"])
"""


@pytest.mark.parametrize("password", ["password", "PASSWORD", "pAssWord", "trustno1", "1q2w3e4r5t6y", "11111111"])
def test_a_common_password_is_refused_under_its_outside_name(app, password):
    with pytest.raises(ValidationFailed) as refused:
        check_password(password, EMAIL, "newPassword")
    assert refused.value.fields == {"newPassword": [SENTENCE]}


@pytest.mark.parametrize("password", ["password of mine", " password", "passw\u00f6rd", PASSWORD, NEW_PASSWORD])
def test_another_one_is_not(app, password):
    check_password(password, EMAIL, "newPassword")


def test_the_list_is_long_and_has_nothing_that_the_length_refuses():
    assert len(common_passwords()) == 11_611
    shortest = AuthSettings.model_fields["password_min_length"].metadata[0].ge
    assert min(map(len, common_passwords())) == SHORTEST == shortest
    assert all(word == word.lower() for word in common_passwords()), "or a password in small letters would not be found"


def test_length_and_address_are_told_first(make_app):
    with make_app(PASSWORD_MIN_LENGTH="9").app_context(), pytest.raises(ValidationFailed) as refused:
        check_password("password", EMAIL, "password")
    assert refused.value.fields == {"password": ["Use at least 9 characters."]}
    with make_app(PRODUCT_NAME="Baseball").app_context(), pytest.raises(ValidationFailed) as refused:
        check_password("baseball", EMAIL, "password")
    assert "product's name" in refused.value.fields["password"][0]


def test_every_way_to_a_new_password_refuses_it(either, ada, people, mails):
    answer = either.submit("/auth/sign-up", email="eve@example.com", password=COMMON)
    assert answer.status == refuses(either)
    assert SENTENCE in answer.text
    assert mails("eve@example.com") == []
    signed_in = people.browser(EMAIL) if either.is_browser else ada
    answer = signed_in.submit("/auth/change-password", currentPassword=PASSWORD, newPassword=COMMON)
    assert answer.status == refuses(either)
    assert SENTENCE in answer.text
    either.submit("/auth/forgot-password", email=EMAIL)
    mail = mails()[-1]
    reset = partial(either.submit, "/auth/reset-password", _page=link_in(mail), token=token_in(mail))
    answer = reset(newPassword=COMMON)
    assert answer.status == refuses(either)
    assert SENTENCE in answer.text
    assert reset(newPassword=NEW_PASSWORD).status == succeeds(either), "the link is still good"


def test_an_administrator_needs_a_better_one_too(app):
    result = app.test_cli_runner().invoke(args=["users", "create-admin", EMAIL], input=f"{COMMON}\n")
    assert result.exit_code == 1
    assert SENTENCE in result.output


def test_a_wrong_current_password_is_told_before_the_list(ada):
    answer = ada.submit("/auth/change-password", currentPassword="not the password", newPassword=COMMON)
    assert (answer.status, answer.code) == (401, "UNAUTHORIZED")


def test_who_has_one_already_can_sign_in(app, people, monkeypatch):
    monkeypatch.setattr("blueprints.auth.services.passwords.is_common", lambda password: False)
    people.verified(EMAIL, COMMON)
    monkeypatch.undo()
    assert Program(app).submit("/auth/sign-in", email=EMAIL, password=COMMON).status == 200


def test_the_list_is_read_at_its_first_use_and_the_package_never(environ):
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=ROOT, env=surroundings(environ), capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["0 True 1", "[]"]
