"""Names and suffixes of the formats."""

from __future__ import annotations

from pathlib import Path

import pytest

from demask.photo.formats import FORMATS, READ_SUFFIXES, format_of, output_format, suffix_of


@pytest.mark.parametrize("name", FORMATS)
def test_suffix_and_name_agree(name: str) -> None:
    assert format_of(Path("a" + suffix_of(name).upper())) == name
    assert suffix_of(name) in READ_SUFFIXES
    wanted = FORMATS[output_format(name)]
    assert wanted.writes
    assert wanted.labels


def test_unknown_names() -> None:
    assert format_of(Path("a.txt")) is None
    assert format_of(Path("jpg")) is None
