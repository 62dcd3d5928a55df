"""`make run` and `make admin` in a fresh copy of the project, with an environment that is installed already."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from config.settings import ROOT
from tests.operations.processes import Session, on_a_port, run, serving

PASSWORD = "correct horse battery"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project as a clone would have it, uncommitted files included."""
    project = tmp_path / "a copy"
    listed = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, text=True)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, project / name)
    # Links to what is installed, and a stamp newer than the requirements: nothing is installed into it.
    (project / ".venv").mkdir()
    for part in Path(sys.prefix).iterdir():
        if not part.name.startswith(".installed"):
            (project / ".venv" / part.name).symlink_to(part)
    (project / ".venv" / ".installed").touch()
    return project


@pytest.mark.sqlite_only("`make run` takes its default, which is SQLite")
def test_make_run_serves_a_fresh_copy(copy, tmp_path):
    environ = on_a_port({"ENVIRONMENT": ""}) | {"BASE_URL": ""}
    address = f"http://localhost:{environ['PORT']}"
    with serving(environ, tmp_path / "first", ["make", "run"], cwd=copy) as web:
        assert f"Pitchey is at {address} (stop it with Ctrl-C)\n" in web.stdout
        assert f"Mails are kept at {address}/dev/mailbox\n" in web.stdout
        assert "Make an administrator: make admin EMAIL=you@example.com\n" in web.stdout
        assert web.stderr == ""
        assert web.call("GET", "/dev/mailbox").status == 200
        made = run("make admin EMAIL=ada@example.com", environ, cwd=copy, typed=f"{PASSWORD}\n")
        assert (made.returncode, made.stdout, made.stderr) == (0, "ada@example.com is a new administrator.\n", "")
        assert sign_in(web.port).status == 200
        stop(web)
    with serving(environ, tmp_path / "second", ["make", "run"], cwd=copy) as web:
        assert sign_in(web.port).json["data"]["user"]["isAdmin"] is True
        stop(web)
    assert (copy / "instance" / "secret_key").stat().st_mode & 0o077 == 0


def sign_in(port: int):
    return Session(port).call("POST", "/api/auth/sign-in", data={"email": "ada@example.com", "password": PASSWORD})


def stop(web) -> None:
    """Press Ctrl-C: the terminal signals the whole group, make included."""
    web.tell_all(signal.SIGINT)
    assert web.end() in (0, 2, -signal.SIGINT), web.said
    assert web.is_gone()
    assert "Traceback" not in web.said
    assert "Error" not in web.said


@pytest.mark.sqlite_only("no database takes part")
def test_make_admin_asks_for_an_address(copy):
    done = run("make admin", {}, cwd=copy)
    assert done.returncode == 2
    assert "Whom? Say: make admin EMAIL=you@example.com" in done.stderr


@pytest.mark.sqlite_only("no database takes part")
def test_make_alone_lists_what_there_is(copy):
    listed = run("make", {}, cwd=copy).stdout
    assert [line.split()[1] for line in listed.splitlines()] == [
        "help", "run", "admin", "test", "lint", "check", "fmt", "bench", "clean",
    ]  # fmt: skip
