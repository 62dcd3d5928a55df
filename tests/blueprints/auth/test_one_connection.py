"""Every use case with one database connection a process, and none of them held while bcrypt works."""

import bcrypt
import pytest

from app.database import db
from blueprints.auth.models import UserSession
from tests.blueprints.auth.support import NEW_PASSWORD, let_pass
from tests.clients import Browser, Program
from tests.people import PASSWORD, kept_mails, token_in

EMAIL = "ada@example.com"
THIRD = f"{NEW_PASSWORD} again"


@pytest.fixture
def held(monkeypatch, app):
    """How many connections were in use each time bcrypt worked."""
    seen, hashpw, checkpw = [], bcrypt.hashpw, bcrypt.checkpw

    def note(real):
        def wrapped(*args):
            seen.append(db.engine.pool.checkedout())
            return real(*args)

        return wrapped

    monkeypatch.setattr(bcrypt, "hashpw", note(hashpw))
    monkeypatch.setattr(bcrypt, "checkpw", note(checkpw))
    return seen


def whole_life(app, kind):
    """Everything an account can do, one thing after the other; yields each answer's status."""
    client, stranger = kind(app), kind(app)

    def newest():
        return token_in(kept_mails(app)[-1])

    yield stranger.submit("/auth/sign-up", email=EMAIL, password=NEW_PASSWORD).status
    yield client.submit("/auth/sign-up", email=EMAIL, password=PASSWORD).status
    yield client.submit("/auth/resend-verification", email=EMAIL).status
    yield 200 + (stranger.submit("/auth/sign-in", email=EMAIL, password=PASSWORD).status != 403)
    yield client.submit("/auth/verify-email", token=newest()).status
    yield client.get("/auth/account").status
    yield client.submit("/auth/reauthenticate", password=PASSWORD).status
    yield client.submit("/auth/tokens", name="Export").status
    yield client.submit("/auth/change-password", currentPassword=PASSWORD, newPassword=NEW_PASSWORD).status
    yield stranger.submit("/auth/sign-in", email=EMAIL, password=NEW_PASSWORD).status
    yield client.submit("/auth/sessions/revoke-others").status
    yield stranger.submit("/auth/forgot-password", email=EMAIL).status
    yield stranger.submit("/auth/reset-password", token=newest(), newPassword=THIRD).status
    yield client.submit("/auth/sign-in", email=EMAIL, password=THIRD).status
    yield client.submit("/auth/sign-out").status


@pytest.mark.parametrize("kind", [Browser, Program])
@pytest.mark.postgresql_only("SQLite has no server whose connections are few")
def test_one_connection_is_enough(app, make_app, kind):
    narrow = make_app(DB_POOL_SIZE="1")
    db.session.rollback()
    assert set(whole_life(narrow, kind)) <= {200, 201, 202, 303}
    with narrow.app_context():
        assert (db.engine.pool.size(), db.engine.pool.checkedout()) == (1, 0)


@pytest.mark.parametrize("kind", [Browser, Program])
def test_no_connection_is_held_while_bcrypt_works(app, held, kind):
    db.session.rollback()
    assert set(whole_life(app, kind)) <= {200, 201, 202, 303}
    assert len(held) == 9
    assert set(held) == {0}


def test_nor_when_it_is_refused(app, people, held):
    program = people.verified(EMAIL)
    db.session.rollback()
    held.clear()
    program.submit("/auth/sign-in", email=EMAIL, password="not the password")
    program.submit("/auth/sign-in", email="nobody@example.com", password="not the password")
    program.submit("/auth/change-password", currentPassword="not the password", newPassword=PASSWORD)
    program.submit("/auth/reauthenticate", password="not the password")
    assert len(held) >= 4
    assert set(held) == {0}


def test_nor_at_the_first_request_after_a_while(app, people, held):
    """When the session's last use is written, too."""
    program = people.verified(EMAIL)
    let_pass(UserSession, minutes=5)
    db.session.rollback()
    held.clear()
    assert program.submit("/auth/reauthenticate", password=PASSWORD).status == 200
    assert held == [0]
