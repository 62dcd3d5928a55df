"""docs/api.md says what the service does: its calls are made, its tables are compared."""

import json
import os
import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from flask import Flask
from pydantic import BaseModel

from app import errors
from app.errors import AppError
from app.limits import check_limit
from app.openapi import operations, path_of
from app.schemas import In, Nothing
from app.web import View
from tests.docs import markdown
from tests.live import Live

PAGE = markdown.read("api.md")
CHAIN = markdown.blocks(markdown.chapter(PAGE, "The whole chain with curl"))
MARK = "\x1e"
WHO = {
    "anyone": {"public"},
    "signed in": set(),
    "session": {"cookie"},
    "fresh session": {"cookie", "fresh"},
    "administrator": {"admin"},
}


def run_chain(base_url: str, folder: Path) -> list[str]:
    """Run every ```sh block in one shell; return what each printed."""
    scripts = [block.text for block in CHAIN if block.language == "sh"]
    script = f"printf '{MARK}'\n".join(scripts)
    assert "BASE=http://localhost:8000\n" in script
    script = script.replace("BASE=http://localhost:8000\n", f"BASE={base_url}\n")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout.split(MARK)


def test_the_whole_chain_with_curl(live: Live, tmp_path: Path) -> None:
    printed = iter(run_chain(live.base_url, tmp_path))
    answers = {"json": 0, "text": 0}
    for block, after in pairwise([*CHAIN, markdown.Block("sh", "")]):
        if block.language != "sh":
            continue
        found = next(printed).replace(live.base_url, "http://localhost:8000")
        if after.language == "sh":
            assert found == "", f"nothing is shown after\n{block.text}"
            continue
        answers[after.language] += 1
        if after.language == "text":
            assert markdown.is_like(after.text, found), f"{block.text}\n{found}"
            continue
        expected, status = after.text.strip().rsplit("\n", 1)
        answer, found_status = found.strip().rsplit("\n", 1)
        assert found_status == status, found
        assert markdown.differences(markdown.expected_json(expected), json.loads(answer)) == []
    assert answers == {"json": 8, "text": 5}


def documented_routes() -> dict[str, list[str]]:
    return {row[0]: row for row in markdown.table(markdown.chapter(PAGE, "Routes"), "route")}


def served_routes(app: Flask) -> dict[str, View]:
    return {f"{verb} {path_of(rule)}": view for rule, view, verb in operations(app)}


def test_every_route_is_documented_and_every_documented_route_exists(app: Flask) -> None:
    outside = {row[0] for row in markdown.table(markdown.chapter(PAGE, "Outside the envelope"), "route")}
    assert set(documented_routes()) - outside == set(served_routes(app))
    rules = {f"GET {rule.rule}" for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())}
    assert outside <= rules


def test_routes_say_who_may_call_what_goes_in_and_what_comes_out(app: Flask) -> None:
    documented = documented_routes()
    for name, view in served_routes(app).items():
        _, who, body, data = documented[name]
        rights = {right for right in ("public", "cookie", "fresh", "admin") if getattr(view.access, right)}
        assert WHO[who] == rights, name
        assert names_in(body) == names_of(view.input or view.query), name
        assert view.output is not None
        given = {alias_of(view.output, field) for field in view.output.model_fields}
        assert {found.rstrip("?") for found in names_in(data)} == given, name
        made = re.match(r"\d+", data)
        assert view.statuses[0] == int(made.group() if made else 200), name


def names_in(cell: str) -> set[str]:
    """`{email, name?}` as a set, `?token=` as its one name."""
    if cell.startswith("`?"):
        return {cell.strip("`?=")}
    inside = re.search(r"\{(.*)\}", cell)
    return set(inside.group(1).split(", ")) if inside else set()


def names_of(schema: type[In] | None) -> set[str]:
    """The outside names of what goes in; `?` marks what may be left out."""
    if schema is None or schema is Nothing:
        return set()
    return {alias_of(schema, name) + "?" * (not field.is_required()) for name, field in schema.model_fields.items()}


def alias_of(schema: type[BaseModel], name: str) -> str:
    return schema.model_fields[name].alias or name


@pytest.mark.usefixtures("app")
def test_the_table_of_errors_is_complete() -> None:
    documented = {(row[0], int(row[1])) for row in markdown.table(markdown.chapter(PAGE, "Errors"), "code")}
    known = {(code, status) for status, code in errors.CODES.items()}
    assert documented == known | {(error.code, error.status) for error in refusals(AppError)}


def refusals(error: type[AppError]) -> list[type[AppError]]:
    """Every kind of refusal in the product."""
    below = [found for kind in error.__subclasses__() for found in refusals(kind)]
    return below + [error] * error.__module__.startswith(("app.", "blueprints."))


def test_the_limits_are_those_of_the_settings(app: Flask) -> None:
    documented = {row[0]: row[1] for row in markdown.table(markdown.chapter(PAGE, "Limits"), "setting")}
    fields = {
        name.upper(): field.default
        for model in app.extensions["plugin_settings"]
        for name, field in model.model_fields.items()
        if any(getattr(mark, "func", None) is check_limit for mark in field.metadata)
    }
    assert documented == fields
