"""Finished parts of a clip on disk, so that a killed run goes on where it was.

One hidden folder beside the output holds everything: what the job is, and for each finished segment its
compressed frames and the state of the work after it. A segment begins with a key frame and refers to nothing
before it, and an unbroken run is written through the very same segments: so both end in the same bytes.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from demask.atomic import part_name, remove_leftovers, write_atomic
from demask.errors import OutputError
from demask.types import AnyArray

_RECORD = struct.Struct("<qq?I")
_MAGIC = b"demask segment 1\n"
Tree = Any
"""Numbers, strings, None, arrays, lists and dicts of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Packet:
    """One compressed frame.

    Attributes:
        stamp: When it is shown, in units of the clip's time base.
        duration: How long, likewise; 0 where unknown.
        is_key: Whether decoding can begin here.
        data: The bytes.
    """

    stamp: int
    duration: int
    is_key: bool
    data: bytes


class SegmentStore:
    """The folder of one job; a context, locked while it is open.

    Args:
        target: The output.
        job: What the job is, JSON values only; a folder of another job is emptied.

    Raises:
        OutputError: Another process works on the same output, or the folder cannot be made.
    """

    def __init__(self, target: Path, job: dict[str, Any]) -> None:
        self.folder = target.with_name(f".{target.name}.demask-parts")
        self._job = json.dumps(job, sort_keys=True)
        self._lock: int | None = None

    def __enter__(self) -> SegmentStore:
        try:
            self.folder.mkdir(exist_ok=True)
            self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT)
            _take(self._lock, self.folder)
            if self._read("job.json") != self._job:
                self._empty()
                write_atomic(self.folder / "job.json", self._job.encode(), overwrite=True)
        except OSError as error:
            raise OutputError(
                f"cannot keep parts in {self.folder}: {error.strerror}; name another output"
            ) from error
        remove_leftovers(self.folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        if not self.finished():  # Nothing to go on with: leave nothing behind.
            self.discard()

    def finished(self) -> int:
        """How many segments are done, from the first on without a gap."""
        count = 0
        while self._path(count).exists() and self._state_path(count).exists():
            count += 1
        return count

    def state_after(self, number: int) -> Tree:
        """What was handed over with a finished segment."""
        return load_tree(self._state_path(number).read_bytes())

    @contextlib.contextmanager
    def writing(self, number: int) -> Iterator[SegmentWriter]:
        """Write a segment; it counts as finished only when the block ends and its state is known."""
        path = self._path(number)
        temporary = part_name(path)
        try:
            with temporary.open("xb") as file:
                writer = SegmentWriter(file)
                yield writer
                file.flush()
                os.fsync(file.fileno())
            write_atomic(self._state_path(number), dump_tree(writer.state), overwrite=True)
            temporary.replace(path)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def extradata(self) -> bytes:
        """The decoder's header, the same for all segments."""
        with self._path(0).open("rb") as file:
            return _head(file)

    def packets(self) -> Iterator[tuple[Packet, int]]:
        """All packets in the order of decoding, each with its decoding time stamp."""
        delay = max((self._delay(number) for number in range(self.finished())), default=0)
        earlier: list[int] = []
        for number in range(self.finished()):
            shown = sorted(packet.stamp for packet in self._segment(number))
            step = max(1, shown[1] - shown[0]) if len(shown) > 1 else 1
            if not earlier:  # Before the first frame time goes on backwards.
                earlier = [shown[0] - step * back for back in range(delay, 0, -1)]
            stamps = earlier + shown
            for index, packet in enumerate(self._segment(number)):
                yield packet, stamps[index]
            earlier = stamps[len(stamps) - delay :]

    def discard(self) -> None:
        """Delete the folder and all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _delay(self, number: int) -> int:
        """By how many frames the showing lags behind the decoding in a segment."""
        stamps = [packet.stamp for packet in self._segment(number)]
        rank = {stamp: place for place, stamp in enumerate(sorted(stamps))}
        return max((index - rank[stamp] for index, stamp in enumerate(stamps)), default=0)

    def _segment(self, number: int) -> Iterator[Packet]:
        with self._path(number).open("rb") as file:
            _head(file)
            while head := file.read(_RECORD.size):
                stamp, duration, is_key, size = _RECORD.unpack(head)
                yield Packet(stamp=stamp, duration=duration, is_key=is_key, data=file.read(size))

    def _empty(self) -> None:
        for path in self.folder.iterdir():
            if path.name != "lock":
                path.unlink()

    def _read(self, name: str) -> str | None:
        try:
            return (self.folder / name).read_text()
        except OSError:
            return None

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06}.segment"

    def _state_path(self, number: int) -> Path:
        return self.folder / f"{number:06}.state"


class SegmentWriter:
    """Takes the packets of one segment as they come.

    Attributes:
        state: What the work needs to go on after it; set before the segment ends.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.state: Tree = None

    def begin(self, extradata: bytes) -> None:
        """Write the head."""
        self._file.write(_MAGIC + struct.pack("<I", len(extradata)) + extradata)

    def add(self, packet: Packet) -> None:
        """Write one packet."""
        head = _RECORD.pack(packet.stamp, packet.duration, packet.is_key, len(packet.data))
        self._file.write(head + packet.data)


def _head(file: BinaryIO) -> bytes:
    if file.read(len(_MAGIC)) != _MAGIC:
        raise OutputError(f"{file.name} is no segment of ours; delete its folder and start again")
    return file.read(struct.unpack("<I", file.read(4))[0])


def _take(handle: int, folder: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Elsewhere two runs on one output are the user's own affair.
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise OutputError(
            f"another run writes the same output (it holds {folder}); wait for it, or name another"
        ) from error


def dump_tree(tree: Tree) -> bytes:
    """A tree of plain values and arrays as bytes; read with `load_tree`, which runs nothing."""

    def plain(node: Tree) -> Tree:
        if isinstance(node, np.ndarray):
            data = base64.b85encode(np.ascontiguousarray(node).tobytes()).decode()
            return {"array": str(node.dtype), "shape": list(node.shape), "data": data}
        if isinstance(node, np.generic):
            return node.item()
        if isinstance(node, dict):
            return {key: plain(value) for key, value in node.items()}
        if isinstance(node, list | tuple):
            return [plain(value) for value in node]
        return node

    return json.dumps(plain(tree)).encode()


def load_tree(data: bytes) -> Tree:
    """Read what `dump_tree` wrote; tuples come back as lists."""

    def back(node: dict[str, Any]) -> Tree:
        if node.keys() == {"array", "shape", "data"}:
            raw = base64.b85decode(node["data"])
            array: AnyArray = np.frombuffer(raw, np.dtype(node["array"])).reshape(node["shape"]).copy()
            return array
        return node

    return json.loads(data, object_hook=back)
