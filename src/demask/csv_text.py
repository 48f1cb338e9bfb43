"""CSV whose cells no spreadsheet takes for formulas."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV.

    A cell that a spreadsheet would run as a formula gets an apostrophe before it, unless it is a number (OWASP,
    "CSV Injection"). None and NaN are empty, True and False are 1 and 0, floats keep all their digits.

    Args:
        head: Names of the columns.
        rows: A row may be shorter than the head; it is filled up with empty cells.
    """
    lines = [_line([_harmless(name) for name in head])]
    for row in rows:
        cells = [_harmless(_text(value)) for value in row]
        lines.append(_line(cells + [""] * (len(head) - len(cells))))
    return "".join(lines)


def _line(cells: Sequence[str]) -> str:
    # The writer quotes only the breaks that its own line ends with, and a reader splits at any.
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().removesuffix("\r\n") + "\n"


def _text(value: object) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    return repr(value) if type(value) is float else str(value)


def _harmless(cell: str) -> str:
    try:
        float(cell)
    except ValueError:
        return "'" + cell if cell.startswith(_STARTS_A_FORMULA) else cell
    return cell
