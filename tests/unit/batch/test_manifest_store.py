"""The manifest: what counts of several rows, and versions that we do not know."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from demask.batch.manifest_row import Row
from demask.batch.manifest_store import ManifestIndex, ManifestWriter
from demask.errors import InputError

pytest.importorskip("pyarrow")

ROW = Row(name="a.jpg", output="a.jpg", key="k", status="restored", faces=2, at=1.0, made="m")


def written(place: Path, run: str, *rows: Row) -> None:
    writer = ManifestWriter(str(place), run=run, made={"restorer": run})
    for row in rows:
        writer.add(row)
    writer.flush()


@pytest.mark.parametrize(
    ("first", "second", "counts"),
    [
        (replace(ROW, status="failed"), replace(ROW, at=2.0), "restored"),
        (ROW, replace(ROW, status="error", at=2.0), "restored"),
        (ROW, replace(ROW, status="no_face", at=2.0), "no_face"),
        (replace(ROW, at=3.0), replace(ROW, status="no_face", at=2.0), "restored"),
        (replace(ROW, status="failed"), replace(ROW, status="poisoned", at=2.0), "poisoned"),
    ],
)
def test_one_photo_counts_once(tmp_path: Path, first: Row, second: Row, counts: str) -> None:
    written(tmp_path, "run-1", first)
    written(tmp_path, "run-2", second)
    with ManifestIndex(str(tmp_path)) as index:
        assert index.counts() == {counts: 1}
        assert len(index.runs) == 2


def test_what_was_known_is_not_written_again(tmp_path: Path) -> None:
    written(tmp_path, "run-1", replace(ROW, known=True))
    assert not list(tmp_path.glob("*.parquet"))


def test_a_run_overwrites_no_other(tmp_path: Path) -> None:
    writer = ManifestWriter(str(tmp_path), run="run-1", made={})
    assert writer.is_conditional
    with pytest.raises(Exception, match="exists"):
        ManifestWriter(str(tmp_path), run="run-1", made={})


def test_another_version_is_refused(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    written(tmp_path, "run-1", ROW)
    about = json.loads((tmp_path / "run-1.json").read_text())
    (tmp_path / "run-1.json").write_text(json.dumps({**about, "version": "9"}))
    with pytest.raises(InputError, match=r"run-1\.json is of version 9"):
        ManifestIndex(str(tmp_path))
    (tmp_path / "run-1.json").unlink()
    (table,) = tmp_path.glob("*.parquet")
    changed = parquet.read_table(table).replace_schema_metadata({"demask.manifest": "2"})
    parquet.write_table(changed, table)
    with pytest.raises(InputError, match="a manifest of version 2, and this demask reads 1"):
        ManifestIndex(str(tmp_path))
    table.write_bytes(b"PAR1")
    with pytest.raises(InputError, match="cannot be read as a manifest"):
        ManifestIndex(str(tmp_path))
    assert pyarrow is not None
