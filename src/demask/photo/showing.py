"""A result shown: saved to a file, in a notebook, and two pictures of one scene beside or over each other."""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from demask.atomic import write_atomic
from demask.errors import InputError, UsageError
from demask.photo.formats import format_of, writable
from demask.photo.handed_in import open_photo
from demask.photo.provenance import labelled
from demask.types import Hole, ImageU8

_GAP_PX = 8
_TURN_MS = 1_200
INVENTED = "The lower face on the right is invented. It is not the person's."
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 1rem auto; max-width: {width}px; padding: 0 1rem }}
figure {{ display: grid; margin: 0 }}
img {{ grid-area: 1 / 1; width: 100%; height: auto }}
#before {{ clip-path: inset(0 calc(100% - var(--cut, 50%)) 0 0) }}
input {{ width: 100%; margin: .75rem 0 }}
</style>
<h1>{title}</h1>
<figure>
<img src="{after}" width="{width}" height="{height}" alt="After: the lower face is invented">
<img id="before" src="{before}" width="{width}" height="{height}" alt="Before: with the face mask">
</figure>
<label>Before, to the left of the border: <input type="range" min="0" max="100" value="50"></label>
<p>{says}</p>
<script>
const slider = document.querySelector("input");
slider.addEventListener("input", () =>
  document.getElementById("before").style.setProperty("--cut", slider.value + "%"));
</script>
</html>
"""


def pixels_of(photo: Any, *, max_megapixels: float = 100) -> ImageU8:
    """uint8 RGB [H, W, 3], upright, of a photo of any kind that `Remover` takes."""
    return open_photo(photo, max_megapixels=max_megapixels).pixels


def side_by_side(before: ImageU8, after: ImageU8, *, max_px: int | None = None) -> Image.Image:
    """One picture with both, a white gap between them, its XMP labelled.

    Args:
        before: uint8 RGB [H, W, 3].
        after: The same size.
        max_px: Longest side that each may have; larger ones are scaled down.

    Raises:
        InputError: They differ in size.
    """
    left, right = (Image.fromarray(each) for each in _alike(before, after))
    if max_px is not None:
        left.thumbnail((max_px, max_px))
        right.thumbnail((max_px, max_px))
    width, height = left.size
    both = Image.new("RGB", (2 * width + _GAP_PX, height), "white")
    both.paste(left, (0, 0))
    both.paste(right, (width + _GAP_PX, 0))
    both.info["xmp"] = labelled(None)
    return both


def taking_turns(before: ImageU8, after: ImageU8, *, max_px: int = 720) -> bytes:
    """An animated GIF that shows one, then the other, for ever; it carries the label as a comment."""
    frames = [Image.fromarray(each) for each in _alike(before, after)]
    for frame in frames:
        frame.thumbnail((max_px, max_px))
    written = io.BytesIO()
    frames[0].save(
        written,
        "GIF",
        save_all=True,
        append_images=frames[1:],
        duration=_TURN_MS,
        loop=0,
        comment=INVENTED.encode(),
    )
    return written.getvalue()


def slider_page(before: ImageU8, after: ImageU8, *, title: str, max_px: int = 1600) -> str:
    """A page that needs nothing beside it: the two pictures, and a slider that moves the border between them.

    It works from the keyboard, loads nothing from anywhere, and says that the face is invented.
    """
    addresses = []
    for each in _alike(before, after):
        picture, written = Image.fromarray(each), io.BytesIO()
        picture.thumbnail((max_px, max_px))
        picture.save(written, "JPEG", quality=90)
        addresses.append(f"data:image/jpeg;base64,{base64.b64encode(written.getvalue()).decode()}")
    width, height = picture.size
    return _PAGE.format(
        title=html.escape(title),
        before=addresses[0],
        after=addresses[1],
        width=width,
        height=height,
        says=INVENTED,
    )


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


def _alike(before: ImageU8, after: ImageU8) -> tuple[ImageU8, ImageU8]:
    if before.shape != after.shape:
        raise InputError(
            f"the pictures are {before.shape[1]}x{before.shape[0]} and {after.shape[1]}x{after.shape[0]} px; "
            "give the photo and what was made of it, of one size"
        )
    return before, after
