"""An import run dry, run twice, cut off in the middle, run in batches, and overtaken by a sign-up."""

import signal
import subprocess
import sys

import bcrypt
import pytest
from sqlalchemy import create_engine, event, func, insert, select
from sqlalchemy.pool import NullPool

from app.database import db
from blueprints.auth.cli import users
from blueprints.auth.models import User
from config.settings import ROOT
from tests.blueprints.auth.support import NEW_PASSWORD, change, count, only, row_counts, statements
from tests.live import flask, surroundings
from tests.people import PASSWORD, token_in

EMAIL = "ada@example.com"
HASH = bcrypt.hashpw(PASSWORD.encode(), b"$2b$04$saltsaltsaltsaltsaltsu").decode()  # the same in every process
ONE = f"email,password_hash,username\n{EMAIL},{HASH},ada\n"
THERE = (0, "0 imported, 1 already there, 0 refused.\n", "")

# `flask users import` that dies in its second batch, before that is committed.
DYING = """
import os, signal
import wsgi
from flask.cli import main
from sqlalchemy import event
from app.database import db

with wsgi.app.app_context():
    engine = db.engine
seen = []

@event.listens_for(engine, "after_cursor_execute")
def die(connection, cursor, statement, *rest):
    seen.append(statement.startswith("INSERT INTO users"))
    if sum(seen) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

main()
"""


@pytest.fixture
def imported(app, tmp_path):
    """Runs the command on a file; returns exit code, standard output and standard error."""

    def imported(content, *words):
        (tmp_path / "users.csv").write_text(content)
        result = app.test_cli_runner().invoke(users, ["import", *words, str(tmp_path / "users.csv")])
        return result.exit_code, result.stdout, result.stderr

    return imported


def many(number):
    """A file of so many rows, one username of which two people want."""
    rows = "".join(f"person{one}@example.com,{HASH},user_{min(one, number - 2)}\n" for one in range(number))
    return f"email,password_hash,username\n{rows}"


def test_again_is_harmless(imported):
    assert imported(ONE) == (0, "1 imported, 0 already there, 0 refused.\n", "")
    before = only(User).updated_at
    assert imported(ONE.replace(EMAIL, "ADA@example.com")) == THERE
    assert only(User).updated_at == before


def test_again_after_a_sign_in(people, imported):
    imported(ONE)
    people.program(EMAIL)
    assert only(User).password_hash.startswith("bcrypt-sha384$")
    assert imported(ONE) == THERE


def test_again_after_another_password_and_another_address(people, imported, mails):
    imported(ONE)
    ada = people.program(EMAIL)
    answer = ada.submit("/auth/change-password", currentPassword=PASSWORD, newPassword=NEW_PASSWORD)
    assert answer.status == 200
    assert imported(ONE) == THERE
    ada.submit("/auth/change-email", newEmail="new@example.com", password=NEW_PASSWORD)
    link = token_in(mails("new@example.com")[-1])
    assert ada.submit("/auth/change-email/confirm", token=link).status == 200
    assert imported(ONE) == THERE
    assert only(User).email == "new@example.com"


def test_an_account_with_exactly_this_hash_is_there(people, imported):
    people.verified(EMAIL)
    change(User, password_hash=HASH)  # brought in by other means
    assert imported(ONE) == THERE


def test_a_row_with_another_hash_is_another_row(imported):
    imported(ONE)
    other = ONE.replace(HASH, bcrypt.hashpw(b"another one", bcrypt.gensalt(4)).decode())
    line = f"line 2: {EMAIL}: There is an account with this address already.\n"
    assert imported(other) == (1, "0 imported, 0 already there, 1 refused.\n", line)
    assert only(User).password_hash == HASH


def test_a_dry_run_says_what_happens_and_writes_nothing(app, people, imported):
    people.verified("person1@example.com", username="user_0")
    before = row_counts(app)
    content = many(700) + f"person5@example.com,{HASH},\nlast@example.com,{HASH},user_7\n"
    with statements(app) as asked:
        code, out, lines = imported(content, "--dry-run")
    assert (code, out) == (1, "Dry run, nothing is written: 700 would be imported, 0 already there, 2 refused.\n")
    assert lines == (
        "line 2: person0@example.com: The username user_0 is taken; the account has none.\n"
        "line 3: person1@example.com: There is an account with this address already.\n"
        "line 701: person699@example.com: The username user_698 is taken; the account has none.\n"
        "line 702: person5@example.com: Line 7 has this address, too.\n"
        "line 703: last@example.com: The username user_7 is taken; the account has none.\n"
    )
    assert row_counts(app) == before
    assert {statement.split()[0] for statement in asked} - {"BEGIN"} == {"SELECT"}
    assert "BEGIN IMMEDIATE" not in asked
    assert imported(content) == (1, "700 imported, 0 already there, 2 refused.\n", lines)
    out = "Dry run, nothing is written: 0 would be imported, 700 already there, 2 refused.\n"
    assert imported(content, "--dry-run")[1] == out


def test_500_rows_are_a_transaction(app, imported):
    committed = []

    def note(connection):
        committed.append(connection.execute(select(func.count()).select_from(User)).scalar_one())

    event.listen(db.engine, "commit", note)
    try:
        assert imported(many(1200))[0] == 0
    finally:
        event.remove(db.engine, "commit", note)
    assert sorted(set(committed)) == [500, 1000, 1200]


def test_killed_in_the_middle_and_run_again_it_ends_the_same(app, environ, tmp_path):
    path = tmp_path / "users.csv"
    path.write_text(many(1200))
    killed = subprocess.run(
        [sys.executable, "-c", DYING, "users", "import", path],
        cwd=ROOT,
        env=surroundings(environ),
        capture_output=True,
        text=True,
    )
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, ""), killed.stderr
    assert count(User) == 500
    assert flask(environ, "users", "import", str(path)) == "700 imported, 500 already there, 0 refused.\n"
    db.session.rollback()
    found = {row.email: row.username for row in db.session.execute(select(User.email, User.username))}
    names = {f"person{one}@example.com": f"user_{one}" for one in range(1199)}
    assert found == names | {"person1199@example.com": None}


def test_what_was_done_before_an_error_is_told(app, imported):
    batches = []

    def fail(connection, cursor, statement, *rest):
        batches.append(statement.startswith("INSERT INTO users"))
        if sum(batches) == 2:
            cursor.execute("SELECT 1 FROM no_such_table")

    event.listen(db.engine, "before_cursor_execute", fail)
    try:
        code, out, lines = imported(many(1200))
    finally:
        event.remove(db.engine, "before_cursor_execute", fail)
    assert (code, out) == (1, "")
    stopped, error = lines.splitlines()
    told = "Stopped: 500 imported, 0 already there, 0 refused. Run it again: what is there already stays as it is."
    assert (stopped, error.startswith("Error: The database ")) == (told, True)
    assert count(User) == 500


@pytest.mark.postgresql_only("on SQLite nobody else writes between a look and a write")
@pytest.mark.parametrize("taken", ["email", "username"])
def test_a_sign_up_at_the_same_moment(app, environ, imported, taken):
    other = {"email": EMAIL, "email_key": EMAIL, "username": None, "password_hash": "x", "sign_up_id": "x"}
    if taken == "username":
        other |= {"email": "b@example.com", "email_key": "b@example.com", "username": "ada"}
    engine, done = create_engine(environ["DATABASE_URL"], poolclass=NullPool), []

    def sign_up(connection, cursor, statement, *rest):
        if statement.startswith("INSERT INTO users") and not done:
            done.append(statement)
            with engine.begin() as second:
                second.execute(insert(User).values(other))

    event.listen(db.engine, "before_cursor_execute", sign_up)
    try:
        code, out, lines = imported(ONE)
    finally:
        event.remove(db.engine, "before_cursor_execute", sign_up)
    if taken == "email":
        assert (code, out) == (1, "0 imported, 0 already there, 1 refused.\n")
        assert lines == f"line 2: {EMAIL}: There is an account with this address already.\n"
    else:
        assert (code, out) == (0, "1 imported, 0 already there, 0 refused.\n")
        assert lines == f"line 2: {EMAIL}: The username ada is taken; the account has none.\n"
    assert len(done) == 1
