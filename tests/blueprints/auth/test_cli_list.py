"""`flask users list`: a table for people, CSV for programs."""

import csv
import io

import pytest
from sqlalchemy import select

from app.database import db, utc_now
from app.envelope import timestamp
from app.plain_text import csv_line, shown
from blueprints.auth.cli import users
from blueprints.auth.cli.output import table
from blueprints.auth.models import User, UserSession
from tests.blueprints.auth.support import change, let_pass, only
from tests.clients import Program
from tests.people import PASSWORD


@pytest.fixture
def listed(app):
    """Runs the command: `listed("--admins")`."""
    return lambda *words: app.test_cli_runner().invoke(users, ["list", *words])


@pytest.fixture
def everyone(app, people):
    """An administrator, a verified and a disabled account, and one that waits for its proof."""
    people.admin("root@example.com")
    people.verified("ada@example.com", name="Ada Lovelace", username="ada")
    people.verified("Bob@example.com")
    change(User, User.email_key == "bob@example.com", disabled_at=utc_now())
    Program(app).submit("/auth/sign-up", email="zoe@example.com", password=PASSWORD)


def addresses(result):
    """The addresses in the table, in its order."""
    assert result.exit_code == 0, result.output
    return [line.split()[0] for line in result.stdout.splitlines()[1:]]


def test_the_table(everyone, listed):
    now = f"{only(User, User.username == 'ada').created_at:%Y-%m-%d}"
    result = listed()
    header, ada, bob, root, zoe = result.stdout.splitlines()
    assert result.stderr == ""
    assert header.split("  ")[0] == "Address"
    assert ada.startswith(f"ada@example.com   Ada Lovelace                 {now} ")
    assert bob.startswith(f"Bob@example.com   –             disabled       {now} ")
    assert root.startswith(f"root@example.com  –             administrator  {now} ")
    assert zoe.startswith(f"zoe@example.com   –             unverified     {now} ")
    assert zoe.endswith("  –"), "never seen"


def test_when_they_were_last_seen(people, ada, listed):
    let_pass(UserSession, days=2)
    people.program("ada@example.com")
    let_pass(UserSession, hours=3)
    first, second = sorted(db.session.scalars(select(UserSession.last_seen_at)))
    assert first != second
    assert listed().stdout.rstrip().endswith(f"  {second:%Y-%m-%d %H:%M}")


@pytest.mark.parametrize(
    "words, found",
    [
        (("--admins",), ["root@example.com"]),
        (("--disabled",), ["Bob@example.com"]),
        (("--unverified",), ["zoe@example.com"]),
        (("--disabled", "--admins"), []),
        (("--search", "EXAMPLE.com"), ["ada@example.com", "Bob@example.com", "root@example.com", "zoe@example.com"]),
        (("--search", "love"), ["ada@example.com"]),
        (("--search", "bob@"), ["Bob@example.com"]),
        (("--search", "%"), []),
        (("--search", "a_a"), []),
        (("--search", "/"), []),
    ],
)
def test_only_some(everyone, listed, words, found):
    result = listed(*words)
    if found:
        assert addresses(result) == found
    else:
        assert (result.exit_code, result.stdout) == (0, "There is no such account.\n")


def test_a_search_by_username_and_by_what_like_would_take_for_a_wildcard(people, listed):
    people.verified("x@example.com", username="under_score")
    people.verified("y@example.com", username="underscore")
    people.verified("z@example.com", name="100% / \\")
    assert addresses(listed("--search", "r_s")) == ["x@example.com"]
    assert addresses(listed("--search", "0%")) == ["z@example.com"]
    assert addresses(listed("--search", "/ \\")) == ["z@example.com"]


def test_a_search_for_control_characters(everyone, listed):
    assert listed("--search", "\udcff").exit_code == 2
    assert listed("--search", "a\x00").exit_code == 2


def test_the_limit_says_how_many_more_there_are(everyone, listed):
    result = listed("--limit", "3")
    assert addresses(result) == ["ada@example.com", "Bob@example.com", "root@example.com"]
    assert result.stderr == "1 more; --limit 4 lists them all.\n"
    assert listed("--limit", "4").stderr == ""
    assert listed("--limit", "1", "--disabled").stderr == ""
    assert listed("--limit", "0").exit_code == 2


def test_csv_is_for_programs(everyone, listed):
    change(User, User.username == "ada", name='Ada, "the" first')
    result = listed("--csv", "--limit", "2")
    assert result.stdout_bytes.count(b"\r\n") == result.stdout_bytes.count(b"\n") == 3
    ada, bob = csv.DictReader(io.StringIO(result.stdout))
    user = only(User, User.username == "ada")
    seen = only(UserSession, UserSession.user_id == user.id).last_seen_at
    assert ada == {
        "email": "ada@example.com",
        "name": 'Ada, "the" first',
        "administrator": "false",
        "disabled": "false",
        "unverified": "false",
        "created_at": timestamp(user.created_at),
        "last_seen_at": timestamp(seen),
    }
    assert (bob["name"], bob["disabled"]) == ("", "true")
    assert result.stderr == "2 more; --limit 4 lists them all.\n"
    assert len(listed("--csv", "--search", "nobody").stdout.splitlines()) == 1, "the header alone"


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_no_cell_is_a_formula(people, listed, name):
    people.verified("=cmd@example.com")
    change(User, name=name)
    (row,) = csv.DictReader(io.StringIO(listed("--csv").stdout))
    assert (row["email"], row["name"]) == ("'=cmd@example.com", "'" + name.replace("\t", "\\t"))


def test_what_only_looks_like_a_formula():
    assert csv_line(["a=1", "1-1"]) == "a=1,1-1\r\n"


@pytest.mark.parametrize("words", [(), ("--csv",)])
def test_what_a_terminal_would_obey_is_not_printed(people, listed, words):
    people.verified("ada@example.com", name="C1\x9b31m \u202eBidi")  # these are stored
    assert "C1\\x9b31m \\u202eBidi" in listed(*words).stdout
    change(User, name="\x1b[2J\r\n")  # these are refused at the door
    assert "\\x1b[2J\\r\\n" in listed(*words).stdout


def test_letters_of_every_script_are_printed_as_they_are():
    name = "नमस्ते می\u200cخواهم 山田 👩\u200d👧 Zoë"
    assert shown(name) == name


def test_columns_are_aligned_under_wide_letters():
    lines = table(("Name", "Mark"), [("山田", "x"), ("Zoe\u0308", "y")]).splitlines()
    assert lines == ["Name  Mark", "山田  x", "Zoe\u0308   y"]
