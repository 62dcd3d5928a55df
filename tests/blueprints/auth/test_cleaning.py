"""The hourly cleaning: what is long over goes, a thousand rows at a time, and nothing younger."""

from datetime import timedelta
from secrets import token_hex
from uuid import uuid4

import pytest
from sqlalchemy import insert, select

from app import hooks
from app.database import db, transaction, utc_now
from app.jobs import QueuedJob
from blueprints.auth.models import AccessToken, Device, MailedToken, User, UserSession
from blueprints.auth.services import cleaning, sessions
from tests.blueprints.auth.support import at_once, change, cookie, count, only, statements
from tests.people import work

EMAIL = "ada@example.com"
NEEDED = {
    UserSession: {"ip_address": "", "user_agent": "", "remember": False, "last_seen_at": utc_now()},
    MailedToken: {"purpose": "reset-password", "nonce": "", "key_id": ""},
    AccessToken: {"name": "Export"},
    Device: {},
}
KEPT = [  # what, by which time, how many days after it
    (UserSession, "expires_at", 30),
    (MailedToken, "expires_at", 7),
    (AccessToken, "expires_at", 30),
    (Device, "last_used_at", 365),
]


def add(model, number=1, **values):
    """Write rows of Ada's; returns their ids."""
    user_id = only(User).id
    ids = [uuid4() for _ in range(number)]
    same = {"user_id": user_id, "created_at": utc_now()} | NEEDED[model] | values
    with transaction() as session:
        session.execute(insert(model.__table__), [same | {"id": row_id, "token_hash": token_hex(32)} for row_id in ids])
    return ids


def ago(**time):
    return utc_now() - timedelta(**time)


def left(model):
    """The ids that are still there."""
    db.session.rollback()
    return set(db.session.scalars(select(model.id)))


@pytest.fixture(autouse=True)
def account(ada):
    """Ada's, with a session, a link, a token and a device that count."""
    ada.submit("/auth/tokens", name="Export")
    return ada


@pytest.mark.parametrize("model, column, days", KEPT)
def test_what_goes_and_what_stays(model, column, days):
    before = left(model)
    over = add(model, **{column: ago(days=days, minutes=1)})
    stays = add(model, **{column: ago(days=days, minutes=-1)}) + add(model, **{column: ago(days=0)})
    cleaning.clean()
    assert left(model) == before | set(stays)
    assert not set(over) & left(model)
    assert before


def test_a_device_of_before_times_were_kept_goes_by_its_first_sign_in():
    over = add(Device, last_used_at=None, created_at=ago(days=365, minutes=1))
    stays = add(Device, last_used_at=None, created_at=ago(days=364))
    used = add(Device, last_used_at=ago(days=1), created_at=ago(days=900))
    cleaning.clean()
    assert set(stays + used) <= left(Device)
    assert not set(over) & left(Device)


def test_an_end_before_the_expiry_shortens_nothing():
    ended = add(UserSession, expires_at=ago(days=1), ended_at=ago(days=31), ended_by="you")
    idle = add(UserSession, expires_at=ago(days=1), last_seen_at=ago(days=60), remember=True)
    cleaning.clean()
    assert set(ended + idle) <= left(UserSession)


def test_nothing_that_is_shown_goes(account):
    """Whatever the account page lists outlives the cleaning."""
    add(UserSession, 3, expires_at=ago(days=29, hours=23))
    add(AccessToken, 3, expires_at=ago(days=29, hours=23))
    who = hooks.ask("identify", cookie(account), None)
    before = sessions.list_ended(who), sessions.list_sessions(who), account.get("/auth/tokens").data
    cleaning.clean()
    assert (sessions.list_ended(who), sessions.list_sessions(who), account.get("/auth/tokens").data) == before
    assert [len(found) for found in (before[0], before[2]["tokens"])] == [3, 4]


@pytest.mark.parametrize("model, column, days", KEPT)
@pytest.mark.parametrize("number", [999, 1000, 2001])
def test_a_thousand_rows_a_transaction(app, model, column, days, number):
    before = left(model)
    add(model, number, **{column: ago(days=days + 1)})
    with statements(app) as asked:
        cleaning.forget(model, getattr(model, column) < ago(days=days))
    assert left(model) == before
    assert len([statement for statement in asked if statement.startswith("DELETE")]) == number // 1000 + 1
    assert all("LIMIT" in statement for statement in asked if statement.startswith("SELECT"))


def test_each_step_is_committed(monkeypatch):
    """What was deleted before a failure stays deleted."""
    add(AccessToken, 1500, expires_at=ago(days=31))
    steps = iter([cleaning.transaction])
    monkeypatch.setattr(cleaning, "transaction", lambda: next(steps)())
    with pytest.raises(StopIteration):
        cleaning.forget(AccessToken, AccessToken.expires_at < ago(days=30))
    assert count(AccessToken) == 501


def test_once_more_changes_nothing():
    for model, column, days in KEPT:
        add(model, 3, **{column: ago(days=days + 1)})
    cleaning.clean()
    after = {model: left(model) for model, _, _ in KEPT}
    cleaning.clean()
    assert {model: left(model) for model, _, _ in KEPT} == after


def test_two_workers_at_the_same_moment(app):
    before = {model: left(model) for model, _, _ in KEPT}
    for model, column, days in KEPT:
        add(model, 2500, **{column: ago(days=days + 1)})

    def run(number):
        with app.app_context():
            cleaning.clean()
            return "done"

    assert at_once(2, run) == ["done", "done"]
    assert {model: left(model) for model, _, _ in KEPT} == before


def test_a_device_that_is_used_at_the_same_moment_stays(app, engine_name):
    """Between the look and the deletion a sign-in used it."""
    change(Device, last_used_at=ago(days=366))
    (device,) = left(Device)
    with transaction() as session:
        session.get_one(Device, device, with_for_update=True).last_used_at = utc_now()
        session.flush()
        if engine_name == "postgresql":  # SQLite has one writer at a time
            at_once(1, lambda number: clean_elsewhere(app))
    cleaning.clean()
    assert left(Device) == {device}


def clean_elsewhere(app):
    with app.app_context():
        cleaning.clean()


def test_the_worker_cleans_every_hour(app):
    work(app)
    job = only(QueuedJob, QueuedJob.name == "auth.clean")
    assert (job.state, cleaning.cleaning.every_seconds) == ("done", 3600)
    over = add(UserSession, expires_at=ago(days=31))
    app.extensions["jobs"].slots.clear()  # another process, within the same hour
    work(app)
    assert set(over) <= left(UserSession)
    change(QueuedJob, QueuedJob.name == "auth.clean", key="auth.clean@0")  # that hour is over
    app.extensions["jobs"].slots.clear()
    work(app)
    assert not set(over) & left(UserSession)
