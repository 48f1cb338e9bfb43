"""Where photos lie and outputs go: a folder, an object store, or any other place that fsspec reads.

`open_store` is the one way to a place, `Store` what all of them can do. Names are relative, with slashes.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from demask.atomic import remove_leftovers, write_atomic
from demask.errors import InputError, OutputError, OutputExists, UsageError
from demask.extras import install_command
from demask.photo.file_bytes import read_file

OWN_FOLDER = ".demask"
"""Where a target keeps its manifest; as all names with a dot in front, no source lists it."""
OBJECT_SCHEMES = ("s3", "s3a", "gs", "az", "adl", "abfs", "abfss")


class TargetUnusable(OutputError):
    """What cannot be written now cannot be written later either: the disk is full, or writing is denied."""


_HOPELESS = frozenset({errno.ENOSPC, errno.EROFS, errno.EACCES, getattr(errno, "EDQUOT", errno.ENOSPC)})


@dataclass(frozen=True, slots=True)
class Item:
    """A file of a store: its name, and its size in bytes."""

    name: str
    num_bytes: int


class Store(Protocol):
    """A place with files in it; picklable, since every worker opens its own."""

    def list(self) -> Iterator[Item]:
        """All files in any order, as they are found; hidden ones are left out.

        Raises:
            InputError: The place is not there, or may not be listed.
        """
        ...

    def read(self, name: str, *, max_megapixels: float = 100) -> bytes:
        """A whole file; it is refused if no photo of so many megapixels is as large.

        Raises:
            InputError: It is gone, may not be read, is too large, or does not answer.
        """
        ...

    def open(self, name: str) -> BinaryIO:
        """A file to read parts of.

        Raises:
            InputError: It is gone or may not be read.
        """
        ...

    def size(self, name: str) -> int | None:
        """Bytes of a file; None where there is none.

        Raises:
            OutputError: The place does not say.
        """
        ...

    def create(self, name: str, data: bytes, *, overwrite: bool = False) -> None:
        """Write a file whole or not at all; of several who do at once exactly one succeeds.

        Raises:
            OutputExists: It is there, and `overwrite` is False.
            TargetUnusable: Nothing can be written there.
            OutputError: It cannot be written.
        """
        ...

    def clear(self, name: str) -> None:
        """Delete what a killed process left half written of a file."""
        ...


class FolderStore:
    """A folder of this machine, or one that all machines mount."""

    def __init__(self, root: Path, *, skipped: Path | None = None) -> None:
        self._root, self._skipped = root, skipped
        self._cleared: set[Path] = set()

    def list(self) -> Iterator[Item]:
        """See `Store`; a folder inside that is `skipped` is left out."""
        if not self._root.is_dir():
            raise InputError(f"there is no folder {self._root}; check the path")
        skipped = None if self._skipped is None else os.path.realpath(self._skipped)
        folders = [self._root]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if entry.name.startswith("."):
                            continue
                        if entry.is_dir(follow_symlinks=False):
                            if skipped is None or os.path.realpath(entry.path) != skipped:
                                folders.append(Path(entry.path))
                        elif entry.is_file():
                            name = Path(entry.path).relative_to(self._root).as_posix()
                            yield Item(name, entry.stat().st_size)
            except FileNotFoundError:
                continue  # It went while we looked.
            except OSError as error:
                raise InputError(
                    f"cannot list {folder}: {error.strerror}; allow it, or leave it out"
                ) from error

    def read(self, name: str, *, max_megapixels: float = 100) -> bytes:
        """See `Store`."""
        return read_file(self._root / name, max_megapixels=max_megapixels)

    def open(self, name: str) -> BinaryIO:
        """See `Store`."""
        try:
            return (self._root / name).open("rb")
        except OSError as error:
            raise InputError(f"cannot read {self._root / name}: {error.strerror}; check the path") from error

    def size(self, name: str) -> int | None:
        """See `Store`."""
        try:
            return (self._root / name).stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise OutputError(f"cannot look at {self._root / name}: {error.strerror}; allow it") from error

    def create(self, name: str, data: bytes, *, overwrite: bool = False) -> None:
        """See `Store`; what a killed process left in the folder is removed when it is first written to."""
        path = self._root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            why = f"cannot make the folder {path.parent}: {error.strerror}; name another"
            raise _output_error(error)(why) from error
        if path.parent not in self._cleared:
            self._cleared.add(path.parent)
            remove_leftovers(path.parent)
        try:
            write_atomic(path, data, overwrite=overwrite)
        except OutputExists:
            raise
        except OutputError as error:
            raise _output_error(error.__cause__)(str(error)) from error

    def clear(self, name: str) -> None:
        """See `Store`."""
        path = self._root / name
        remove_leftovers(path.parent, path.name)


def _output_error(cause: BaseException | None) -> type[OutputError]:
    hopeless = isinstance(cause, OSError) and cause.errno in _HOPELESS
    return TargetUnusable if hopeless else OutputError


class FsspecStore:
    """Any other place that fsspec knows: to read from, and to write to where nothing better is."""

    def __init__(self, url: str) -> None:
        self._url = url
        try:
            from fsspec.core import url_to_fs

            self._files, self._root = url_to_fs(url)
        except ImportError as error:
            raise UsageError(f"{url} needs more: {error}; run: {install_command('batch')}") from error
        except (ValueError, OSError) as error:
            raise UsageError(f"{url} cannot be opened: {error}; name a folder or a URL") from error

    def list(self) -> Iterator[Item]:
        """See `Store`."""
        try:
            for folder, _, files in self._files.walk(self._root, detail=True):
                for name, facts in files.items():
                    path = (
                        str(PurePosixPath(str(folder), name)).removeprefix(self._root.rstrip("/")).lstrip("/")
                    )
                    if not any(part.startswith(".") for part in PurePosixPath(path).parts):
                        yield Item(path, int(facts.get("size") or 0))
        except OSError as error:
            raise InputError(f"cannot list {self._url}: {error}") from error

    def read(self, name: str, *, max_megapixels: float = 100) -> bytes:
        """See `Store`."""
        from demask.photo.file_bytes import read_stream

        with self.open(name) as file:
            return read_stream(file, f"{self._url}: {name}", max_megapixels=max_megapixels)

    def open(self, name: str) -> BinaryIO:
        """See `Store`."""
        try:
            return self._files.open(self._path(name), "rb")  # type: ignore[no-any-return]
        except (OSError, KeyError) as error:
            raise InputError(f"cannot read {name} in {self._url}: {error}") from error

    def size(self, name: str) -> int | None:
        """See `Store`."""
        try:
            return int(self._files.info(self._path(name))["size"] or 0)
        except FileNotFoundError:
            return None

    def create(self, name: str, data: bytes, *, overwrite: bool = False) -> None:
        """See `Store`; written elsewhere and moved, as far as the place can do that."""
        path = self._path(name)
        if not overwrite and self._files.exists(path):
            raise OutputExists(f"{name} exists in {self._url}; name another target or pass --overwrite")
        part = f"{path}.{os.getpid()}.part"
        try:
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(part, data)
            self._files.mv(part, path)
        except (OSError, NotImplementedError) as error:
            raise OutputError(f"cannot write {name} to {self._url}: {error}") from error

    def clear(self, name: str) -> None:
        """See `Store`; whose part is whose cannot be told here, so parts stay."""

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}" if self._root else name


def open_store(place: str, *, skipped: str | None = None) -> Store:
    """Open a place.

    Args:
        place: A folder, or a URL: `s3://bucket/prefix`, `gs://`, `az://`, `file://`, or one of fsspec's. Object
            stores take address and credentials from their usual environment variables.
        skipped: A folder inside that is not listed.

    Raises:
        UsageError: It cannot be opened, or an extra is not installed.
    """
    scheme = scheme_of(place)
    if scheme in OBJECT_SCHEMES:
        from demask.batch.object_store import ObjectStore

        return ObjectStore(place)
    if scheme not in ("", "file"):
        return FsspecStore(place)
    hidden = None if skipped is None or scheme_of(skipped) not in ("", "file") else local_path(skipped)
    return FolderStore(local_path(place), skipped=hidden)


def scheme_of(place: str) -> str:
    """`s3` of `s3://bucket/x`; empty for a path."""
    scheme, found, _ = place.partition("://")
    return scheme.split("::")[0] if found else ""


def local_path(place: str) -> Path:
    """The path of a folder or of a `file://` URL."""
    return Path(unquote(urlsplit(place).path)) if scheme_of(place) == "file" else Path(place)


def split_place(place: str) -> tuple[str, str]:
    """The place above a file, and the file's name: `s3://bucket/a`, `list.jsonl`."""
    above, _, name = place.rpartition("/")
    if scheme_of(place) in ("", "file") and not above:
        above = "/" if place.startswith("/") else "."
    return above, name
