"""One photo from opening to giving back, for everyone: Python, the command line, the server.

What a caller hands in is opened, whatever it is (a path, an address, bytes, an open file, a PIL image, an
array); its pixels are shown to the work, and the same kind is given back: where nothing changed, the very
thing that came. A path, an address and an open file give the bytes of a file.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from demask.errors import InputError
from demask.types import AnyArray, Hole, ImageU8

Credentials = Literal["none", "untouched", "dropped", "signed"]
"""What became of a file's C2PA manifest: there was none; the file is the very one that came; it was left out;
the file is signed, and what it was made from, manifest and all, is named in it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """How a photo is given back; format, quality and signature do not matter to arrays and PIL images.

    Attributes:
        format: Pillow's name of the format to write; None = as the input, where we write that.
        quality: Of lossy formats, 1 to 100; None = as the input.
        c2pa: Certificate chain and key (PEM files) to sign a changed photo with.
        label: Say in the metadata of a changed photo that a face in it is invented.
        networks: What that label names: what each network is for, and its name.
        renamed: The output gets another suffix than the input: then an untouched photo of a format that
            we do not write is converted too.
        strip: Leave out `location`, or `all` that the photo says but for its colours and our label; from
            an untouched photo too, which is then written anew.
    """

    format: str | None = None
    quality: int | None = None
    c2pa: tuple[Path, Path] | None = None
    label: bool = True
    networks: Mapping[str, str] = field(default_factory=dict)
    renamed: bool = False
    strip: Literal["nothing", "location", "all"] = "nothing"


AS_IT_CAME = Output()
_SAID_BY_PHOTO = frozenset({"icc_profile", "exif", "xmp", "XML:com.adobe.xmp", "dpi", "transparency"})
"""Of Pillow's `info`, what is stripped with the photo; the rest may tell anything."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class GivenBack:
    """A photo that is given back.

    Attributes:
        photo: Of the kind that came.
        format: Pillow's name, where it is a file's bytes.
        credentials: What became of a file's C2PA manifest.
    """

    photo: Any
    format: str | None = None
    credentials: Credentials = "none"


class HandedIn(ABC):
    """See the module.

    Attributes:
        pixels: uint8 RGB [H, W, 3], upright.
        original: The photo of the kind that is given back, as it came.
    """

    pixels: ImageU8
    original: Any

    @abstractmethod
    def give_back(self, pixels: ImageU8, changed: Hole | None, output: Output = AS_IT_CAME) -> GivenBack:
        """Make the kind that came.

        Args:
            pixels: uint8 RGB [H, W, 3]; what it shows outside `changed` does not matter.
            changed: The pixels that changed, bool [H, W]; None = none did.
            output: How it is given back.

        Raises:
            PhotoUnsupported: The format cannot be written.
            UsageError: It cannot be signed, or what signs is not installed.
            OutputError: The signer refused.
        """


def open_photo(photo: Any, *, max_megapixels: float = 100) -> HandedIn:
    """Open a photo of any kind.

    Args:
        photo: An array: uint8 RGB [H, W, 3], RGBA [H, W, 4] or grey [H, W]; a PIL image; bytes of a picture
            file; a path; an open binary file; or an address such as `s3://bucket/photo.jpg`, which fsspec
            has to be installed for.
        max_megapixels: Limit for files, checked before any pixel is decoded.

    Raises:
        InputError: It is none of these, or cannot be read.
    """
    if isinstance(photo, np.ndarray):
        return _array(photo)
    if isinstance(photo, bytes | bytearray | memoryview):
        return _File(bytes(photo), max_megapixels=max_megapixels)
    if isinstance(photo, str) and "://" in photo:
        from demask.photo.file_bytes import read_address

        return _File(read_address(photo, max_megapixels=max_megapixels), max_megapixels=max_megapixels)
    if isinstance(photo, str | os.PathLike):
        return _File(Path(photo), max_megapixels=max_megapixels)
    from PIL import Image

    if isinstance(photo, Image.Image):
        return _PilImage(photo)
    if callable(getattr(photo, "read", None)):
        from demask.photo.file_bytes import read_open_file

        return _File(read_open_file(photo, max_megapixels=max_megapixels), max_megapixels=max_megapixels)
    raise InputError(f"got a {type(photo).__name__}, need a path, bytes, an open file, a PIL image or an array")


def _array(array: AnyArray) -> HandedIn:
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or channels not in (1, 3, 4) or 0 in array.shape:
        raise InputError(
            f"got an array {array.dtype} {list(array.shape)}, need uint8 RGB [height, width, 3], RGBA "
            "[height, width, 4] or grey [height, width]; scale to 0..255 and convert first"
        )
    return _Array(array) if channels == 3 else _GreyOrAlpha(array)


class _Array(HandedIn):
    def __init__(self, array: Any) -> None:
        self.pixels = self.original = array

    def give_back(self, pixels: ImageU8, changed: Hole | None, output: Output = AS_IT_CAME) -> GivenBack:
        return GivenBack(photo=self.pixels if changed is None else pixels)


class _GreyOrAlpha(HandedIn):
    """An array of one channel, or of four: its shape comes back, its transparency untouched."""

    def __init__(self, array: Any) -> None:
        self._array = self.original = array
        colours = array[..., :3] if array.shape[2:] == (4,) else array.reshape(*array.shape[:2], 1)
        self.pixels = np.ascontiguousarray(np.broadcast_to(colours, (*array.shape[:2], 3)))

    def give_back(self, pixels: ImageU8, changed: Hole | None, output: Output = AS_IT_CAME) -> GivenBack:
        if changed is None:
            return GivenBack(photo=self._array)
        given = self._array.copy()
        if given.shape[2:] == (4,):
            given[changed, :3] = pixels[changed]
        else:
            from demask.photo.colour import grey_merged

            given[...] = grey_merged(self.pixels, pixels, changed).reshape(given.shape)
        return GivenBack(photo=given)


class _File(HandedIn):
    def __init__(self, source: Path | bytes, *, max_megapixels: float) -> None:
        from demask.photo.decode import read_photo

        self._photo = read_photo(source, max_megapixels=max_megapixels)
        self.pixels, self.original = self._photo.pixels, self._photo.source_bytes

    def give_back(self, pixels: ImageU8, changed: Hole | None, output: Output = AS_IT_CAME) -> GivenBack:
        from demask.photo.ancillary import holds_manifest
        from demask.photo.encode import encode_photo
        from demask.photo.formats import output_format
        from demask.photo.location import stripped

        photo = self._photo
        had_manifest = holds_manifest(photo.source_bytes, photo.format, photo.xmp)
        if changed is None and self._keeps_format(output) and output.strip == "nothing":
            kept: Credentials = "untouched" if had_manifest else "none"
            return GivenBack(photo=photo.source_bytes, format=photo.format, credentials=kept)
        # Another format may be asked for where nothing changed: then nothing is invented, and not labelled.
        data = encode_photo(
            stripped(photo, output.strip),
            pixels,
            changed=np.zeros(pixels.shape[:2], bool) if changed is None else changed,
            format=output.format,
            quality=output.quality,
            label=output.label and changed is not None,
            networks=output.networks,
        )
        format = output.format or output_format(photo.format)
        if output.c2pa is None or changed is None:
            lost: Credentials = "dropped" if had_manifest else "none"
            return GivenBack(photo=data, format=format, credentials=lost)
        from demask.photo.credentials import Original, sign

        # A manifest may tell what was to be left out, so the original goes along without it then.
        told = photo.source_bytes if output.strip == "nothing" else None
        data = sign(
            data,
            format,
            *output.c2pa,
            original=Original(data=told, format=photo.format, pixels=photo.pixels),
            changed=changed,
            networks=output.networks,
        )
        return GivenBack(photo=data, format=format, credentials="signed")

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
        self.original = image
        self.pixels = self._photo.pixels

    def give_back(self, pixels: ImageU8, changed: Hole | None, output: Output = AS_IT_CAME) -> GivenBack:
        from demask.photo.location import stripped
        from demask.photo.pil_image import pil_of_photo

        if changed is None and output.strip == "nothing":
            return GivenBack(photo=self._image)
        photo = stripped(self._photo, output.strip)
        label = output.label and changed is not None
        if changed is None:
            changed = np.zeros(pixels.shape[:2], bool)
        given = pil_of_photo(self._image, photo, pixels, changed, label=label, networks=output.networks)
        if output.strip != "nothing":
            given.info = {key: value for key, value in given.info.items() if key in _SAID_BY_PHOTO}
        return GivenBack(photo=given)
