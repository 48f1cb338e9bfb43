"""Results on disk while a benchmark runs: a line each, appended at once, so that a kill costs one at most."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from demask.errors import OutputError

MEASURED = "measured.jsonl"

Record = dict[str, Any]


class Store:
    """Append-only results, by key; one benchmark at a time.

    A line that a kill cut short is dropped when the file is opened again.

    Args:
        folder: Where `measured.jsonl` is or will be; must exist.

    Raises:
        OutputError: The file cannot be written, or another benchmark writes it.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / MEASURED
        self.records: dict[str, Record] = {}
        try:
            self._handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            raise OutputError(
                f"cannot write {self.path}: {error.strerror}; name another folder with -o"
            ) from error
        try:
            _lock(self._handle, self.path)
            self._read()
        except BaseException:
            os.close(self._handle)
            raise

    def add(self, record: Record) -> None:
        """Append one result under its `key`; it is with the system before this returns.

        Raises:
            OutputError: The disk is full or gone.
        """
        line = json.dumps(record, sort_keys=True, allow_nan=False).encode() + b"\n"
        try:
            while line:  # A full disk may take a part; the rest then raises.
                line = line[os.write(self._handle, line) :]
        except OSError as error:
            raise OutputError(
                f"cannot write {self.path}: {error.strerror}; free the disk and run the same command to go on"
            ) from error
        self.records[record["key"]] = record

    def close(self) -> None:
        """Let the file go."""
        os.close(self._handle)

    def _read(self) -> None:
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.ftruncate(self._handle, whole)
        for line in data[:whole].splitlines():
            try:
                record = json.loads(line)
                self.records[record["key"]] = record
            except (ValueError, KeyError, TypeError):
                continue  # A line that a disk has spoilt is measured again.


def _lock(handle: int, path: Path) -> None:
    """Keep a second benchmark away; the lock goes with the process, however it ends."""
    try:
        import fcntl
    except ModuleNotFoundError:  # No such locks on Windows.
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise OutputError(
            f"another benchmark is writing {path}; wait for it, end it, or name another folder with -o"
        ) from error
