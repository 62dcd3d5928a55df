"""Who may use a view: what the kernel asks of an identity, and what it writes down."""

from datetime import timedelta

import pytest
from sqlalchemy import event, select, update

from app import hooks
from app.access import ADMIN_IDLE, REAUTHENTICATED_FOR, SEEN_EVERY
from app.database import db, end_read, transaction, utc_now
from blueprints.auth.models import UserSession
from tests.clients import Browser, Program
from tests.people import PASSWORD

EMAIL = "ada@example.com"


@pytest.fixture
def ada(sample, people) -> Program:
    """A program with a session, its password just proved."""
    people.verified(EMAIL)
    program = Program(sample)
    assert program.submit("/auth/sign-in", email=EMAIL, password=PASSWORD).status == 200
    return program


@pytest.fixture
def root(sample, people) -> Program:
    """An administrator."""
    people.admin("root@example.com")
    program = Program(sample)
    assert program.submit("/auth/sign-in", email="root@example.com", password=PASSWORD).status == 200
    return program


def age(**columns: timedelta) -> None:
    """Let moments of every session lie further back."""
    with transaction() as session:
        session.execute(update(UserSession).values({name: utc_now() - past for name, past in columns.items()}))


def last_seen():
    end_read()
    return db.session.scalar(select(UserSession.last_seen_at).order_by(UserSession.created_at.desc()))


def test_a_proof_of_the_password_lasts_ten_minutes(ada):
    age(reauthenticated_at=REAUTHENTICATED_FOR - timedelta(seconds=5))
    assert ada.post("/sample/fresh").status == 200
    age(reauthenticated_at=REAUTHENTICATED_FOR + timedelta(seconds=5))
    assert ada.post("/sample/fresh").code == "REAUTHENTICATION_REQUIRED"
    assert ada.submit("/auth/reauthenticate", password=PASSWORD).status == 200
    assert ada.post("/sample/fresh").status == 200


def test_a_bearer_cannot_prove_a_password(sample, ada):
    value = ada.submit("/auth/tokens", name="mine").data["value"]
    assert Program(sample, token=value).post("/sample/fresh").code == "FORBIDDEN"
    assert Program(sample, token=value).get("/sample/mine").status == 200


def test_an_administrator_who_was_away_proves_the_password_again(sample, root):
    age(last_seen_at=ADMIN_IDLE + timedelta(seconds=5), reauthenticated_at=ADMIN_IDLE + timedelta(seconds=5))
    assert root.get("/sample/admin").code == "REAUTHENTICATION_REQUIRED"
    assert root.get("/sample/admin").code == "REAUTHENTICATION_REQUIRED", "asking does not count as being there"
    page = Browser(sample)
    page.client.set_cookie("session", root.client.get_cookie("session").value)
    assert page.get("/sample/admin").location == "/auth/reauthenticate?next=%2Fsample%2Fadmin"
    assert root.submit("/auth/reauthenticate", password=PASSWORD).status == 200
    assert root.get("/sample/admin").status == 200


def test_an_administrator_who_is_there_is_not_asked(root):
    age(last_seen_at=ADMIN_IDLE - timedelta(minutes=1), reauthenticated_at=ADMIN_IDLE * 2)
    assert root.get("/sample/admin").status == 200


def test_when_someone_was_seen_is_written_once_a_minute(ada):
    age(last_seen_at=SEEN_EVERY / 2)
    before = last_seen()
    ada.get("/sample/mine")
    assert last_seen() == before
    age(last_seen_at=SEEN_EVERY * 2)
    ada.get("/sample/mine")
    assert utc_now() - last_seen() < SEEN_EVERY


def test_a_database_that_only_reads_still_serves(sample, ada, engine_name):
    statements = {"sqlite": "PRAGMA query_only = ON", "postgresql": "SET default_transaction_read_only = on"}

    def read_only(connection, record):
        cursor = connection.cursor()
        cursor.execute(statements[engine_name])
        cursor.close()
        connection.commit()

    age(last_seen_at=SEEN_EVERY * 2)
    with sample.app_context():
        engine = db.engine
        engine.dispose()
        event.listen(engine, "connect", read_only)
    try:
        assert ada.get("/sample/mine").status == 200
        assert ada.post("/auth/sign-out").code == "SERVICE_UNAVAILABLE"
    finally:
        event.remove(engine, "connect", read_only)
        engine.dispose()


def test_a_form_does_not_open_the_page_it_lives_on(sample, ada, root):
    """Its own access may be wider than that of the page that shows it."""
    assert Browser(sample).get("/sample/open-form").status == 401
    assert ada.client.get("/sample/open-form").status_code == 403
    assert root.client.get("/sample/open-form").status_code == 200


def test_one_identity_a_request(sample, ada, monkeypatch):
    asked = []
    ask = hooks.ask
    monkeypatch.setattr(hooks, "ask", lambda name, *args: (asked.append(name), ask(name, *args))[1])
    page = Browser(sample)
    page.client.set_cookie("session", ada.client.get_cookie("session").value)
    assert page.get("/sample/mine").status == 200
    assert asked.count("identify") == 1
    asked.clear()
    assert Browser(sample).get("/sample/things").status == 200
    assert "identify" not in asked, "without a cookie there is nothing to ask"


def test_a_public_json_view_asks_nothing(sample, ada, monkeypatch):
    asked = []
    monkeypatch.setattr(hooks, "ask", lambda name, *args: asked.append(name))
    assert ada.get("/sample/things").status == 200
    assert asked == []
