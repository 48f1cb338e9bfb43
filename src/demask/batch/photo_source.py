"""Where the photos of a batch come from: a place, a list, or tar files; listed as a stream."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from demask.batch.stores import Store, open_store, scheme_of, split_place
from demask.errors import InputError, UsageError
from demask.extras import install_command
from demask.photo.formats import READ_SUFFIXES

LIST_SUFFIXES = (".jsonl", ".ndjson", ".parquet")
_COLUMNS = ("path", "url", "photo", "file", "filename")


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoRef:
    """A photo of the source, as it travels to a worker.

    Attributes:
        name: What the output is called under the target, and the photo in the manifest.
        place: The store it lies in.
        file: Its name there, or the tar's.
        part: Offset and size in bytes, inside a tar.
        num_bytes: As the listing says; 0 where it does not.
        problem: Why it cannot be used, where the list itself says nothing sensible.
    """

    name: str
    place: str
    file: str
    part: tuple[int, int] | None = None
    num_bytes: int = 0
    problem: str | None = None


def list_photos(source: str, *, target: str | None = None) -> Iterator[PhotoRef]:
    """All photos of a source, as they are found.

    Args:
        source: A folder or a URL (searched recursively); a list of photos (.jsonl, .parquet) with a column
            `path` or `url` and perhaps `name`; a .tar in WebDataset's layout, or a pattern such as
            `photos/train-*.tar`.
        target: A folder that is no source, should it lie inside.

    Raises:
        InputError: The source cannot be listed or read.
        UsageError: It cannot be opened, or an extra is not installed.
    """
    if source.endswith(".tar"):
        yield from _from_tars(source)
    elif source.endswith(LIST_SUFFIXES):
        yield from _from_list(source)
    else:
        for item in open_store(source, skipped=target).list():
            if PurePosixPath(item.name).suffix.lower() in READ_SUFFIXES:
                yield PhotoRef(name=item.name, place=source, file=item.name, num_bytes=item.num_bytes)


def read_ref(ref: PhotoRef, *, max_megapixels: float) -> bytes:
    """The bytes of a photo.

    Raises:
        InputError: It is gone, may not be read, is too large, or does not answer.
    """
    if ref.problem is not None:
        raise InputError(ref.problem)
    store = _store(ref.place)
    if ref.part is None:
        return store.read(ref.file, max_megapixels=max_megapixels)
    with store.open(ref.file) as tar:
        tar.seek(ref.part[0])
        data = bytes(tar.read(ref.part[1]))
    if len(data) < ref.part[1]:
        raise InputError(f"{ref.name} is cut short: the tar ends inside it")
    return data


@lru_cache(maxsize=64)
def _store(place: str) -> Store:
    return open_store(place)


def _from_tars(source: str) -> Iterator[PhotoRef]:
    above, name = split_place(source)
    if "*" not in name:
        yield from _from_tar(above, name)
        return
    for item in open_store(above).list():
        if PurePosixPath(item.name).match(name):
            yield from _from_tar(above, item.name)


def _from_tar(place: str, file: str) -> Iterator[PhotoRef]:
    """The photos of one tar; only its headers are read."""
    stem = file.removesuffix(".tar")
    with _store(place).open(file) as opened:
        try:
            with tarfile.open(fileobj=opened, mode="r:") as tar:
                for member in tar:
                    tar.members = []  # type: ignore[attr-defined]  # It would keep every header.
                    suffix = PurePosixPath(member.name).suffix.lower()
                    if member.isreg() and suffix in READ_SUFFIXES:
                        name = f"{stem}/{member.name.removeprefix('./')}"
                        part = (member.offset_data, member.size)
                        yield _checked(name, place, file, part, member.size)
        except tarfile.TarError as error:
            raise InputError(
                f"{place}/{file} cannot be read as a tar: {error}; it must be whole and not compressed"
            ) from error


def _from_list(source: str) -> Iterator[PhotoRef]:
    above, file = split_place(source)
    with open_store(above).open(file) as opened:
        rows = _parquet_rows(opened, source) if file.endswith(".parquet") else _json_rows(opened, source)
        for number, row in rows:
            yield _from_row(row, f"{file}:{number}", above)


def _json_rows(file: BinaryIO, source: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(_lines(file), 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError as error:
                yield number, ValueError(f"it is no JSON ({error})")


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines of a file that may know no better than to be read in parts."""
    rest = b""
    while part := bytes(file.read(2**16)):
        *lines, rest = (rest + part).split(b"\n")
        yield from lines
    yield rest


def _parquet_rows(file: BinaryIO, source: str) -> Iterator[tuple[int, Any]]:
    try:
        from pyarrow import ArrowException, PythonFile, parquet
    except ImportError:
        raise UsageError(f"{source} needs pyarrow; run: {install_command('batch')}") from None
    try:
        opened = parquet.ParquetFile(PythonFile(file, mode="r"))
        columns = [name for name in (*_COLUMNS, "name") if name in opened.schema_arrow.names]
        number = 0
        for batch in opened.iter_batches(batch_size=1000, columns=columns):
            for row in batch.to_pylist():
                number += 1
                yield number, row
    except ArrowException as error:
        raise InputError(f"{source} cannot be read as parquet: {error}") from error


def _from_row(row: Any, where: str, above: str) -> PhotoRef:
    """A row of a list; what is wrong with it is said of the photo, not of the run."""
    path = row
    if isinstance(row, dict):
        path = next((row[key] for key in _COLUMNS if row.get(key)), None)
    if not isinstance(path, str):
        why = row if isinstance(row, ValueError) else f"it names no photo; need one of {', '.join(_COLUMNS)}"
        return PhotoRef(name=where, place=above, file="", problem=f"{where}: {why}")
    if scheme_of(path) or path.startswith("/"):
        place, file = split_place(path)
        name = path.partition("://")[2] if scheme_of(path) else path.lstrip("/")
    else:
        place, file, name = above, path, path
    given = row.get("name") if isinstance(row, dict) else None
    return _checked(str(given or name), place, file)


def _checked(
    name: str, place: str, file: str, part: tuple[int, int] | None = None, num_bytes: int = 0
) -> PhotoRef:
    """A reference whose output cannot leave the target."""
    parts = PurePosixPath(name).parts
    problem = None
    if not parts or name.startswith("/") or ".." in parts or any(piece.startswith(".") for piece in parts):
        problem = f"{name!r} is no name for an output: it must stay below the target, and not be hidden"
    return PhotoRef(name=name, place=place, file=file, part=part, num_bytes=num_bytes, problem=problem)
