"""A file's header to a Pillow picture whose pixels are not yet decoded, if it is a single still picture."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Any

from PIL import Image, ImageFile

from demask.errors import DemaskError, PhotoUnreadable, PhotoUnsupported
from demask.photo.first_bytes import is_clip
from demask.photo.formats import FORMATS

_TIFF_SUBFILE = 254
_MAX_TIFF_PAGES = 32
"""Directories that are looked at: each costs time, and a file can hold millions."""


def open_header(data: bytes, name: str) -> ImageFile.ImageFile:
    """Read the header. Pillow's own size limits, which are global, are not asked: ours follows.

    Raises:
        PhotoUnreadable: No decoder knows it.
        PhotoUnsupported: It is HEIC and that decoder is not installed.
    """
    reason = ""
    # The common formats first: to load every plugin takes longer than to decode a photo.
    for load_plugins in (Image.preinit, _load_all_plugins):
        load_plugins()
        for format in FORMATS:
            factory, accept = Image.OPEN.get(format, (None, None))
            if factory is None or (accept and accept(data[:16]) is not True):
                continue
            try:
                return factory(io.BytesIO(data), "")
            except Exception as error:  # A decoder fed with a broken file may raise anything.
                reason = f" ({error})"
    if (
        "HEIF" not in Image.OPEN
        and data[4:8] == b"ftyp"
        and data[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"heim", b"heis")
    ):
        raise PhotoUnsupported(
            f"{name} is HEIC, which needs pillow-heif, which is not here; install it, or convert the picture"
        )
    if is_clip(data[:256]):
        raise PhotoUnreadable(f"{name} is a clip, not a photo; use `demask video`")
    raise PhotoUnreadable(f"{name} is no picture we can read{reason}; give one of {', '.join(FORMATS)}")


def _load_all_plugins() -> None:
    Image.init()
    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()


@contextlib.contextmanager
def unreadable_if_broken(name: str) -> Iterator[None]:
    """Turn whatever a decoder raises inside the block, and it may be anything, into an error of ours.

    Raises:
        PhotoUnreadable: The decoder raised.
    """
    try:
        yield
    except DemaskError:
        raise
    except Exception as error:
        raise PhotoUnreadable(f"{name} is broken or cut short ({error}); get a whole copy") from error


def refuse_several_frames(image: ImageFile.ImageFile, name: str) -> None:
    """Refuse animations and pages; extra views in a phone's JPEG and TIFF thumbnails do no harm.

    Raises:
        PhotoUnsupported: It has several.
        PhotoUnreadable: They cannot be counted.
    """
    # pillow-heif counts the pictures of a collection; the main one is what it shows.
    if image.format in ("MPO", "HEIF"):
        return
    with unreadable_if_broken(name):
        if image.format == "TIFF":
            count, kind = _num_pages(image), "has {} pages"
        else:
            count, kind = int(getattr(image, "n_frames", 1)), "is an animation of {} frames"
    if count > 1:
        some = f"at least {count}" if count > _MAX_TIFF_PAGES and image.format == "TIFF" else str(count)
        raise PhotoUnsupported(
            f"{name} {kind.format(some)}; give a single still picture, such as one frame saved as PNG"
        )


def _num_pages(image: Any) -> int:
    """Count the pages of a TIFF that are no thumbnails of another; stops where there are too many."""
    count = 1
    for page in range(1, _MAX_TIFF_PAGES + 1):
        try:
            image.seek(page)
        except EOFError:
            break
        count += not int(image.tag_v2.get(_TIFF_SUBFILE, 0)) & 1
    else:
        count = _MAX_TIFF_PAGES + 1
    image.seek(0)
    return count
