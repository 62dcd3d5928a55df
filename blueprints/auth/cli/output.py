"""What commands print: tables for people, cells for programs, and nothing that a terminal would obey."""

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime

# Control characters, line separators, and marks that turn the direction of the text around them.
UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
FORMULA = ("=", "+", "-", "@", "\t")


def shown(text: str) -> str:
    """A text that came from outside, fit for a terminal: `\\x1b` instead of the character itself."""
    return UNSHOWN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def minute(moment: datetime | None) -> str:
    """`2026-01-31 12:00`, in UTC; a dash without a moment."""
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "–"


def counted(number: int, thing: str) -> str:
    """`1 session`, `2 sessions`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lines with aligned columns, two blanks between them."""
    lines = [list(header), *([shown(cell) for cell in row] for row in rows)]
    widths = [max(map(width, column)) for column in zip(*lines, strict=True)]
    padded = (
        "  ".join(cell + " " * (most - width(cell)) for cell, most in zip(line, widths, strict=True)) for line in lines
    )
    return "\n".join(line.rstrip() for line in padded)


def width(text: str) -> int:
    """How many columns of a terminal a text takes: two for a wide letter, none for a mark on another."""
    return sum(
        0 if unicodedata.category(letter) in ("Mn", "Me", "Cf") else 2 if is_wide(letter) else 1 for letter in text
    )


def is_wide(letter: str) -> bool:
    """Whether a letter takes two columns, as Chinese ones do."""
    return unicodedata.east_asian_width(letter) in ("W", "F")


def csv_line(cells: Iterable[str]) -> str:
    """One line of RFC 4180; no cell is a formula to a spreadsheet (ASVS 1.2.10)."""
    line = io.StringIO()
    csv.writer(line).writerow([shown(f"'{cell}" if cell.startswith(FORMULA) else cell) for cell in cells])
    return line.getvalue()
