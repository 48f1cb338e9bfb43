"""Tar files in WebDataset layout: written in order with fixed headers, indexed for random access."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from demask.atomic import part_name
from demask.dataset.record import PARTS
from demask.errors import DatasetError


class ShardWriter:
    """Write one tar; it takes its name only when complete, so a killed run leaves no half shard."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._temporary = part_name(path)
        self._tar = tarfile.open(self._temporary, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115

    def add(self, name: str, data: bytes) -> None:
        """Append one member; owner, time and mode are fixed so that equal data give equal bytes."""
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = len(data), 0o644, 0
        self._tar.addfile(info, io.BytesIO(data))

    def add_face(self, face_id: str, parts: Mapping[str, bytes]) -> None:
        """Append the four files of a face."""
        for part in PARTS:
            self.add(f"{face_id}.{part}", parts[part])

    def finish(self) -> None:
        """Close the tar and give it its name."""
        self._tar.close()
        self._temporary.replace(self.path)

    def discard(self) -> None:
        """Close and delete what was written so far."""
        self._tar.close()
        self._temporary.unlink(missing_ok=True)


def tar_index(path: Path) -> dict[str, tuple[int, int]]:
    """Where each member of a tar lies: name to (offset, size) in bytes.

    Raises:
        DatasetError: The file is missing, cut short or not a tar.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            members = list(tar)
        end = path.stat().st_size
    except Exception as error:  # A damaged header makes tarfile raise a dozen kinds, and not all on purpose.
        raise DatasetError(f"{path.name} cannot be read as a shard: {error}; build the set again") from error
    if not members:
        raise DatasetError(f"{path.name} is an empty tar; build the set again")
    for info in members:
        if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
            raise DatasetError(f"{path.name}: {info.name!r} is no plain file; build the set again")
        if min(info.size, info.offset_data) < 0 or info.offset_data + info.size > end:
            raise DatasetError(f"{path.name} is cut short at {end} bytes; build the set again")
    return {info.name: (info.offset_data, info.size) for info in members}
