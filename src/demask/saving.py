"""What `Result` does with its photo: to a file, into a notebook, beside the photo it was made of."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from demask.atomic import write_atomic
from demask.errors import UsageError
from demask.photo.before_after import INVENTED, pixels_of, side_by_side
from demask.photo.formats import format_of, writable
from demask.types import Hole


def save(
    photo: Any,
    path: str | os.PathLike[str],
    *,
    format: str | None,
    changed: Hole | None,
    networks: Mapping[str, str],
    overwrite: bool,
) -> Path:
    """Write a photo of any kind; errors as `Result.save` tells them."""
    path = Path(path)
    named = format_of(path)
    if isinstance(photo, bytes):
        if named is not None and format is not None and named != format:
            raise UsageError(
                f"{path} is the name of a {named}, but the photo is a {format}; name it so, or restore it with "
                f"output=Output(format={named!r})"
            )
        write_atomic(path, photo, overwrite=overwrite)
        return path
    from PIL import Image

    from demask.photo.encode import encode_photo
    from demask.photo.pil_image import photo_of_pil

    if named is None:
        raise UsageError(f"{path} names no picture format; end it in .png, .jpg, .webp, .tiff or .avif")
    writable(named, label=changed is not None)
    image = photo if isinstance(photo, Image.Image) else Image.fromarray(np.squeeze(photo))
    read = photo_of_pil(image)
    hole = np.zeros(read.pixels.shape[:2], bool) if changed is None else changed
    label = changed is not None
    data = encode_photo(read, read.pixels, changed=hole, format=named, label=label, networks=networks)
    write_atomic(path, data, overwrite=overwrite)
    return path


def as_png(before: Any, after: Any, *, max_px: int) -> bytes:
    """Before and after side by side, as a PNG."""
    written = io.BytesIO()
    side_by_side(pixels_of(before), pixels_of(after), max_px=max_px).save(written, "PNG")
    return written.getvalue()


def as_html(before: Any, after: Any, says: str, *, restored: bool, max_px: int) -> str:
    """Before and after for a notebook."""
    if restored:
        png, says = as_png(before, after, max_px=max_px), f"{says}. {INVENTED}"
    else:
        from PIL import Image

        picture, written = Image.fromarray(pixels_of(after)), io.BytesIO()
        picture.thumbnail((max_px, max_px))
        picture.save(written, "PNG")
        png = written.getvalue()
    address = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    return f'<figure><img src="{address}" alt="{says}"><figcaption>{says}</figcaption></figure>'
