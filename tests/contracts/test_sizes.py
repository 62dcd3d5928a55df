"""Files and functions stay small enough to read at once, and say what they are for."""

import ast
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from config.settings import ROOT

ROOMS = ("app", "blueprints", "config")
FILES = sorted(chain(ROOT.glob("*.py"), *(ROOT.glob(f"{room}/**/*.py") for room in ROOMS)))
MOST_LINES = 300
MOST_FUNCTION_LINES = 40

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, Function))


def public_functions(path: Path) -> Iterator[Function]:
    """What other modules may call."""
    body = ast.parse(path.read_text()).body
    return (node for node in body if isinstance(node, Function) and not node.name.startswith("_"))


def test_no_file_is_longer_than_300_lines():
    lines = {name_of(path): len(path.read_text().splitlines()) for path in FILES}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_no_function_is_longer_than_40_lines():
    lines = {
        f"{name_of(path)}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in FILES
        for node in functions(path)
    }
    assert {name: count for name, count in lines.items() if count > MOST_FUNCTION_LINES} == {}


def test_every_module_says_what_it_is_for():
    sources = {name_of(path): path.read_text() for path in FILES}
    assert [name for name, text in sources.items() if text.strip() and not ast.get_docstring(ast.parse(text))] == []


def test_every_public_function_says_what_it_promises():
    silent = [
        f"{name_of(path)}: {node.name}"
        for path in FILES
        for node in public_functions(path)
        if not ast.get_docstring(node)
    ]
    assert silent == []
