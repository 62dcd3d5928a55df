"""docs/extending.md, executed: its files are written, its commands run, its routes called by both clients."""

import json
import re
import signal
from pathlib import Path

import pytest

from app.plugins import Plugin
from config.settings import ROOT
from tests.docs import markdown
from tests.operations.processes import Running, Session, on_a_port, run, serving

PAGE = (ROOT / "docs" / "extending.md").read_text()
FILE = re.compile(r"^`((?:mycompany|tests)/[\w./]+)`\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(title: str) -> list[str]:
    return [block.text for block in markdown.blocks(markdown.chapter(PAGE, title)) if block.language == "sh"]


def answer(title: str):
    (block,) = [block for block in markdown.blocks(markdown.chapter(PAGE, title)) if block.language == "json"]
    return markdown.expected_json(block.text)


class Desk:
    """A copy of the project with the page's files, and a shell that remembers what was exported."""

    def __init__(self, project: Path, database_url: str) -> None:
        self.project = project
        self.environ = on_a_port({"ENVIRONMENT": "development", "DATABASE_URL": database_url, "BCRYPT_COST": "4"})
        for name, text in FILE.findall(PAGE):
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            (project / name).write_text(text)

    def types(self, block: str) -> str:
        """Run a block of the page; `make run` in it is left to `starts`. Returns what was printed."""
        for name, value in re.findall(r"^export (\w+)=(.*)$", block, re.MULTILINE):
            self.environ[name] = value
        lines = [line for line in block.splitlines() if line != "make run"]
        here = "\n".join(lines).replace("localhost:8000", f"localhost:{self.environ['PORT']}")
        done = run(f"set -e\n{here}", self.environ, cwd=self.project)
        assert done.returncode == 0, f"{here}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def starts(self, folder: Path):
        return serving(self.environ, folder, ["make", "run"], cwd=self.project)


@pytest.fixture
def desk(copy_of_the_project, new_database) -> Desk:
    return Desk(copy_of_the_project, new_database())


def ends(web: Running) -> None:
    web.tell_all(signal.SIGINT)
    web.end()
    assert "request_failed" not in web.stdout


def fill(session: Session, path: str, **values: str):
    """Post the form that a page shows."""
    page = session.call("GET", path).text
    action = re.search(r'<form class="form"\s+method="post"\s+action="([^"]+)"', page)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert action, page
    assert token, page
    return session.call("POST", action[1], form=values | {"csrf_token": token[1]})


def test_the_thirty_lines(desk, tmp_path):
    start, call = commands("Thirty lines")
    assert desk.types(start) == ""
    with desk.starts(tmp_path) as web:
        assert markdown.differences(answer("Thirty lines"), json.loads(desk.types(call))) == []
        shown = fill(Session(web.port), "/hello/new", name="Ada")
        assert (shown.status, "Hello, Ada." in shown.text) == (200, True)
        refused = fill(Session(web.port), "/hello/new", name=" ")
        assert (refused.status, "This field is required." in refused.text) == (422, True)
        assert "/api/hello" in web.call("GET", "/api/openapi.json").json["paths"]
        ends(web)


def test_the_complete_one(desk, tmp_path):
    desk.types(*commands("Its tables"))
    _, calls = commands("See it work")
    with desk.starts(tmp_path / "on") as web:
        printed = desk.types(calls)
        assert markdown.differences(answer("See it work"), json.loads(printed[printed.index("{") :])) == []
        use_the_pages(web)
        assert web.call("GET", "/health").json["checks"]["notes"] == "healthy"
        ends(web)
    listed = run("flask settings", desk.environ, cwd=desk.project).stdout
    assert "| `NOTES_PER_PERSON` | `100` | Most notes a person keeps. |" in listed
    done = run("flask jobs list --state failed", desk.environ, cwd=desk.project)
    assert (done.returncode, done.stdout) == (0, "")
    wrong = run("flask db upgrade heads", desk.environ | {"NOTES_PER_PERSON": "0"}, cwd=desk.project)
    expected = "Configuration error: NOTES_PER_PERSON: Input should be greater than or equal to 1\n"
    assert (wrong.returncode, wrong.stderr) == (1, expected)

    desk.types(*commands("Switching it off"))
    with desk.starts(tmp_path / "off") as web:
        assert web.call("GET", "/notes").status == 404
        assert "notes" not in web.call("GET", "/health").json["checks"]
        ends(web)


def use_the_pages(web: Running) -> None:
    ada = Session(web.port)
    body = {"email": "ada@example.com", "password": "correct horse battery"}
    assert fill(ada, "/auth/sign-in", **body).status == 303
    page = ada.call("GET", "/notes").text
    assert "Call the bank" in page
    assert re.search(r'href="/notes"\s+aria-current="page">Notes<', page)
    assert fill(ada, "/notes/new", body="<b>Buy milk</b>").headers["Location"] == "/notes"
    page = ada.call("GET", "/notes").text
    assert "&lt;b&gt;Buy milk" in page
    assert "Your note is kept." in page
    path = re.findall(r'action="(/notes/[0-9a-f-]+/delete)"', page)[-1]
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token
    assert ada.call("POST", path, form={"csrf_token": token[1]}).status == 303
    assert "Call the bank" not in ada.call("GET", "/notes").text
    assert Session(web.port).call("GET", "/notes").headers["Location"].startswith("/auth/sign-in")
    assert web.call("GET", "/api/notes").status == 401


@pytest.mark.sqlite_only("the page itself says how to take the other engine")
def test_the_tests_of_the_page(desk):
    desk.types(*commands("Its tables"))
    assert "4 passed" in desk.types(*commands("Its tests"))


def test_the_table_of_fields_is_complete():
    rows = markdown.table(PAGE, "Field of `Plugin`")
    assert [row[0] for row in rows] == list(Plugin.__dataclass_fields__)
