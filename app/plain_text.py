"""Text that came from outside, fit for a terminal and for a spreadsheet: nothing in it is obeyed."""

import csv
import io
import re
from collections.abc import Iterable

# Control characters, line separators, and marks that turn the direction of the text around them.
UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# What starts a formula, also in full width. A spreadsheet of a country that writes 1,5 splits lines at semicolons,
# so what stands after one may be the beginning of a cell, too.
FORMULA = re.compile(r"(^|;)(?=\s*[=+\-@\t\r\n＝＋－＠])")


def shown(text: str) -> str:
    """The text with `\\x1b` instead of the character itself."""
    return UNSHOWN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def csv_line(cells: Iterable[str]) -> str:
    """One line of RFC 4180; no cell is a formula to a spreadsheet (ASVS 1.2.10)."""
    line = io.StringIO()
    csv.writer(line).writerow([shown(FORMULA.sub(r"\1'", cell)) for cell in cells])
    return line.getvalue()
