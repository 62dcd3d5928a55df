"""The CSV file of an import: recognised, looked through once before anything is written, and read row by row."""

import csv
import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, TextIO

from blueprints.auth.services.imports import COLUMNS, REQUIRED, Row


class FileRefused(Exception):
    """The file as a whole cannot be imported; the text says why, and quotes nothing of it."""


@dataclass(frozen=True)
class UserFile:
    """A file that can be read to its end: its columns, and how many rows it has."""

    text: TextIO
    delimiter: str
    columns: list[str]
    count: int

    @property
    def ignored(self) -> list[str]:
        """The columns that an import does not know."""
        return [column for column in self.columns if column and column not in COLUMNS]

    def rows(self) -> Iterator[Row]:
        """Every row below the header, one at a time."""
        found = records(self.text, self.delimiter)
        next(found)
        for line, cells in found:
            if len(cells) == len(self.columns):
                yield Row(line, dict(zip(self.columns, cells, strict=True)))
            else:
                yield Row(line, {}, f"This row has {len(cells)} cells, the header {len(self.columns)}.")


@contextmanager
def open_user_file(source: BinaryIO) -> Iterator[UserFile]:
    """Look through a whole file; a pipe, which can be read only once, is copied to a temporary file first.

    :raises FileRefused: not UTF-8, no such header, or quotes that do not match.
    """
    with tempfile.TemporaryFile() as copy:
        if not source.seekable():
            shutil.copyfileobj(source, copy)
        text = io.TextIOWrapper(source if source.seekable() else copy, encoding="utf-8-sig", newline="")
        try:
            delimiter, columns = find_header(text)
            yield UserFile(text, delimiter, columns, sum(1 for _ in records(text, delimiter)) - 1)
        except UnicodeDecodeError:
            raise FileRefused("The file is not UTF-8. Save it as CSV in UTF-8.") from None
        finally:
            text.detach()  # whoever opened the file closes it


def find_header(text: TextIO) -> tuple[str, list[str]]:
    """The delimiter of a file, and the names of its columns in lower case.

    :raises FileRefused: neither delimiter makes a header of the first line.
    """
    for delimiter in (",", ";"):
        try:
            _, cells = next(records(text, delimiter), (0, []))
        except FileRefused:
            continue
        columns = [cell.strip().lower() for cell in cells]
        if set(REQUIRED) <= set(columns):
            twice = sorted({column for column in columns if column in COLUMNS and columns.count(column) > 1})
            if twice:
                raise FileRefused(f"The header names {' and '.join(twice)} more than once.")
            return delimiter, columns
    raise FileRefused(
        f"The file has no header: its first line must name the columns {' and '.join(REQUIRED)},"
        " with commas or semicolons between the names."
    )


def records(text: TextIO, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Every record of the file but empty ones: the line it begins on, and its cells.

    :raises FileRefused: quotes that do not match.
    """
    text.seek(0)
    reader, line = csv.reader(text, delimiter=delimiter, strict=True), 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error:
        raise FileRefused(f"The record that begins on line {line} cannot be read: check its quotes.") from None
