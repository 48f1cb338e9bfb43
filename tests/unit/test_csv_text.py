"""CSV that no spreadsheet runs."""

import csv
import io

import pytest

from demask.csv_text import csv_text


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_that_starts_like_a_formula_becomes_plain_text(start: str) -> None:
    text = csv_text(["name"], [[f"{start}cmd|'/c calc'!A1"]])
    ((_,), (cell,)) = csv.reader(io.StringIO(text, newline=""))
    assert cell.startswith(f"'{start}")


def test_numbers_keep_their_sign_and_digits() -> None:
    rows = [[-1.5, 0.1 + 0.2, "-3", "+4.5", True, None, float("nan"), "a,b"]]
    assert csv_text(list("abcdefgh"), rows).splitlines()[1] == '-1.5,0.30000000000000004,-3,+4.5,1,,,"a,b"'


def test_short_rows_are_filled_up() -> None:
    assert csv_text(["a", "b", "c"], [["x"]]) == "a,b,c\nx,,\n"
