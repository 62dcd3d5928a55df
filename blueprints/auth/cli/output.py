"""What commands print: tables for people, and nothing that a terminal would obey."""

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime

from app.plain_text import shown


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
