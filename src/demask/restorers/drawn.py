"""What a restorer gives back, whoever wrote it: a picture of the crop's size, or an error that names it."""

from __future__ import annotations

import numpy as np

from demask.errors import RestorerError


def require_drawing(name: str, drawn: object, shape: tuple[int, ...]) -> None:
    """Refuse what is no picture of the crop's size: floats in [0, 1] would come out as black.

    Args:
        name: Of the restorer.
        drawn: What it gave.
        shape: Of the crop, or of the crops, that it was given.

    Raises:
        RestorerError: It is none.
    """
    got = f"{drawn.dtype} {list(drawn.shape)}" if isinstance(drawn, np.ndarray) else f"a {type(drawn).__name__}"
    if not isinstance(drawn, np.ndarray) or drawn.dtype != np.uint8 or drawn.shape != shape:
        raise RestorerError(
            f"the restorer {name} gave {got}, need uint8 {list(shape)}: RGB from 0 to 255; scale and convert it"
        )
