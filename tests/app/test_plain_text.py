"""Cells of a spreadsheet: no formula, one line each, read back as they were."""

import csv
import io

import pytest

from app.plain_text import csv_line


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "＝1", "＋1", "－1", "＠x"])
def test_a_cell_is_no_formula(cell):
    assert csv_line(["x", cell]) == f"x,'{cell}\r\n"


@pytest.mark.parametrize("control, written", [("\t", "\\t"), ("\r", "\\r"), ("\n", "\\n")])
def test_controls_are_written_out(control, written):
    assert csv_line([f"{control}=1", f"a{control}b"]) == f"'{written}=1,a{written}b\r\n"


def test_a_spreadsheet_that_splits_at_semicolons_meets_no_formula():
    assert csv_line(["Ada;=1+1", "a; @b;c"]) == "Ada;'=1+1,a;' @b;c\r\n"


@pytest.mark.parametrize("cell", ["a=1", "1-1", "a@b.example", "Ada, first", 'the "first"', "O'Neil", "山田", ""])
def test_other_cells_are_read_back_as_they_were(cell):
    assert next(csv.reader(io.StringIO(csv_line([cell, "x"])))) == [cell, "x"]
