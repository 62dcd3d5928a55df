"""docs/security.md says what protects accounts: its tables are compared with the code, its tests exist."""

import ast
import re
from collections import Counter
from datetime import timedelta
from functools import cache

from flask import Flask

from app import access, jobs
from app.limits import check_limit
from app.security import MAX_BODY_BYTES
from blueprints.auth.models import User
from blueprints.auth.schemas import CreateToken
from blueprints.auth.services import access_tokens, cleaning, devices, mailed, sessions
from blueprints.teams.services import cases, invitations
from config.settings import ROOT
from tests.blueprints.auth.support import count, let_pass
from tests.clients import Browser
from tests.conftest import migrate
from tests.docs import markdown
from tests.people import PASSWORD

PAGE = markdown.read("security.md")
ASVS = markdown.chapter(PAGE, "ASVS 5")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::([\w:]+)`", PAGE)))
REQUIREMENT = re.compile(r"\b\d+\.\d+\.\d+\b")


# --- the tests that the page names ------------------------------------------------------------------


@cache
def names_in(path: str) -> set[str]:
    """The tests of a file: `test_name`, and `TestClass::test_name`; none when there is no such file."""
    file = ROOT / path
    tree = ast.parse(file.read_text(encoding="utf-8") if file.is_file() else "")
    found = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return {name for name in found if name.rpartition("::")[2].startswith("test_")}


def test_every_test_that_is_named_exists() -> None:
    assert [f"{path}::{name}" for path, name in NAMED if name not in names_in(path)] == []


def test_what_looks_like_a_test_is_one() -> None:
    """No name was missed because it was written in another way."""
    assert len(re.findall(r"\.py::", PAGE)) == len(re.findall(r"`tests/[\w/]+\.py::[\w:]+`", PAGE))
    assert len(re.findall(r"\btest_\w+\.py\b", PAGE)) - PAGE.count("`tests/docs/test_security.py`") == PAGE.count(
        ".py::"
    )


def test_every_requirement_stands_once_and_has_a_test() -> None:
    rows = markdown.table(ASVS, "requirement")
    assert len(rows) > 90
    for requirement, what, test in rows:
        assert REQUIREMENT.fullmatch(requirement), requirement
        assert what
        assert re.fullmatch(r"`tests/[^`]+`(, `tests/[^`]+`)*", test), requirement
    times = Counter(REQUIREMENT.findall(ASVS))
    assert {requirement for requirement, number in times.items() if number > 1} == set()
    assert {row[0] for row in rows} <= set(times)
    ordered = [[int(part) for part in row[0].split(".")] for row in rows]
    assert ordered == sorted(ordered)


# --- what the page says of the code -----------------------------------------------------------------


def settings_of(app: Flask) -> dict[str, tuple[object, bool]]:
    """Default of every setting of a plugin, and whether it is a limit."""
    return {
        name.upper(): (field.default, any(getattr(mark, "func", None) is check_limit for mark in field.metadata))
        for model in app.extensions["plugin_settings"]
        for name, field in model.model_fields.items()
    }


def test_every_limit_is_documented_with_its_default(app: Flask) -> None:
    rows = markdown.table(markdown.chapter(PAGE, "Limits"), "setting")
    limits = {name: default for name, (default, is_limit) in settings_of(app).items() if is_limit}
    assert {name for name in settings_of(app) if name.startswith("LIMIT_")} == limits.keys()
    assert {row[0]: row[1] for row in rows} == limits
    assert len(rows) == len(limits)
    for name, _, counts, key, beyond in rows:
        assert counts, name
        assert key, name
        assert beyond, name


LASTS = {
    "session": sessions.SHORT,
    'session of "stay signed in"': sessions.LONG,
    "the same without use": sessions.LONG_IDLE,
    "proof of the password": access.REAUTHENTICATED_FOR,
    "administrator's pages without use": access.ADMIN_IDLE,
    "known device, from its last sign-in": devices.KNOWN_FOR,
    "link that takes an address back": mailed.PROTECTION,
    'link that says "this wasn\'t me"': mailed.PROTECTION,
    "invitation": cases.LIFETIME,
    "access token": timedelta(days=CreateToken.model_fields["expires_in_days"].default),
}


def span(text: str) -> timedelta:
    """`12 hours` as a span of time."""
    number, unit = text.split()
    return timedelta(**{unit if unit.endswith("s") else f"{unit}s": int(number)})


def test_the_lifetimes_are_those_of_the_code(app: Flask) -> None:
    rows = markdown.table(markdown.chapter(PAGE, "How long things last"), "what")
    assert {what: span(lasts) for what, setting, lasts in rows if setting == "–"} == LASTS
    unit = re.compile(r".*_(DAYS|HOURS|MINUTES|SECONDS)")
    settings = {name: default for name, (default, _) in settings_of(app).items() if unit.fullmatch(name)}
    said = {setting.strip("`"): lasts for _, setting, lasts in rows if setting != "–"}
    assert said == {name: f"{default} {unit.fullmatch(name)[1].lower()}" for name, default in settings.items()}


def test_the_caps_are_those_of_the_code() -> None:
    rows = markdown.table(markdown.chapter(PAGE, "Caps"), "cap")
    assert [int(row[1]) for row in rows] == [
        sessions.MOST,
        devices.MOST,
        access_tokens.MOST,
        invitations.MOST_PENDING,
        MAX_BODY_BYTES,
    ]


def test_what_is_forgotten_is_what_the_jobs_forget() -> None:
    rows = markdown.table(markdown.chapter(PAGE, "What is forgotten, and when"), "what")
    assert [span(row[1]) for row in rows[:6]] == [
        sessions.TOLD_FOR,
        cleaning.LINKS_KEPT,
        access_tokens.LISTED_FOR,
        devices.KNOWN_FOR,
        jobs.KEPT,
        jobs.KEPT_PERIODIC,
    ]


def test_every_mail_is_in_the_table() -> None:
    folders = {path.parent.name for path in (ROOT / "templates/emails").glob("*/subject.txt")}
    assert {row[0] for row in markdown.table(markdown.chapter(PAGE, "Mails"), "mail")} == folders


# --- what the page claims and no other test shows ---------------------------------------------------


def look_at_every_page(browser: Browser) -> dict[str, str]:
    """The pages of accounts that answer 200, by path."""
    rules = browser.client.application.url_map.iter_rules()
    paths = [rule.rule for rule in rules if rule.endpoint.startswith("auth.") and "GET" in (rule.methods or ())]
    found = {path: browser.get(f"{path}?token=x") for path in paths if "<" not in path}
    return {path: answer.text for path, answer in found.items() if answer.status == 200}


def test_every_page_can_sign_out(app: Flask, people) -> None:
    people.verified("ada@example.com")
    pages = look_at_every_page(people.browser("ada@example.com"))
    assert len(pages) > 10
    assert [path for path, text in pages.items() if 'action="/auth/sign-out"' not in text] == []


def test_password_fields_are_for_password_managers(app: Flask, people) -> None:
    people.verified("ada@example.com")
    fields = []
    for browser in (Browser(app), people.browser("ada@example.com")):
        for text in look_at_every_page(browser).values():
            fields += re.findall(r'<input[^>]*name="\w*[pP]assword"[^>]*>', text)
    assert len(fields) > 6
    for field in fields:
        assert 'type="password"' in field
        assert re.search(r'autocomplete="(current|new)-password"', field)
        assert not re.search(r"onpaste|readonly|disabled|maxlength", field)


def test_a_password_does_not_grow_old(app: Flask, people) -> None:
    people.verified("ada@example.com", PASSWORD)
    let_pass(User, days=10 * 365)
    answer = people.browser("ada@example.com", PASSWORD).get("/auth/account")
    assert answer.status == 200


def test_a_new_service_has_no_account(make_app, new_database) -> None:
    app = make_app(DATABASE_URL=new_database())
    migrate(app)
    with app.app_context():
        assert count(User) == 0


def test_a_name_is_no_template(people) -> None:
    program = people.verified("ada@example.com", name="{{ 7 * 191 }}{% raw %}${7*191}")
    program.submit("/auth/change-email", newEmail="ada@example.org", password=PASSWORD)
    page = people.browser("ada@example.com").get("/auth/account/edit").text
    assert "1337" not in page
    assert "{{ 7 * 191 }}" in page
