"""The anchor of a MUSHRA block: the bare face without its fine detail.

BS.1534-3 (sec. 5.1) makes its anchor from the reference by a low-pass filter; so do we, with a Gaussian one.
"""

from __future__ import annotations

from pathlib import Path

from demask.errors import InputError
from demask.study.pictures import pictures_in

SIGMA_OF_WIDTH = 1 / 40
"""Standard deviation of the filter in widths of the picture: 6.4 px of 256, eyes and mouth are smears."""


def make_anchors(truth: Path, out: Path) -> Path:
    """Write the anchor of every picture in `truth` into the folder `out`, as PNG of the same name.

    Raises:
        InputError: The folder holds no pictures, or one cannot be read.
    """
    from PIL import Image, ImageFilter

    for face, path in pictures_in(truth).items():
        try:
            with Image.open(path) as picture:
                plain = picture.convert("RGB")
        except (OSError, SyntaxError, ValueError) as error:
            raise InputError(f"{path} is no picture that a page could show: {error}") from error
        plain.filter(ImageFilter.GaussianBlur(plain.width * SIGMA_OF_WIDTH)).save(out / f"{face}.png")
    return out
