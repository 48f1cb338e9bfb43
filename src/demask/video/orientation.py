"""How a clip's frames are turned for showing, and a picture turned upright and back.

The display matrix is that of ISO 14496-12 (6.2.2) as FFmpeg hands it on: nine int32 of 16.16 and 2.30 fixed
point.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from demask.types import AnyArray

_ONE = 1 << 16


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
