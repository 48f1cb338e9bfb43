"""One photo from opening to giving back, for everyone: Python, the command line, the server.

What a caller hands in is opened, whatever it is (a path, bytes, a PIL image, an array); its pixels are
shown to the work, and the same kind is given back: where nothing changed, the very thing that came.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from demask.errors import InputError
from demask.types import Hole, ImageU8


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """How a file is given back; nothing here matters to arrays and PIL images.

    Attributes:
        format: Pillow's name of the format to write; None = as the input, where we write that.
        quality: Of lossy formats, 1 to 100; None = as the input.
        c2pa: Certificate chain and key (PEM files) to sign a changed photo with.
        label: Say in the metadata of a changed photo that a face in it is invented.
        renamed: The output gets another suffix than the input: then an untouched photo of a format that
            we do not write is converted too.
    """

    format: str | None = None
    quality: int | None = None
    c2pa: tuple[Path, Path] | None = None
    label: bool = True
    renamed: bool = False


AS_IT_CAME = Output()


class HandedIn(ABC):
    """See the module.

    Attributes:
        pixels: uint8 RGB [H, W, 3], upright.
    """

    pixels: ImageU8

    @abstractmethod
    def give_back(
        self, pixels: ImageU8, changed: Hole | None, output: Output = AS_IT_CAME
    ) -> tuple[Any, str | None]:
        """Make the kind that came.

        Args:
            pixels: uint8 RGB [H, W, 3]; what it shows outside `changed` does not matter.
            changed: The pixels that changed, bool [H, W]; None = none did.
            output: How a file is written.

        Returns:
            The photo, and the format where it is a file's bytes.

        Raises:
            PhotoUnsupported: The format cannot be written.
            UsageError: It cannot be signed, or what signs is not installed.
            OutputError: The signer refused.
        """


def open_photo(photo: Any, *, max_megapixels: float = 100) -> HandedIn:
    """Open a photo of any kind.

    Args:
        photo: uint8 RGB array [H, W, 3]; PIL image; bytes of a picture file; or its path.
        max_megapixels: Limit for files, checked before any pixel is decoded.

    Raises:
        InputError: It is none of these, or cannot be read.
    """
    if isinstance(photo, np.ndarray):
        return _Array(photo)
    if isinstance(photo, bytes | bytearray | memoryview | str | Path):
        return _File(photo, max_megapixels=max_megapixels)
    from PIL import Image

    if isinstance(photo, Image.Image):
        return _PilImage(photo)
    raise InputError(f"got a {type(photo).__name__}, need a path, bytes, a PIL image or an array")


class _Array(HandedIn):
    def __init__(self, array: Any) -> None:
        if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
            raise InputError(
                f"got an array {array.dtype} {list(array.shape)}, need uint8 RGB [height, width, 3]; "
                "drop alpha, scale to 0..255 and convert first"
            )
        self.pixels = array

    def give_back(
        self, pixels: ImageU8, changed: Hole | None, output: Output = AS_IT_CAME
    ) -> tuple[ImageU8, None]:
        return (self.pixels if changed is None else pixels), None


class _File(HandedIn):
    def __init__(self, source: Any, *, max_megapixels: float) -> None:
        from demask.photo.decode import read_photo

        source = Path(source) if isinstance(source, str | Path) else bytes(source)
        self._photo = read_photo(source, max_megapixels=max_megapixels)
        self.pixels = self._photo.pixels

    def give_back(
        self, pixels: ImageU8, changed: Hole | None, output: Output = AS_IT_CAME
    ) -> tuple[bytes, str]:
        from demask.photo.encode import encode_photo
        from demask.photo.formats import output_format

        photo = self._photo
        if changed is None and self._keeps_format(output):
            return photo.source_bytes, photo.format
        # Another format may be asked for where nothing changed: then nothing is invented, and not labelled.
        data = encode_photo(
            photo,
            pixels,
            changed=np.zeros(pixels.shape[:2], bool) if changed is None else changed,
            format=output.format,
            quality=output.quality,
            label=output.label and changed is not None,
        )
        format = output.format or output_format(photo.format)
        if output.c2pa is None or changed is None:
            return data, format
        from demask.photo.provenance import sign_c2pa

        return sign_c2pa(data, format, *output.c2pa), format

    def _keeps_format(self, output: Output) -> bool:
        from demask.photo.formats import output_format

        if output.format is not None:
            return output.format == self._photo.format
        # A BMP's output is named .png: then even an untouched one has to become a PNG.
        return not output.renamed or output_format(self._photo.format) == self._photo.format


class _PilImage(HandedIn):
    def __init__(self, image: Any) -> None:
        from demask.photo.pil_image import photo_of_pil

        self._image, self._photo = image, photo_of_pil(image)
        self.pixels = self._photo.pixels

    def give_back(self, pixels: ImageU8, changed: Hole | None, output: Output = AS_IT_CAME) -> tuple[Any, None]:
        from demask.photo.pil_image import pil_of_photo

        if changed is None:
            return self._image, None
        return pil_of_photo(self._image, self._photo, pixels, changed), None
