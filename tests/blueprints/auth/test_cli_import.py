"""`flask users import`: what it prints, which files it takes, and the example of the documentation."""

import os
import pty
import subprocess

import bcrypt
import pytest
from sqlalchemy import select

from app.database import db
from blueprints.auth.cli import users
from blueprints.auth.models import User
from config.settings import ROOT
from tests.blueprints.auth.support import count, only, row_counts
from tests.docs import markdown
from tests.live import PROGRAMS, flask, surroundings
from tests.people import PASSWORD

HASH = bcrypt.hashpw(PASSWORD.encode(), b"$2b$04$saltsaltsaltsaltsaltsu").decode()  # the same in every process
HEADER = "email,password_hash\n"
QUOTES = "cannot be read: check its quotes."
NO_HEADER = (
    "The file has no header: its first line must name the columns email and password_hash,"
    " with commas or semicolons between the names."
)


@pytest.fixture
def imported(app, tmp_path):
    """Runs the command on a file: `imported("email,password_hash\\n…", "--dry-run")`."""

    def imported(content, *words):
        path = tmp_path / "users.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        result = app.test_cli_runner().invoke(users, ["import", *words, str(path)])
        assert HASH not in result.output
        return result

    return imported


def said(result):
    """Exit code, standard output and standard error of a command."""
    return result.exit_code, result.stdout, result.stderr


def test_nothing_refused_is_exit_code_0(people, imported):
    assert said(imported(HEADER + f"ada@example.com,{HASH}\n")) == (
        0,
        "1 imported, 0 already there, 0 refused.\n",
        "",
    )
    people.program("ada@example.com")


def test_a_refused_row_is_a_line_and_the_others_are_imported(imported):
    rows = f"nobody,{HASH}\nada@example.com,secret\nbob@example.com,{HASH}\n\nBOB@example.com,{HASH}\n"
    sentence = "Use a plain bcrypt hash: $2a$, $2b$ or $2y$, a cost from 04 to 15, 60 characters in all."
    assert said(imported(HEADER + rows)) == (
        1,
        "1 imported, 0 already there, 3 refused.\n",
        "line 2: email: Enter an email address like name@example.com.\n"
        f"line 3: ada@example.com: password_hash: {sentence}\n"
        "line 6: BOB@example.com: Line 4 has this address, too.\n",
    )
    assert only(User).email == "bob@example.com"


@pytest.mark.parametrize(
    "content",
    [
        f"email,password_hash,name\nada@example.com,{HASH},Ada\n",
        f"email;password_hash;name\r\nada@example.com;{HASH};Ada\r\n",
        f"name,email,password_hash\rAda,ada@example.com,{HASH}",
        f"\ufeffemail,password_hash,name\nada@example.com,{HASH},Ada",
        f'\ufeff"email";"password_hash";"name"\n"ada@example.com";"{HASH}";"Ada"\n;;\n\n',
        f" Email , PASSWORD_HASH ,Name,\n ada@example.com , {HASH} , Ada ,\n,,,\n",
    ],
    ids=["commas", "semicolons", "another order", "a mark in front", "quotes", "blanks"],
)
def test_files_as_programs_write_them(imported, content):
    assert said(imported(content)) == (0, "1 imported, 0 already there, 0 refused.\n", "")
    assert (only(User).email, only(User).name) == ("ada@example.com", "Ada")


def test_quoted_cells(imported):
    content = f'email,password_hash,name\nada@example.com,{HASH},"Ada, ""the"" first; Zoë"\n'
    assert imported(content).exit_code == 0
    assert only(User).name == 'Ada, "the" first; Zoë'


def test_a_record_of_several_lines_is_counted_by_its_first(imported):
    content = f'email,password_hash,name\nada@example.com,{HASH},"A\nda"\nada,{HASH},\nbob@example.com,{HASH}\n'
    assert imported(content).stderr == (
        "line 2: ada@example.com: name: This contains characters that are not allowed.\n"
        "line 4: email: Enter an email address like name@example.com.\n"
        "line 5: This row has 2 cells, the header 3.\n"
    )


@pytest.mark.parametrize(
    "content, words",
    [
        (HEADER.encode() + b"caf\xe9@example.com," + HASH.encode(), "The file is not UTF-8. Save it as CSV in UTF-8."),
        (HEADER.encode("utf-16"), "The file is not UTF-8. Save it as CSV in UTF-8."),
        ("", NO_HEADER),
        (f"ada@example.com,{HASH}\n", NO_HEADER),
        (f"email\tpassword_hash\nada@example.com\t{HASH}\n", NO_HEADER),
        ("Email,email,password_hash\n", "The header names email more than once."),
        (HEADER + f'ada@example.com,"{HASH}\nbob@example.com,x\n', f"The record that begins on line 2 {QUOTES}"),
        (HEADER + f'ada@example.com,{HASH}\n"b"ob@example.com,x\n', f"The record that begins on line 3 {QUOTES}"),
        (HEADER + f"ada@example.com,{HASH}\n{'x' * 200_000},y\n", f"The record that begins on line 3 {QUOTES}"),
    ],
)
def test_a_file_that_is_refused_as_a_whole(imported, content, words):
    assert said(imported(content)) == (1, "", f"Error: {words}\n")
    assert count(User) == 0


@pytest.mark.parametrize(
    "end, words",
    [
        (b"caf\xe9@example.com,x\n", "The file is not UTF-8. Save it as CSV in UTF-8."),
        (b'bob@example.com,"x', f"The record that begins on line 602 {QUOTES}"),
    ],
)
def test_a_fault_at_the_end_is_found_before_the_first_batch(imported, end, words):
    rows = "".join(f"person{number}@example.com,{HASH}\n" for number in range(600))
    assert said(imported((HEADER + rows).encode() + end)) == (1, "", f"Error: {words}\n")
    assert count(User) == 0


def test_a_file_that_is_not_there(app):
    result = app.test_cli_runner().invoke(users, ["import", "/no/such/file.csv"])
    assert (result.exit_code, "No such file" in result.stderr) == (2, True)


def test_other_columns_are_ignored_with_a_warning(imported):
    content = f"email,password_hash,is_admin,nick\x1bname\nada@example.com,{HASH},true,ada\n"
    assert said(imported(content)) == (
        0,
        "1 imported, 0 already there, 0 refused.\n",
        "Warning: the column is_admin is ignored: administrators are made by flask users create-admin.\n"
        "Warning: the column nick\\x1bname is ignored: it is not known.\n",
    )
    assert only(User).is_admin is False


def test_a_pipe(environ, app):
    """As on Heroku, where the file comes in by standard input."""
    content = HEADER + "".join(f"person{number}@example.com,{HASH}\n" for number in range(700))
    read, write = os.pipe()
    process = subprocess.Popen(
        [PROGRAMS / "flask", "users", "import", "-"],
        cwd=ROOT,
        env=surroundings(environ),
        stdin=read,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        pipe.write(content)
    assert process.communicate(timeout=60) == ("700 imported, 0 already there, 0 refused.\n", "")
    assert count(User) == 700
    assert flask(environ, "users", "import", "-", typed=content) == "0 imported, 700 already there, 0 refused.\n"


def test_a_bar_on_a_terminal_and_only_there(environ, app, tmp_path):
    path = tmp_path / "users.csv"
    path.write_text(HEADER + f"ada@example.com,{HASH}\nnobody,{HASH}\n")
    command = [PROGRAMS / "flask", "users", "import", "--dry-run", path]
    ours, theirs = pty.openpty()
    seen = subprocess.run(command, cwd=ROOT, env=surroundings(environ), stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert seen.stdout == b"Dry run, nothing is written: 1 would be imported, 0 already there, 1 refused.\n"
    assert ("Importing" in shown, "100%" in shown, "line 3: " in shown) == (True, True, True)
    piped = subprocess.run(command, cwd=ROOT, env=surroundings(environ), capture_output=True, text=True)
    assert piped.stderr == "line 3: email: Enter an email address like name@example.com.\n"


def test_the_example_of_the_documentation(app, people, make_app, tmp_path, monkeypatch):
    twelve = make_app(BCRYPT_COST="12")
    chapter = markdown.chapter(markdown.read("operating.md"), "Moving users over")
    blocks = {block.language: block.text for block in markdown.blocks(chapter)}
    (tmp_path / "users.csv").write_text(blocks["csv"])
    monkeypatch.chdir(tmp_path)
    shown = ""
    for line in blocks["console"].splitlines():
        if line.startswith("$ flask users "):
            before = row_counts(app)
            with twelve.app_context():
                shown += f"{line}\n" + twelve.test_cli_runner().invoke(users, line.split()[3:]).output
            assert (row_counts(app) == before) is ("--dry-run" in line or "0 imported" in shown)
    assert shown == blocks["console"]
    assert set(db.session.scalars(select(User.email))) == {"ada@example.com", "grace@example.com"}
    people.program("ada@example.com")
    columns = {name for name, *_ in markdown.table(chapter, "Column")}
    assert columns == set(blocks["csv"].splitlines()[0].split(","))
