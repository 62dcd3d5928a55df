"""Known devices: what they are spared, what makes one, what forgets it, and the mail about a new one."""

import re
from datetime import timedelta

import pytest

from app.database import utc_now
from blueprints.auth.models import Device, User
from blueprints.auth.services import devices
from tests.blueprints.auth.support import (
    NEW_PASSWORD,
    at_once,
    change,
    cookie,
    cookies,
    count,
    let_limits_pass,
    let_pass,
    only,
    succeeds,
    with_cookie,
)
from tests.clients import Browser, Program
from tests.people import PASSWORD, link_in, token_in

EMAIL = "ada@example.com"
SUBJECT = "New sign-in to Pitchey"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"
LYNX = "Lynx/2.8"


def at(client, ip="203.0.113.7", agent=FIREFOX):
    """The client, at an address of the network and with a name."""
    client.client.environ_base |= {"REMOTE_ADDR": ip, "HTTP_USER_AGENT": agent}
    return client


def sign_in(client, password=PASSWORD, email=EMAIL):
    return client.submit("/auth/sign-in", email=email, password=password)


def sign_in_patiently(client):
    """Sign in; the lane takes a few at a time."""
    while (answer := sign_in(client)).status == 503:
        pass
    return answer


def is_exempt(app, device):
    """Whether a device cookie is spared the limit of its account."""
    let_limits_pass(hours=2)
    for number in range(10):
        assert sign_in(at(Program(app), f"198.51.100.{number}"), "wrong").status == 401
    answer = sign_in(with_cookie(at(Program(app), "198.51.100.99"), device, "device"), "wrong")
    let_limits_pass(hours=2)
    return {401: True, 429: False}[answer.status]


@pytest.fixture
def device(ada):
    """The device cookie of Ada's first browser."""
    return cookie(ada, "device")


@pytest.fixture
def told(mails):
    """How many mails about a new device went out so far."""
    return lambda address=EMAIL: [mail.subject for mail in mails(address)].count(SUBJECT)


class TestKnown:
    def test_for_a_year_since_it_was_last_used(self, app, device):
        let_pass(Device, days=364, hours=23)
        assert is_exempt(app, device)
        let_pass(Device, hours=1)
        assert not is_exempt(app, device)

    def test_a_sign_in_adds_a_year(self, app, device):
        for _ in range(2):
            let_pass(Device, days=364)
            sent = cookies(sign_in(with_cookie(at(Program(app)), device, "device")))["device"]
            assert (sent.value, sent["max-age"]) == (device, "31536000")
        assert is_exempt(app, device)
        assert count(Device) == 1

    def test_a_row_of_before_times_were_kept_counts_from_its_first_sign_in(self, app, device):
        change(Device, last_used_at=None, created_at=utc_now() - timedelta(days=364))
        assert is_exempt(app, device)
        change(Device, created_at=utc_now() - timedelta(days=365))
        assert not is_exempt(app, device)

    def test_such_a_row_gets_a_time_when_it_is_used(self, app, device):
        change(Device, last_used_at=None, created_at=utc_now() - timedelta(days=300))
        sign_in(with_cookie(at(Program(app)), device, "device"))
        assert utc_now() - only(Device).last_used_at < timedelta(minutes=1)

    def test_only_its_hash_is_kept(self, device):
        assert only(Device).token_hash != device
        assert re.fullmatch("[0-9a-f]{64}", only(Device).token_hash)

    @pytest.mark.parametrize("value", ["", "short", "a" * 44, "ä" * 43])
    def test_junk_is_replaced(self, app, ada, value):
        sent = cookies(sign_in(with_cookie(Program(app), value, "device")))["device"]
        assert re.fullmatch("[A-Za-z0-9_-]{43}", sent.value)
        assert sent.value != value

    def test_one_browser_of_two_accounts(self, app, people, ada, device):
        people.verified("bob@example.com")
        browser = with_cookie(Browser(app), device, "device")
        assert sign_in(browser, email="bob@example.com").status == 303
        assert cookie(browser, "device") == device
        assert count(Device) == 3  # Ada's, Bob's own, and this one as Bob's

    def test_at_most_fifty_and_the_least_recently_used_goes(self, app, device):
        first = only(Device).id
        change(Device, last_used_at=None, created_at=utc_now() - timedelta(days=90))
        values = []
        for _ in range(49):
            let_pass(Device, Device.id != first, minutes=1)
            values.append(cookies(sign_in(Program(app)))["device"].value)
            let_limits_pass(minutes=5)
        assert count(Device) == 50
        sign_in(with_cookie(Program(app), values[0], "device"))  # the oldest but one is used again
        sign_in(Program(app))
        assert count(Device) == 50
        assert count(Device, Device.id == first) == 0
        sign_in(Program(app))
        user_id = only(User).id
        assert devices.is_known(user_id, values[0])
        assert not devices.is_known(user_id, values[1])
        assert devices.is_known(user_id, values[2])

    def test_ten_sign_ins_of_a_browser_at_the_same_moment(self, make_app, ada):
        app = make_app(LIMIT_SIGN_IN_IP="off")
        value = "b" * 43
        programs = [with_cookie(Program(app), value, "device") for _ in range(10)]
        answers = at_once(10, lambda number: sign_in_patiently(programs[number]))
        assert [answer.status for answer in answers] == [200] * 10
        assert count(Device) == 2


class TestForgotten:
    def test_by_a_reset(self, app, device, mails):
        Program(app).submit("/auth/forgot-password", email=EMAIL)
        token = token_in(mails()[-1])
        assert Program(app).submit("/auth/reset-password", token=token, newPassword=NEW_PASSWORD).status == 200
        assert count(Device) == 1  # the browser that did it
        assert not is_exempt(app, device)

    def test_by_not_me(self, app, ada, device, mails):
        ada.submit("/auth/change-password", currentPassword=PASSWORD, newPassword=NEW_PASSWORD)
        assert Program(app).submit("/auth/not-me", token=token_in(mails()[-1])).status == 200
        assert not is_exempt(app, device)

    def test_by_an_operator(self, app, people, device):
        people.admin(EMAIL, NEW_PASSWORD)  # the account that is there becomes an administrator, newly secured
        assert not is_exempt(app, device)

    def test_the_others_by_a_password_change_that_ends_the_other_sessions(self, app, either, device):
        sign_in(either)
        change_password(either, revokeOtherSessions=True)
        assert count(Device) == 1
        assert is_exempt(app, cookie(either, "device"))
        assert not is_exempt(app, device)

    def test_none_by_one_that_leaves_them(self, app, either, device):
        sign_in(either)
        change_password(either)
        assert count(Device) == 2
        assert is_exempt(app, device)

    def test_a_session_that_ends_forgets_none(self, app, ada, device):
        ada.submit("/auth/sign-out")
        assert is_exempt(app, device)

    def test_the_limit_of_all_accounts(self, make_app, people, ada, device):
        app = make_app(LIMIT_SIGN_IN_TOTAL="1/hour")
        assert sign_in(Program(app), email="nobody@example.com").status == 401
        assert sign_in(Program(app)).status == 429
        assert sign_in(with_cookie(Program(app), device, "device")).status == 200
        change(Device, last_used_at=utc_now() - timedelta(days=366))
        assert sign_in(with_cookie(Program(app), device, "device")).status == 429


def change_password(client, **more):
    answer = client.submit("/auth/change-password", currentPassword=PASSWORD, newPassword=NEW_PASSWORD, **more)
    assert answer.status == succeeds(client)


class TestMail:
    def test_a_new_browser(self, app, ada, either, mails):
        sign_in(at(either, agent=LYNX))
        mail = mails()[-1]
        assert (mail.subject, mail.recipient) == (SUBJECT, EMAIL)
        for body in (mail.text, mail.html):
            assert "203.0.113.7" in body
            assert "Lynx" in body
            assert str(utc_now().year) in body
        link, owner = link_in(mail), type(either)(app)
        assert link.startswith("/auth/not-me?token=")
        assert owner.submit("/auth/not-me", _page=link, token=token_in(mail)).status == succeeds(either)
        assert either.get("/auth/account").status in (303, 401)
        assert sign_in(Program(app)).code == "INVALID_CREDENTIALS"  # the password is void

    def test_a_known_browser_may_move(self, app, ada, device, told):
        sign_in(with_cookie(at(Program(app)), device, "device"))
        assert told() == 0

    @pytest.mark.parametrize(
        "ip, agent, sent", [("203.0.113.7", FIREFOX, 0), ("203.0.113.8", FIREFOX, 1), ("203.0.113.7", LYNX, 1)]
    )
    def test_without_cookies_address_and_name_are_known_together(self, app, ada, told, ip, agent, sent):
        sign_in(at(Program(app)))
        assert told() == 1
        sign_in(at(Program(app), ip, agent))
        assert told() == 1 + sent

    def test_somebody_elses_browser_is_new(self, app, people, ada, told):
        bob = at(people.verified("bob@example.com"))
        sign_in(bob, email="bob@example.com")
        sign_in(with_cookie(at(Program(app)), cookie(bob, "device"), "device"))
        assert (told(), told("bob@example.com")) == (1, 0)

    @pytest.mark.parametrize("times", [{"days": 365}, {"days": 400}])
    def test_a_browser_that_was_away_for_a_year(self, app, ada, device, told, times):
        change(Device, last_used_at=utc_now() - timedelta(**times))
        sign_in(with_cookie(at(Program(app)), device, "device"))
        assert told() == 0  # there is no known browser it could be compared with
        sign_in(at(Program(app), agent=LYNX))
        assert told() == 1

    def test_an_account_without_known_browsers(self, app, ada, told):
        change_all = [Device.user_id == only(User).id]
        let_pass(Device, *change_all, days=366)
        sign_in(at(Program(app)))
        assert told() == 0

    def test_not_when_refused(self, app, ada, told):
        sign_in(at(Program(app)), "wrong")
        change(User, disabled_at=utc_now())
        sign_in(at(Program(app)))
        change(User, disabled_at=None, email_verified_at=None)
        sign_in(at(Program(app)))
        assert told() == 0

    def test_not_at_sign_up_and_verification(self, people, told):
        people.verified("bob@example.com")
        assert told("bob@example.com") == 0

    def test_one_mail_of_ten_at_the_same_moment(self, make_app, ada, told):
        app = make_app(LIMIT_SIGN_IN_IP="off")
        programs = [at(Program(app)) for _ in range(10)]
        answers = at_once(10, lambda number: sign_in_patiently(programs[number]))
        assert [answer.status for answer in answers] == [200] * 10
        assert told() == 1
