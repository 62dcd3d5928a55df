"""Reauthentication: ten minutes for what needs them."""

import pytest

from blueprints.auth.models import AccessToken, UserSession
from tests.blueprints.auth.support import cookie, cookies, count, let_pass, only, refuses, succeeds, with_cookie
from tests.clients import Program
from tests.people import PASSWORD

EMAIL = "ada@example.com"


@pytest.fixture
def stale(ada, either):
    """Either client, signed in as Ada more than ten minutes ago."""
    ada.submit("/auth/sign-out")
    either.submit("/auth/sign-in", email=EMAIL, password=PASSWORD)
    let_pass(UserSession, minutes=10)
    return either


def create_token(client):
    return client.submit("/auth/tokens", _page="/auth/account", name="Export")


def created(client):
    return 200 if client.is_browser else 201


def test_a_token_needs_a_fresh_session(stale):
    answer = create_token(stale)
    if stale.is_browser:
        assert (answer.status, answer.location) == (303, "/auth/reauthenticate?next=%2Fauth%2Ftokens")
    else:
        assert (answer.status, answer.code) == (403, "REAUTHENTICATION_REQUIRED")
    assert count(AccessToken) == 0


def test_reauthenticate(stale):
    answer = stale.submit("/auth/reauthenticate", password=PASSWORD, next="/auth/tokens")
    assert answer.status == succeeds(stale)
    if stale.is_browser:
        assert answer.location == "/auth/tokens"
        assert "New token" in stale.get("/auth/tokens").text
    else:
        assert list(answer.data) == ["message"]
    assert create_token(stale).status == created(stale)


def test_the_window_closes_after_ten_minutes(stale):
    stale.submit("/auth/reauthenticate", password=PASSWORD)
    let_pass(UserSession, minutes=9, seconds=50)
    assert create_token(stale).status == created(stale)
    let_pass(UserSession, seconds=10)
    assert create_token(stale).status == (303 if stale.is_browser else 403)


def test_the_window_is_of_this_session_alone(stale, people):
    people.program(EMAIL)
    assert create_token(stale).status != created(stale)


def test_the_cookie_is_new_and_the_old_one_dead(app, stale):
    old = cookie(stale)
    answer = stale.submit("/auth/reauthenticate", password=PASSWORD)
    assert cookie(stale) == cookies(answer)["session"].value != old
    assert with_cookie(Program(app), old).get("/auth/session").status == 401
    assert stale.get("/auth/account").status == 200


def test_a_wrong_password(stale):
    old = cookie(stale)
    answer = stale.submit("/auth/reauthenticate", password="not the password", next="/auth/tokens")
    assert answer.status == 401
    if stale.is_browser:
        assert "Current password is incorrect" in answer.text
        assert 'id="reauthenticate-password-error"' in answer.text
        assert '<input type="hidden" name="next" value="/auth/tokens"' in answer.text
    else:
        error = answer.response.get_json()["error"]
        assert error == {"code": "UNAUTHORIZED", "message": "Current password is incorrect"}
    assert cookie(stale) == old
    assert create_token(stale).status != created(stale)


@pytest.mark.parametrize("password", ["", None])
def test_the_password_is_required(stale, password):
    assert stale.submit("/auth/reauthenticate", password=password).status == refuses(stale)


def test_the_limit(stale):
    for _ in range(5):
        assert stale.submit("/auth/reauthenticate", password="not the password").status == 401
    answer = stale.submit("/auth/reauthenticate", password=PASSWORD)
    assert answer.status == 429
    assert int(answer.response.headers["Retry-After"]) > 0
    assert only(UserSession, UserSession.ended_at.is_(None)).reauthenticated_at is not None
    assert create_token(stale).status != created(stale)


def test_next_never_leads_away(people, ada):
    browser = people.browser(EMAIL)
    answer = browser.submit("/auth/reauthenticate", password=PASSWORD, next="//evil.test")
    assert answer.location == "/auth/account"


def test_signing_in_opens_the_window(ada, either):
    either.submit("/auth/sign-in", email=EMAIL, password=PASSWORD)
    assert create_token(either).status == created(either)


def test_what_does_not_need_it(stale):
    """Reading, ending sessions and revoking tokens never ask."""
    assert stale.get("/auth/account").status == 200
    assert stale.submit("/auth/sessions/revoke-others").status == succeeds(stale)
    nobody = "00000000-0000-0000-0000-000000000000"
    assert stale.submit(f"/auth/tokens/{nobody}", verb="DELETE", _page="/auth/account").status == 404


@pytest.mark.needs("metrics", "the only page for administrators alone is there")
class TestAdministrators:
    """Whoever was away for half an hour proves the password again before an administrator's page."""

    @pytest.fixture
    def admin(self, people, either):
        """Either client, signed in as an administrator."""
        people.admin().submit("/auth/sign-out")
        either.submit("/auth/sign-in", email="admin@example.com", password=PASSWORD)
        return either

    def dashboard(self, client):
        return client.get("/metrics/dashboard" if client.is_browser else "/metrics")

    def test_not_while_they_work(self, admin):
        for _ in range(3):
            let_pass(UserSession, minutes=29)
            assert self.dashboard(admin).status == 200

    @pytest.mark.parametrize("first", [None, "/auth/account"])
    def test_after_half_an_hour(self, admin, first):
        let_pass(UserSession, minutes=31)
        if first:  # having been seen elsewhere since does not help
            assert admin.get(first).status == 200
        answer = self.dashboard(admin)
        if admin.is_browser:
            assert (answer.status, answer.location) == (303, "/auth/reauthenticate?next=%2Fmetrics%2Fdashboard")
        else:
            assert (answer.status, answer.code) == (403, "REAUTHENTICATION_REQUIRED")
        admin.submit("/auth/reauthenticate", password=PASSWORD)
        assert self.dashboard(admin).status == 200
