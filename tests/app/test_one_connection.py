"""Every flow works with a pool of one connection: nothing holds one while it asks for another."""

import re
from collections.abc import Callable
from typing import Any

import bcrypt
import pytest

from app.database import db
from app.mail import transport
from tests.clients import Browser, Program
from tests.people import PASSWORD, People, kept_mails, token_in

NEW = "another correct horse"


@pytest.fixture
def narrow(make_app):
    """Everything that is shipped, on one connection that nobody waits long for."""
    app = make_app(DB_POOL_SIZE="1")
    with app.app_context():
        assert db.engine.pool.size() == 1
        db.engine.pool._timeout = 0.2
    return app


def last_token(app) -> str:
    return token_in(kept_mails(app)[-1])


def test_accounts(narrow):
    ada = People(narrow).verified("ada@example.com", name="Ada")
    assert ada.submit("/auth/change-password", currentPassword=PASSWORD, newPassword=NEW).status == 200
    assert ada.submit("/auth/reauthenticate", password=NEW).status == 200
    made = ada.submit("/auth/tokens", name="mine")
    assert Program(narrow, token=made.data["value"]).get("/auth/account").status == 200
    assert ada.get("/auth/sessions").status == 200
    assert ada.submit("/auth/sessions/revoke-others").status == 200
    assert ada.submit(f"/auth/tokens/{made.data['token']['id']}", "DELETE").status == 200
    assert ada.submit("/auth/sign-out").status == 200
    assert ada.submit("/auth/forgot-password", email="ada@example.com").status == 200
    assert ada.submit("/auth/reset-password", token=last_token(narrow), newPassword=PASSWORD).status == 200
    assert ada.submit("/auth/sign-in", email="ada@example.com", password="wrong").status == 401
    assert ada.submit("/auth/sign-up", email="ada@example.com", password=NEW).status == 202
    assert ada.submit("/auth/resend-verification", email="ada@example.com").status == 200


def test_account_pages(narrow):
    people = People(narrow)
    people.verified("ada@example.com")
    browser = people.browser("ada@example.com")
    for path in ("/auth/account", "/auth/change-password", "/auth/reauthenticate", "/dev/mailbox", "/nothing"):
        assert browser.get(path).status in (200, 404)
    answer = browser.submit("/auth/change-password", currentPassword="wrong", newPassword=NEW)
    assert answer.status == 401
    assert browser.submit("/auth/change-password", currentPassword=PASSWORD, newPassword=NEW).status == 303
    assert browser.submit("/auth/sign-out", _page="/auth/account").status == 303


def test_teams(narrow):
    people = People(narrow)
    ada = people.verified("ada@example.com", name="Ada")
    team = ada.submit("/teams", name="Ada's team").data["team"]["id"]
    assert ada.submit(f"/teams/{team}/invite", email="bob@example.com", role="member").status == 201
    token = last_token(narrow)
    stranger = Program(narrow)
    assert stranger.get(f"/teams/invites/preview?token={token}").status == 200
    assert stranger.submit("/teams/invites/accept", token=token, password=PASSWORD, name="Bob").status == 200
    assert kept_mails(narrow)[-1].recipient == "ada@example.com"
    for path in (
        "/teams",
        f"/teams/{team}",
        f"/teams/{team}/members",
        f"/teams/{team}/invites",
        f"/teams/{team}/roles",
    ):
        assert ada.get(path).status == 200, path
    assert ada.submit(f"/teams/{team}/invite", email="eve@example.com").status == 201
    page = people.browser("ada@example.com")
    assert page.get(f"/teams/{team}").status == 200
    shown = Browser(narrow).get(f"/team/invite/{last_token(narrow)}")
    assert shown.status == 200
    assert re.search("Ada's team|Ada&#39;s team", shown.text)


def test_nothing_slow_happens_while_a_connection_is_held(make_app, monkeypatch):
    app = make_app(DB_POOL_SIZE="1", MAIL_SERVER="localhost")
    held: dict[str, set[int]] = {}

    def watch(name: str, slow: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any) -> Any:
            held.setdefault(name, set()).add(db.engine.pool.checkedout())
            return slow(*args)

        return watched

    monkeypatch.setattr(bcrypt, "hashpw", watch("hashpw", bcrypt.hashpw))
    monkeypatch.setattr(bcrypt, "checkpw", watch("checkpw", bcrypt.checkpw))
    monkeypatch.setattr(transport, "send", watch("send", lambda mail: None))
    ada = People(app).verified("ada@example.com")
    assert ada.submit("/auth/change-password", currentPassword=PASSWORD, newPassword=NEW).status == 200
    assert ada.submit("/auth/reauthenticate", password=NEW).status == 200
    assert ada.submit("/auth/forgot-password", email="ada@example.com").status == 200
    assert ada.submit("/auth/reset-password", token=last_token(app), newPassword=PASSWORD).status == 200
    assert ada.submit("/auth/sign-in", email="ada@example.com", password=PASSWORD).status == 200
    assert held == {"hashpw": {0}, "checkpw": {0}, "send": {0}}


def test_health_and_metrics(narrow):
    admin = People(narrow).admin()
    with narrow.app_context(), db.engine.connect():
        assert Program(narrow).client.get("/health").get_json()["status"] == "healthy", "it has its own connection"
    assert admin.get("/metrics").status == 200
    assert admin.client.get("/metrics").status_code == 200
    assert admin.client.get("/metrics/dashboard").status_code == 200
    assert admin.client.get("/health/database").status_code == 200
