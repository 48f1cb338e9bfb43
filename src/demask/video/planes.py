"""A decoded frame's own samples: shown to the networks as RGB, and written only where a face was restored.

A sample outside the hole keeps its value bit for bit. A chroma sample that several pixels share is written only
where all of them lie in the hole. The equations are those of ITU-T H.273, sec. 8.3 (eq. 42 to 48): luma and
chroma from gamma-coded R, G, B with the weights kr and kb, in the narrow or in the full range.

How a clip's frames are turned for showing, and a picture turned upright and back.
The display matrix is that of ISO 14496-12 (6.2.2) as FFmpeg hands it on: nine int32 of 16.16 and 2.30 fixed
point.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from demask.errors import InputError
from demask.types import AnyArray, Floats32, Hole, ImageU8
from demask.video.bright import Transfer, display_rgb, scene_rgb

Frame = Any
"""A decoded `av.VideoFrame`."""
_EXACT = 0x2 | 0x2000 | 0x40000
"""Bilinear, chroma interpolated in full, rounded accurately: the scaler's fast ways lose two levels."""
_HD_ROWS = 720
_TILE_PX = 64
_WORKABLE = {
    "nv12": "yuv420p",
    "nv21": "yuv420p",
    "nv16": "yuv422p",
    "nv24": "yuv444p",
    "p010le": "yuv420p10le",
    "p210le": "yuv422p10le",
    "p410le": "yuv444p10le",
    "yuyv422": "yuv422p",
    "uyvy422": "yuv422p",
    "rgb24": "gbrp",
    "bgr24": "gbrp",
    "bgr0": "gbrp",
    "rgb0": "gbrp",
    "0rgb": "gbrp",
    "0bgr": "gbrp",
    "rgba": "gbrap",
    "bgra": "gbrap",
    "argb": "gbrap",
    "abgr": "gbrap",
    "pal8": "gbrap",
    "rgb48le": "gbrp16le",
    "gray8": "gray",
}
"""Layouts whose samples are interleaved, and the plain one that holds the same numbers."""
_ONE = 1 << 16
_BT709, _UNSPECIFIED, _FCC, _BT470BG, _SMPTE170M, _SMPTE240M, _BT2020_NCL, _BT2020_CL = 1, 2, 4, 5, 6, 7, 9, 10
_WEIGHTS = {
    _BT709: (0.2126, 0.0722),
    _FCC: (0.30, 0.11),
    _BT470BG: (0.299, 0.114),
    _SMPTE170M: (0.299, 0.114),
    _SMPTE240M: (0.212, 0.087),
    _BT2020_NCL: (0.2627, 0.0593),
    _BT2020_CL: (0.2627, 0.0593),
}
"""kr and kb by number of the matrix, H.273 table 4."""
_SWSCALE = {_BT709: 1, _FCC: 4, _BT470BG: 5, _SMPTE170M: 5, _SMPTE240M: 7, _BT2020_NCL: 9, _BT2020_CL: 9}
"""What the scaler calls them."""
_NARROW, _FULL = 1, 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Colours:
    """What a clip's numbers mean.

    Attributes:
        matrix: Number of the matrix (H.273 table 4); where the clip does not say, by its height as players do.
        full_range: Whether black is 0, else 16 of 255.
        transfer: Plain, PQ or HLG.
    """

    matrix: int
    full_range: bool
    transfer: Transfer = Transfer.PLAIN

    @classmethod
    def of(cls, *, matrix: int, range_: int, transfer: int, height: int, format: str) -> Colours:
        """Read the numbers that FFmpeg gives; unknown ones are guessed as players guess them."""
        if matrix not in _WEIGHTS:
            matrix = _BT709 if height >= _HD_ROWS else _SMPTE170M
        return cls(
            matrix=matrix,
            full_range=range_ == _FULL or format.startswith(("yuvj", "gbr", "gray")),
            transfer=Transfer.of_number(transfer),
        )


def working_format(format: str) -> str:
    """The layout that frames are worked on in: the clip's own, or one that holds the same numbers.

    Raises:
        InputError: We know none.
    """
    import av

    format = _WORKABLE.get(format, format)
    known = av.VideoFormat(format)
    planar = format.startswith(("yuv", "gbr", "gray")) and not known.is_big_endian
    if not planar or not all(8 <= part.bits <= 16 for part in known.components) or "f32" in format:
        raise InputError(
            f"the clip's pixels are {format}, which cannot be written one by one; convert it to yuv420p first"
        )
    return format


def in_working_format(frame: Frame) -> Frame:
    """The frame in its working format; itself where that is its own."""
    wanted = working_format(frame.format.name)
    return frame if wanted == frame.format.name else frame.reformat(format=wanted)


def rgb_of(frame: Frame, colours: Colours) -> ImageU8:
    """Show a frame as it lies in the file: uint8 RGB [H, W, 3], of HDR an everyday rendering."""
    deep = colours.transfer is not Transfer.PLAIN
    shown = frame.reformat(
        format="rgb48le" if deep else "rgb24",
        src_colorspace=_SWSCALE[colours.matrix],
        src_color_range=_FULL if colours.full_range else _NARROW,
        dst_color_range=_FULL,
        interpolation=_EXACT,
        threads=1,
    ).to_ndarray()
    return display_rgb(shown, colours.transfer) if deep else np.asarray(shown, np.uint8)


def write_back(frame: Frame, rgb: ImageU8, hole: Hole, colours: Colours) -> None:
    """Write a restored picture's pixels into a frame, in the hole and nowhere else.

    Args:
        frame: In its working format; its own buffer is copied first if a decoder still needs it.
        rgb: uint8 RGB [H, W, 3], lying as the frame does.
        hole: Pixels to write, bool [H, W].
        colours: What the frame's numbers mean.
    """
    rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
    if not len(rows):
        return
    frame.make_writable()
    format = frame.format
    # Up to 4 x 4 pixels share a chroma sample: whole blocks, but where the picture ends.
    y0, x0 = (int(first) // 4 * 4 for first in (rows[0], columns[0]))
    y1 = min(int(rows[-1]) // 4 * 4 + 4, frame.height)
    x1 = min(int(columns[-1]) // 4 * 4 + 4, frame.width)
    window, inside = rgb[y0:y1, x0:x1].astype(np.float32), hole[y0:y1, x0:x1]
    bits = format.components[0].bits
    if bits > 8:  # What has eight bits would show as steps among finer ones.
        window = window + _dither(window.shape[0], window.shape[1], y0, x0)
    gamma: Floats32 = np.clip(window / np.float32(255), 0, 1)
    if colours.transfer is not Transfer.PLAIN:
        gamma = scene_rgb(gamma, colours.transfer)
    for index, part in enumerate(format.components):
        if part.is_alpha:
            continue
        plane = _plane(frame.planes[part.plane], part.bits, part.width, part.height)
        values = _samples(gamma, index, format, colours, part.bits)
        down, across = -(-frame.height // part.height), -(-frame.width // part.width)
        target = plane[y0 // down : -(-y1 // down), x0 // across : -(-x1 // across)]
        if (down, across) == (1, 1):
            target[inside] = values[inside]
        else:
            shared, all_inside = _pooled(values, inside, down, across)
            target[all_inside] = shared[all_inside]


def samples_of(frame: Frame) -> list[AnyArray]:
    """A frame's components in their order, each [H, W] of its own size: views, good while the frame lives."""
    return [
        _plane(frame.planes[part.plane], part.bits, part.width, part.height) for part in frame.format.components
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Orientation:
    """Quarter turns and a mirror that bring a stored frame upright.

    Attributes:
        quarter_turns: Counter-clockwise, 0 to 3, after the mirror.
        mirrored: Left and right change places first.
    """

    quarter_turns: int = 0
    mirrored: bool = False

    @classmethod
    def of_matrix(cls, matrix: tuple[int, ...] | None) -> Orientation:
        """Read a display matrix of nine whole numbers; anything but quarter turns counts as upright."""
        if matrix is None:
            return cls()
        a, b, c, d = (np.sign(round(value / _ONE)) for value in (matrix[0], matrix[1], matrix[3], matrix[4]))
        determinant = a * d - b * c
        if abs(determinant) != 1 or abs(a) + abs(b) != 1:
            return cls()
        # Rows of the matrix say where the stored x and y axes go, y pointing down.
        mirrored = bool(determinant < 0)
        if mirrored:
            a, b = -a, -b
        turns = {(1, 0): 0, (0, -1): 1, (-1, 0): 2, (0, 1): 3}[int(a), int(b)]
        return cls(quarter_turns=turns, mirrored=mirrored)

    @property
    def is_upright(self) -> bool:
        """Whether nothing has to be turned."""
        return self.quarter_turns == 0 and not self.mirrored

    def upright(self, picture: AnyArray) -> AnyArray:
        """Turn a stored picture [H, W, ...] as it is shown."""
        if self.is_upright:
            return picture
        turned = picture[:, ::-1] if self.mirrored else picture
        return np.ascontiguousarray(np.rot90(turned, self.quarter_turns))

    def stored(self, picture: AnyArray) -> AnyArray:
        """Turn an upright picture back as it is stored."""
        if self.is_upright:
            return picture
        turned = np.rot90(picture, -self.quarter_turns)
        return np.ascontiguousarray(turned[:, ::-1] if self.mirrored else turned)


def matrix_of_bytes(data: bytes) -> tuple[int, ...] | None:
    """The nine numbers of a frame's display matrix, from its side data; None where they are not nine."""
    return struct.unpack("<9i", data[:36]) if len(data) >= 36 else None


def _samples(gamma: Floats32, index: int, format: Any, colours: Colours, bits: int) -> AnyArray:
    """One component of gamma-coded RGB [H, W, 3] in [0, 1], as whole numbers in floats, [H, W]."""
    most = float(2**bits - 1)
    if format.is_rgb:
        values = gamma[..., index] * most  # Components come as R, G, B whatever the planes' order.
    else:
        kr, kb = _WEIGHTS[colours.matrix]
        luma = gamma @ np.array([kr, 1 - kr - kb, kb], np.float32)
        if index == 0:
            values = luma * most if colours.full_range else (219 * luma + 16) * 2 ** (bits - 8)
        else:
            channel, weight = (2, kb) if index == 1 else (0, kr)
            chroma = (gamma[..., channel] - luma) / (2 * (1 - weight))
            values = chroma * most if colours.full_range else 224 * chroma * 2 ** (bits - 8)
            values = values + 2 ** (bits - 1)
    return values


def _pooled(values: AnyArray, inside: Hole, down: int, across: int) -> tuple[AnyArray, Hole]:
    """Means of blocks, and which lie wholly inside; one that the picture's edge cuts counts by its rest."""
    height, width = (-(-values.shape[0] // down) * down, -(-values.shape[1] // across) * across)
    pad = ((0, height - values.shape[0]), (0, width - values.shape[1]))
    blocks = np.pad(values, pad, mode="edge").reshape(height // down, down, width // across, across)
    held = np.pad(inside, pad, mode="edge").reshape(height // down, down, width // across, across)
    return blocks.mean(axis=(1, 3)), np.asarray(held.all(axis=(1, 3)))


def _plane(plane: Any, bits: int, width: int, height: int) -> AnyArray:
    """A plane's samples, [height, width], to read and write."""
    kind = np.dtype(np.uint8 if bits <= 8 else np.uint16)
    samples = np.frombuffer(plane, kind).reshape(-1, plane.line_size // kind.itemsize)
    return samples[:height, :width]


@lru_cache(maxsize=1)
def _tile() -> Floats32:
    """Triangular noise of one step, the same for every frame: it must not flicker."""
    rng = np.random.default_rng(0)
    uniform = rng.random((2, _TILE_PX, _TILE_PX, 1), np.float32)
    return np.asarray(uniform[0] - uniform[1], np.float32)


def _dither(height: int, width: int, top: int, left: int) -> Floats32:
    rows, columns = (np.arange(height) + top) % _TILE_PX, (np.arange(width) + left) % _TILE_PX
    return np.asarray(0.5 * _tile()[rows][:, columns], np.float32)
