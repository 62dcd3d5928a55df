"""Limits: counted before the check, in one bucket for form and JSON and every spelling."""

import itertools

import pytest

from tests.blueprints.auth.support import (
    NEW_PASSWORD,
    at_once,
    cookie,
    dump,
    let_limits_pass,
    refuses,
    row_counts,
    succeeds,
    with_cookie,
)
from tests.clients import Browser, Program
from tests.people import PASSWORD

EMAIL = "ada@example.com"
ADDRESSES = [f"198.51.100.{number}" for number in range(1, 255)]


def at(client, ip):
    """The client, at an address of the network."""
    client.client.environ_base["REMOTE_ADDR"] = ip
    return client


def sign_in(client, email=EMAIL, password="not the password"):
    return client.submit("/auth/sign-in", email=email, password=password)


def sent_to(outbox, email):
    return len([mail for mail in outbox() if mail.recipient == email])


@pytest.fixture(autouse=True)
def account(ada):
    """Ada's; what it took to make is forgotten by the limits."""
    let_limits_pass(hours=2)
    return ada


class TestSignInByAccount:
    def test_ten_in_five_minutes(self, app, either):
        for ip in ADDRESSES[:10]:
            assert sign_in(at(type(either)(app), ip)).status == 401
        answer = sign_in(at(either, ADDRESSES[10]), password=PASSWORD)
        assert answer.status == 429
        assert 0 < int(answer.response.headers["Retry-After"]) <= 300
        if either.is_browser:
            assert "Too many tries" in answer.text
            assert 'name="password"' in answer.text
        else:
            assert answer.code == "RATE_LIMIT_EXCEEDED"
        let_limits_pass(minutes=5)
        assert sign_in(either, password=PASSWORD).status == succeeds(either)

    def test_spellings_and_clients_share_a_bucket(self, app):
        spellings = itertools.cycle([EMAIL, "ADA@example.com", " ada@EXAMPLE.com ", "aDa@example.Com"])
        kinds = itertools.cycle([Browser, Program])
        for ip, spelling, kind in zip(ADDRESSES[:10], spellings, kinds, strict=False):
            assert sign_in(at(kind(app), ip), email=spelling).status == 401
        assert [sign_in(at(kind(app), ADDRESSES[10])).status for kind in (Browser, Program)] == [429, 429]

    def test_unknown_addresses_have_one_too(self, app):
        statuses = [sign_in(at(Program(app), ip), "nobody@example.com").status for ip in ADDRESSES[:11]]
        assert statuses == [401] * 10 + [429]

    def test_another_account_is_not_held_up(self, app, people):
        people.verified("bob@example.com")
        for ip in ADDRESSES[:11]:
            sign_in(at(Program(app), ip))
        people.program("bob@example.com")

    def test_good_sign_ins_count_and_clear_nothing(self, app):
        for number, ip in enumerate(ADDRESSES[:10]):
            sign_in(at(Program(app), ip), password=PASSWORD if number % 2 else NEW_PASSWORD)
        assert sign_in(at(Program(app), ADDRESSES[10]), password=PASSWORD).status == 429

    def test_what_the_schema_refuses_is_no_try(self, app, program):
        for ip in ADDRESSES[:11]:
            assert sign_in(at(program, ip), password="").status == 400
        assert sign_in(program, password=PASSWORD).status == 200

    def test_a_burst_gets_no_more(self, app):
        clients = [at(Program(app), ip) for ip in ADDRESSES[:16]]
        statuses = at_once(16, lambda number: sign_in(clients[number]).status)
        assert statuses.count(401) <= 10
        assert set(statuses) <= {401, 429, 503}

    def test_a_known_device_is_exempt(self, app, account, either):
        with_cookie(either, cookie(account, "device"), "device")
        for ip in ADDRESSES[:11]:
            sign_in(at(Program(app), ip))
        for ip in ADDRESSES[20:32]:
            assert sign_in(at(either, ip)).status == 401
        assert sign_in(either, password=PASSWORD).status == succeeds(either)

    def test_a_device_of_another_account_is_not(self, app, people, program):
        bob = people.verified("bob@example.com")
        with_cookie(program, cookie(bob, "device"), "device")
        statuses = [sign_in(at(program, ip)).status for ip in ADDRESSES[:11]]
        assert statuses == [401] * 10 + [429]

    @pytest.mark.parametrize("value", ["a" * 43, "", "junk"])
    def test_a_made_up_device_is_not(self, program, value):
        with_cookie(program, value, "device")
        statuses = [sign_in(at(program, ip)).status for ip in ADDRESSES[:11]]
        assert statuses == [401] * 10 + [429]


class TestSignInByAddressOfTheNetwork:
    def test_twenty_in_five_minutes(self, app, either):
        for number in range(20):
            assert sign_in(type(either)(app), f"somebody{number}@example.com").status == 401
        assert sign_in(either, password=PASSWORD).status == 429
        assert sign_in(at(either, ADDRESSES[0]), password=PASSWORD).status == succeeds(either)

    def test_a_known_device_is_not_exempt(self, app, account, program):
        with_cookie(program, cookie(account, "device"), "device")
        assert [sign_in(program).status for _ in range(21)] == [401] * 20 + [429]

    def test_ipv6_counts_by_64(self, app, program):
        for number in range(20):
            sign_in(at(program, f"2001:db8:0:1::{number:x}"), f"somebody{number}@example.com")
        assert sign_in(at(program, "2001:DB8:0:1:ffff::1"), password=PASSWORD).status == 429
        assert sign_in(at(program, "2001:db8:0:2::1"), password=PASSWORD).status == 200

    def test_form_and_json_share_a_bucket(self, app):
        for number in range(20):
            client = Program(app) if number % 2 else Browser(app)
            assert sign_in(client, f"somebody{number}@example.com").status == 401
        assert [sign_in(client).status for client in (Browser(app), Program(app))] == [429, 429]


class TestSignInInAll:
    @pytest.fixture
    def narrow(self, make_app):
        return make_app(LIMIT_SIGN_IN_TOTAL="3/5 minutes")

    def test_it_counts_over_accounts_and_addresses(self, narrow):
        statuses = [sign_in(at(Program(narrow), ip), f"{ip}@example.com").status for ip in ADDRESSES[:4]]
        assert statuses == [401, 401, 401, 429]

    def test_a_known_device_is_exempt(self, narrow, account):
        for ip in ADDRESSES[:4]:
            sign_in(at(Program(narrow), ip), f"{ip}@example.com")
        program = with_cookie(Program(narrow), cookie(account, "device"), "device")
        assert sign_in(program, password=PASSWORD).status == 200


FORMS = {
    "forgot-password": {"email": "somebody{}@example.com"},
    "resend-verification": {"email": "somebody{}@example.com"},
    "sign-up": {"email": "somebody{}@example.com", "password": PASSWORD},
    "reset-password": {"token": "unknown", "newPassword": PASSWORD},
}


@pytest.mark.parametrize("path", FORMS)
def test_twenty_an_hour_by_address_of_the_network(app, either, path):
    def send(client, number):
        values = {name: value.format(number) for name, value in FORMS[path].items()}
        return client.submit(f"/auth/{path}", **values)

    for number in range(20):
        assert send(Browser(app) if number % 2 else Program(app), number).status in (200, 202, 303, 400)
    before = row_counts(app)
    answer = send(either, 21)
    assert answer.status == 429
    assert 0 < int(answer.response.headers["Retry-After"]) <= 3600
    assert row_counts(app) == before
    assert send(at(either, ADDRESSES[0]), 22).status != 429


@pytest.mark.parametrize(
    "path, values",
    [
        ("sign-up", {"email": "bob@example.com", "password": "short"}),
        ("reset-password", {"token": "x", "newPassword": "short"}),
    ],
)
def test_what_the_schema_refuses_is_no_try(program, path, values):
    for _ in range(21):
        assert program.submit(f"/auth/{path}", **values).status == 400


def test_mails_to_an_address_have_a_silent_limit(app, either, outbox):
    answers = []
    for ip in ADDRESSES[:7]:
        answers.append(at(either, ip).submit("/auth/forgot-password", email=EMAIL))
        outbox()
    assert {answer.status for answer in answers} == {succeeds(either)}
    assert len({str(answer.data) for answer in answers}) == 1
    assert sent_to(outbox, EMAIL) == 1 + 5  # its verification, and five of these
    let_limits_pass(hours=1)
    either.submit("/auth/forgot-password", email=EMAIL)
    assert sent_to(outbox, EMAIL) == 1 + 6


def test_forgotten_passwords_and_resent_links_have_five_each(app, outbox):
    """Else asking for what is not mailed to an address would use up what is."""
    program = Program(app)
    program.submit("/auth/sign-up", email="bob@example.com", password=PASSWORD)
    outbox()
    paths = itertools.cycle(["/auth/forgot-password", "/auth/resend-verification"])
    for path, spelling in zip(paths, ["bob@example.com", "bob@example.com", "BOB@example.com"] * 4, strict=False):
        assert program.submit(path, email=spelling).status == 200
        outbox()
    assert sent_to(outbox, "bob@example.com") == 1 + 5 + 5


def test_an_unknown_address_uses_up_its_limit_too(app, program, outbox):
    for _ in range(5):
        program.submit("/auth/resend-verification", email="bob@example.com")
    program.submit("/auth/sign-up", email="bob@example.com", password=PASSWORD)
    assert sent_to(outbox, "bob@example.com") == 1  # a sign-up has a limit of its own
    program.submit("/auth/resend-verification", email="bob@example.com")
    assert sent_to(outbox, "bob@example.com") == 1


def test_a_refused_form_says_so_and_keeps_what_was_typed(app, browser):
    for _ in range(20):
        Program(app).submit("/auth/forgot-password", email=EMAIL)
    answer = browser.submit("/auth/forgot-password", email="eve@example.com")
    assert answer.status == 429
    assert 'value="eve@example.com"' in answer.text
    assert refuses(browser) == 422


def test_no_address_stands_in_what_is_counted(app, program):
    sign_in(at(program, "203.0.113.77"), "nobody-at-all@example.com")
    written = dump(app)
    assert "nobody-at-all" not in written
    assert "203.0.113.77" not in written
