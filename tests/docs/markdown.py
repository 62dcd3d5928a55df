"""What the tests read out of a page of the documentation: its chapters, blocks and tables."""

import json
import re
from dataclasses import dataclass
from typing import Any

from config.settings import ROOT

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
HEX = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Block:
    """A fenced block and its language."""

    language: str
    text: str


def read(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def chapter(page: str, title: str) -> str:
    """What stands under a heading, the headings below it included."""
    lines = page.split("\n")
    start = next(number for number, line in enumerate(lines) if re.fullmatch(f"#+ {re.escape(title)}", line))
    level = len(lines[start]) - len(lines[start].lstrip("#"))
    rest = lines[start + 1 :]
    end = next((number for number, line in enumerate(rest) if re.match(f"#{{1,{level}}} ", line)), len(rest))
    return "\n".join(rest[:end])


def blocks(text: str) -> list[Block]:
    return [Block(*found) for found in BLOCK.findall(text)]


def table(text: str, heading: str) -> list[list[str]]:
    """The rows of every table whose first column has this heading, code marks taken off the first cell."""
    rows: list[list[str]] = []
    inside = False
    for line in text.split("\n"):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif cells[0] == heading:
            inside = True
        elif inside and not line.startswith("| ---"):
            rows.append([cells[0].strip("`"), *cells[1:]])
    return rows


def expected_json(text: str) -> Any:
    """JSON as the page shows it: `{…}` stands for anything, `, …}` for more keys."""
    return json.loads(text.replace("{…}", '"…"').replace(", …}", ', "…": "…"}'))


def differences(expected: Any, found: Any, where: str = "answer") -> list[str]:
    """What an answer says otherwise than the page; ids, times and what is after `…` may be any."""
    if expected == "…":
        return []
    if isinstance(expected, dict) and isinstance(found, dict):
        names = [name for name in expected if name != "…"]
        odd = set(names) - set(found) if "…" in expected else set(names) ^ set(found)
        inside = [line for name in names if name in found for line in differences(expected[name], found[name], name)]
        return [f"{where}: {name} is only on one side" for name in sorted(odd)] + inside
    if isinstance(expected, str) and isinstance(found, str):
        for kind in (UUID, TIME, HEX):
            if kind.fullmatch(expected):
                return [] if kind.fullmatch(found) else [f"{where}: {found!r} is not like {expected!r}"]
    return [] if expected == found else [f"{where}: {found!r} instead of {expected!r}"]


def is_like(expected: str, found: str) -> bool:
    """Whether a text is what the page shows; `…` is any text, over several lines at the end."""
    parts = (re.escape(part) for part in expected.strip().split("…"))
    return re.fullmatch(".*".join(parts), found.strip(), re.DOTALL) is not None
