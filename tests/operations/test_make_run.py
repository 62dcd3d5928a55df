"""`make run` and `make admin` in a fresh copy of the project, with an environment that is installed already."""

import signal

import pytest

from tests.operations.processes import Session, on_a_port, run, serving

PASSWORD = "correct horse battery"


@pytest.mark.sqlite_only("`make run` takes its default, which is SQLite")
def test_make_run_serves_a_fresh_copy(copy_of_the_project, tmp_path):
    environ = on_a_port({"ENVIRONMENT": ""}) | {"BASE_URL": ""}
    address = f"http://localhost:{environ['PORT']}"
    with serving(environ, tmp_path / "first", ["make", "run"], cwd=copy_of_the_project) as web:
        assert f"Pitchey is at {address} (stop it with Ctrl-C)\n" in web.stdout
        assert f"Mails are kept at {address}/dev/mailbox\n" in web.stdout
        assert "Make an administrator: make admin EMAIL=you@example.com\n" in web.stdout
        assert web.stderr == ""
        assert web.call("GET", "/dev/mailbox").status == 200
        made = run("make admin EMAIL=ada@example.com", environ, cwd=copy_of_the_project, typed=f"{PASSWORD}\n")
        assert (made.returncode, made.stdout, made.stderr) == (0, "ada@example.com is a new administrator.\n", "")
        assert sign_in(web.port).status == 200
        stop(web)
    with serving(environ, tmp_path / "second", ["make", "run"], cwd=copy_of_the_project) as web:
        assert sign_in(web.port).json["data"]["user"]["isAdmin"] is True
        stop(web)
    assert (copy_of_the_project / "instance" / "secret_key").stat().st_mode & 0o077 == 0


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
def test_make_admin_asks_for_an_address(copy_of_the_project):
    done = run("make admin", {}, cwd=copy_of_the_project)
    assert done.returncode == 2
    assert "Whom? Say: make admin EMAIL=you@example.com" in done.stderr


@pytest.mark.sqlite_only("no database takes part")
def test_make_alone_lists_what_there_is(copy_of_the_project):
    listed = run("make", {}, cwd=copy_of_the_project).stdout
    assert [line.split()[1] for line in listed.splitlines()] == [
        "help", "run", "admin", "test", "lint", "check", "fmt", "bench", "clean",
    ]  # fmt: skip
