"""The manifest of a batch: parquet files with a row per photo, and a JSON file per run.

Written as the batch goes, each file whole or not at all: a killed run's manifest is right as far as it goes.
"""

from __future__ import annotations

import io
import json
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any

from demask.batch.manifest_row import SUCCESS, Known, MadeWith, Row, digest_of
from demask.batch.stores import OWN_FOLDER, FolderStore, FsspecStore, Item, Store, local_path, open_store
from demask.errors import InputError, OutputExists, UsageError
from demask.extras import install_command

VERSION = "1"
_VERSION_KEY = b"demask.manifest"
_FLUSH_ROWS = 5000
_FLUSH_S = 20.0
_KEPT = (
    *("name", "key", "status", "output", "output_bytes", "made", "reason", "photo_bytes"),
    *("faces", "covered", "seconds", "at"),
)
_COLUMNS = [field.name for field in fields(Row) if field.name != "known"]


def manifest_place(target: str) -> str:
    """Where the manifest of a target is, if nobody says otherwise."""
    return f"{target.rstrip('/')}/{OWN_FOLDER}/manifest"


class ManifestWriter:
    """Write the rows of one run.

    Args:
        place: A folder or a URL.
        run: Name of the run; no other may have it.
        made: Networks and settings.

    Attributes:
        is_conditional: Whether the place refuses to write what is there; some object stores overwrite it.
    """

    def __init__(self, place: str, *, run: str, made: MadeWith) -> None:
        self._store, self._run = open_store(place), run
        self._rows: list[Row] = []
        self._since = time.monotonic()
        self._count = 0
        about = {"version": VERSION, "run": run, "made": digest_of(made), "with": dict(made)}
        data = json.dumps(about, indent=1).encode()
        self._store.create(f"{run}.json", data)
        self.is_conditional = False
        try:
            self._store.create(f"{run}.json", data)
        except OutputExists:
            self.is_conditional = True

    def add(self, row: Row) -> None:
        """Write a row down, soon.

        Raises:
            OutputError: The manifest cannot be written.
        """
        if not row.known:
            self._rows.append(row)
        if len(self._rows) >= _FLUSH_ROWS or time.monotonic() - self._since > _FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Write down what waits."""
        self._since = time.monotonic()
        if not self._rows:
            return
        self._store.create(f"{self._run}-{self._count:05}.parquet", _to_parquet(self._rows, self._run))
        self._count += 1
        self._rows = []


def _to_parquet(rows: Sequence[Row], run: str) -> bytes:
    pyarrow, parquet = _libraries()
    kinds = {"int": pyarrow.int64(), "float": pyarrow.float64()}
    schema = pyarrow.schema(
        [
            (field.name, kinds.get(str(field.type), pyarrow.string()))
            for field in fields(Row)
            if field.name != "known"
        ],
        metadata={_VERSION_KEY: VERSION.encode(), b"demask.run": run.encode()},
    )
    file = io.BytesIO()
    columns = {name: [getattr(row, name) for row in rows] for name in _COLUMNS}
    parquet.write_table(pyarrow.table(columns, schema=schema), file, compression="zstd")
    return file.getvalue()


class ManifestIndex:
    """What all runs of a target wrote down, on the disk of this machine and not in its memory.

    Of several rows of one photo a success counts before a failure, and then the last one.

    Args:
        place: Where the manifest is; it need not exist.

    Raises:
        InputError: It is of another version, or cannot be read.
    """

    def __init__(self, place: str) -> None:
        self._file = tempfile.TemporaryDirectory(prefix="demask-")
        self._rows = sqlite3.connect(str(Path(self._file.name) / "rows.sqlite"))
        self._rows.execute("PRAGMA synchronous=OFF")
        self._rows.execute("PRAGMA journal_mode=OFF")
        columns = ", ".join(_KEPT[1:])
        self._rows.execute(f"CREATE TABLE rows (name TEXT PRIMARY KEY, {columns}, good) WITHOUT ROWID")
        self.runs: dict[str, MadeWith] = {}
        try:
            self._take_all(open_store(place), place)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> ManifestIndex:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove it from the disk."""
        self._rows.close()
        self._file.cleanup()

    def find(self, name: str) -> Known | None:
        """What is known of a photo."""
        row = self._rows.execute(
            "SELECT key, status, output, output_bytes, made, reason, photo_bytes FROM rows WHERE name = ?",
            (name,),
        ).fetchone()
        return None if row is None else Known(*row)

    def counts(self) -> dict[str, int]:
        """Photos by status."""
        return dict(self._rows.execute("SELECT status, COUNT(*) FROM rows GROUP BY status ORDER BY 2 DESC"))

    def sums(self) -> dict[str, float]:
        """Faces, covered ones, seconds of work, first and last moment."""
        query = "SELECT TOTAL(faces), TOTAL(covered), TOTAL(seconds), MIN(at), MAX(at) FROM rows"
        return dict(
            zip(
                ("faces", "covered", "seconds", "first", "last"),
                self._rows.execute(query).fetchone(),
                strict=True,
            )
        )

    def failures(self, limit: int) -> Iterator[tuple[str, str, str]]:
        """Name, status and reason of photos that have no output."""
        query = "SELECT name, status, COALESCE(reason, '') FROM rows WHERE NOT good ORDER BY name LIMIT ?"
        yield from self._rows.execute(query, (limit,))

    def _take_all(self, store: Store, place: str) -> None:
        for item in _listed(store, place):
            if item.name.endswith(".json"):
                about = _json(store, item.name, place)
                self.runs[str(about["made"])] = about["with"]
            elif item.name.endswith(".parquet"):
                self._take(store, item.name, place)
        self._rows.commit()

    def _take(self, store: Store, name: str, place: str) -> None:
        pyarrow, parquet = _libraries()
        try:
            with store.open(name) as file:
                table = parquet.ParquetFile(io.BytesIO(file.read()))
                found = (table.schema_arrow.metadata or {}).get(_VERSION_KEY, b"none").decode()
                if found != VERSION:
                    raise InputError(
                        f"{place}/{name} is a manifest of version {found}, and this demask reads {VERSION}; "
                        "use the demask that wrote it, or name another target"
                    )
                for batch in table.iter_batches(batch_size=10_000):
                    rows = batch.select(list(_KEPT)).to_pylist()
                    self._insert([(*row.values(), row["status"] in SUCCESS) for row in rows])
        except (pyarrow.ArrowException, KeyError) as error:
            raise InputError(f"{place}/{name} cannot be read as a manifest: {error}; remove it") from error

    def _insert(self, rows: list[tuple[Any, ...]]) -> None:
        places = ", ".join("?" * (len(_KEPT) + 1))
        changes = ", ".join(f"{column} = excluded.{column}" for column in (*_KEPT[1:], "good"))
        self._rows.executemany(
            f"INSERT INTO rows VALUES ({places}) ON CONFLICT (name) DO UPDATE SET {changes} "
            "WHERE excluded.good > rows.good OR (excluded.good = rows.good AND excluded.at >= rows.at)",
            rows,
        )


def _listed(store: Store, place: str) -> list[Item]:
    """The manifest's files, oldest first; they are few."""
    if isinstance(store, FolderStore) and not local_path(place).is_dir():
        return []
    try:
        return sorted(store.list(), key=lambda item: item.name)
    except InputError:
        if isinstance(
            store, FsspecStore
        ):  # Most of them do not tell a folder that is missing from an empty one.
            return []
        raise


def _json(store: Store, name: str, place: str) -> dict[str, Any]:
    try:
        with store.open(name) as file:
            about: dict[str, Any] = json.loads(bytes(file.read()))
        if about["version"] != VERSION:
            raise InputError(
                f"{place}/{name} is of version {about['version']}, and this demask reads {VERSION}; "
                "use the demask that wrote it, or name another target"
            )
        if not isinstance(about["with"], dict) or not isinstance(about["made"], str):
            raise TypeError("it names no settings")
        return about
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{place}/{name} cannot be read as a run of a manifest; remove it") from error


def _libraries() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise UsageError(f"the manifest needs pyarrow; run: {install_command('batch')}") from None
    return pyarrow, parquet
