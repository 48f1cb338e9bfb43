"""The kinds of photo that Python callers hand in: a path, bytes, a PIL image or an array."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from demask.errors import InputError
from demask.types import Hole, ImageU8


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class OpenPhoto:
    """Pixels, and the way back to the kind they came from.

    Attributes:
        pixels: uint8 RGB [H, W, 3], upright.
        unchanged: What to give back where no pixel changed.
        close: Makes the same kind from new pixels and the hole in which they changed.
    """

    pixels: ImageU8
    unchanged: Any
    close: Callable[[ImageU8, Hole], Any]


def open_kind(photo: Any) -> OpenPhoto:
    """Open a photo of any kind.

    Args:
        photo: uint8 RGB array [H, W, 3]; PIL image; bytes of a picture file; or its path.

    Raises:
        InputError: It is none of these, or cannot be read.
    """
    if isinstance(photo, np.ndarray):
        if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3 or 0 in photo.shape:
            raise InputError(
                f"got an array {photo.dtype} {list(photo.shape)}, need uint8 RGB [height, width, 3]; "
                "drop alpha, scale to 0..255 and convert first"
            )
        return OpenPhoto(pixels=photo, unchanged=photo, close=lambda pixels, hole: pixels)
    if isinstance(photo, bytes | bytearray | memoryview | str | Path):
        return _open_file(Path(photo) if isinstance(photo, str) else photo)
    from PIL import Image

    if isinstance(photo, Image.Image):
        return _open_pil(photo)
    raise InputError(f"got a {type(photo).__name__}, need a path, bytes, a PIL image or an array")


def _open_file(source: Path | bytes | bytearray | memoryview) -> OpenPhoto:
    from demask.photo.decode import read_photo
    from demask.photo.encode import encode_photo

    decoded = read_photo(source if isinstance(source, Path) else bytes(source))
    return OpenPhoto(
        pixels=decoded.pixels,
        unchanged=decoded.source_bytes,
        close=lambda pixels, hole: encode_photo(decoded, pixels, changed=hole),
    )


def _open_pil(image: Any) -> OpenPhoto:
    from PIL import Image, ImageOps

    upright = ImageOps.exif_transpose(image)
    alpha = upright.getchannel("A") if upright.mode in ("RGBA", "LA") else None

    def close(pixels: ImageU8, hole: Hole) -> Image.Image:
        restored = Image.fromarray(pixels)
        if upright.mode in ("L", "LA"):
            restored = restored.convert("L")
        if alpha is not None:
            restored.putalpha(alpha)
        restored.info = dict(upright.info)
        return restored

    try:
        pixels = np.asarray(upright.convert("RGB"))
    except (OSError, ValueError) as error:
        raise InputError(f"the PIL image (mode {image.mode}) cannot be read: {error}") from error
    return OpenPhoto(pixels=pixels, unchanged=image, close=close)
