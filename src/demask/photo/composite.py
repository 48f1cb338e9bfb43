"""Put a prediction into the hole of a photo and nowhere else."""

from __future__ import annotations

import numpy as np

from demask.errors import ShapeMismatch
from demask.types import Alpha, Hole, ImageU8


def composite(prediction: ImageU8, photo: ImageU8, hole: Hole, *, alpha: Alpha | None = None) -> ImageU8:
    """Return the photo with the prediction in the hole; every other pixel is the photo's, bit for bit.

    Args:
        prediction: uint8 RGB [H, W, 3]; what it shows outside the hole does not matter.
        photo: uint8 RGB [H, W, 3]; not changed.
        hole: Pixels that may change, bool [H, W].
        alpha: Weight of the prediction inside the hole, float [H, W] in [0, 1]; 1 everywhere if left
            out. Outside the hole it does not matter.

    Returns:
        A new array, uint8 RGB [H, W, 3].

    Raises:
        ShapeMismatch: The arrays do not cover the same pixels.
    """
    for other in (hole, prediction, alpha):
        if other is not None and other.shape[:2] != photo.shape[:2]:
            raise ShapeMismatch(image=photo.shape, hole=other.shape)
    result = photo.copy()
    if alpha is None:
        result[hole] = prediction[hole]
    else:
        weight = np.clip(alpha[hole].astype(np.float32), 0, 1)[:, None]
        mixed = weight * prediction[hole] + (1 - weight) * photo[hole]
        result[hole] = np.rint(mixed).astype(np.uint8)
    return result
