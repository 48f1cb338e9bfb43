"""How large the frames inside an AVIF are, whatever its header says of the picture.

A header may promise 64 x 64 px over frames of 16,000 x 16,000, which a decoder then decodes and scales down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

_SEQUENCE_HEADER = 1
_MAX_STEPS, _MAX_DEPTH = 10_000, 4
_MAX_HEADER_BYTES = 512  # With 32 operating points it takes 400.
_CONTAINERS = frozenset({b"meta", b"iprp", b"ipco"})


def frame_sizes(data: bytes) -> Iterator[tuple[int, int]]:
    """Width and height that the sequence headers in an AVIF name: of its items, and of their descriptions.

    Args:
        data: The file (ISO/IEC 23008-12, with AV1 items as in AV1-AVIF v1.1).

    Raises:
        ValueError: It has more boxes and units than any picture, so many that reading them takes seconds.
    """
    steps, num_joined = _Steps(), 0
    view = memoryview(data)
    for kind, body in _boxes(view, steps, depth=0):
        if kind == b"iloc":
            for extents in _items(bytes(body), steps):
                parts = [view[start:end] for start, end in extents]
                num_joined += sum(len(part) for part in parts[1:])
                if num_joined > len(data):
                    raise ValueError("parts that overlap")
                yield from _sizes_in(parts[0] if len(parts) == 1 else memoryview(b"".join(parts)), steps)
        elif kind == b"av1C":
            yield from _sizes_in(body[4:], steps)
        elif kind == b"idat":
            yield from _sizes_in(body, steps)


class _Steps:
    """Counts what was looked at, and stops where there is no end of it."""

    def __init__(self) -> None:
        self.num = 0

    def __call__(self) -> None:
        self.num += 1
        if self.num > _MAX_STEPS:
            raise ValueError(f"more than {_MAX_STEPS} boxes and units")


def _boxes(view: memoryview, steps: _Steps, *, depth: int) -> Iterator[tuple[bytes, memoryview]]:
    """Kind and body of each box and of those inside the ones we look into (ISO/IEC 14496-12, sec. 4.2)."""
    start = 0
    while start + 8 <= len(view):
        steps()
        size, kind, head = int.from_bytes(view[start : start + 4], "big"), bytes(view[start + 4 : start + 8]), 8
        if size == 1:
            size, head = int.from_bytes(view[start + 8 : start + 16], "big"), 16
        stop = start + size if size else len(view)
        if stop < start + head or stop > len(view):
            return
        body = view[start + head : stop]
        yield kind, body
        if kind in _CONTAINERS and depth < _MAX_DEPTH:
            yield from _boxes(body[4:] if kind == b"meta" else body, steps, depth=depth + 1)
        start = stop


def _items(iloc: bytes, steps: _Steps) -> Iterator[list[tuple[int, int]]]:
    """Start and end, in the file, of the extents of each item (ISO/IEC 14496-12, sec. 8.11.3)."""
    place = 4

    def take(num_bytes: int) -> int:
        nonlocal place
        place += num_bytes
        return int.from_bytes(iloc[place - num_bytes : place], "big")

    if len(iloc) < 8:
        return
    version, sizes = iloc[0], take(2)
    offset_bytes, length_bytes, base_bytes = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_bytes = sizes & 15 if version else 0
    wide = 4 if version == 2 else 2
    for _ in range(take(wide)):
        if place >= len(iloc):
            return
        take(wide + (2 if version else 0) + 2)  # Its number, how offsets count, and in which file.
        base, num_extents = take(base_bytes), take(2)
        extents = []
        for _ in range(num_extents):
            steps()
            if place >= len(iloc):
                return
            take(index_bytes)
            start = base + take(offset_bytes)
            extents.append((start, start + take(length_bytes)))
        steps()
        if extents:
            yield extents


def _sizes_in(units: memoryview, steps: _Steps) -> Iterator[tuple[int, int]]:
    """Walk the units of a stream (AV1 specification, sec. 5.3) and read its sequence headers."""
    place = 0
    while place < len(units):
        steps()
        header = units[place]
        place += 2 if header & 4 else 1  # With an extension.
        size = len(units) - place
        if header & 2:
            size, shift = 0, 0
            while place < len(units) and shift < 56:
                byte, place = units[place], place + 1
                size |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
        if header >> 3 & 15 == _SEQUENCE_HEADER:
            yield _largest_frame(bytes(units[place : place + min(size, _MAX_HEADER_BYTES)]))
        place += size


def _largest_frame(header: bytes) -> tuple[int, int]:
    """The largest frame that a sequence header allows (AV1 specification, sec. 5.5.1)."""
    bits, place = int.from_bytes(header, "big"), 8 * len(header)

    def take(count: int) -> int:
        nonlocal place
        place -= count
        return bits >> place & (1 << count) - 1 if place >= 0 else 0

    take(3 + 1)  # Profile; still picture.
    if take(1):  # The short form.
        take(5)
    else:
        _skip_operating_points(take)
    width_bits, height_bits = take(4) + 1, take(4) + 1
    return take(width_bits) + 1, take(height_bits) + 1


def _skip_operating_points(take: Callable[[int], int]) -> None:
    delay_bits = has_model = 0
    if take(1):  # Timing.
        take(64)
        if take(1):  # A number by its leading zeros.
            zeros = 0
            while zeros < 32 and not take(1):
                zeros += 1
            take(zeros)
        has_model = take(1)
        if has_model:
            delay_bits = take(5) + 1
            take(32 + 5 + 5)
    has_delay = take(1)
    for _ in range(take(5) + 1):
        take(12)
        if take(5) > 7:
            take(1)
        if has_model and take(1):
            take(2 * delay_bits + 1)
        if has_delay and take(1):
            take(4)
