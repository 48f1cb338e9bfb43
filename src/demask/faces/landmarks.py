"""The 468 FaceMesh points guessed from five: a linear shape model, for when no FaceMesh is at hand.

After the five points have been brought to the frame, what is left of them (the nose's offset tells how far
the head is turned, the mouth's height how far it nods) predicts the shape: ridge regression (Hoerl and
Kennard, "Ridge regression", Technometrics 12(1), 1970), fitted by `python -m demask.dataset.linear_landmarks`
on the train split of a built set.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

import numpy as np

from demask.errors import InputError
from demask.geometry import FRAME_POINTS, apply, invert, to_frame
from demask.types import AnyArray, Landmarks, Points

NUM_LANDMARKS = 468
MODEL_FILE = "landmarks_linear.npz"


def landmarks_from_points(points: Points) -> Landmarks:
    """Guess the 468 FaceMesh points of a face from its five points.

    Good enough to fit a covering to a face, turned heads included; no measurement of the face. The mean
    error on faces that the model never saw is 7 % of the distance between the eyes.

    Args:
        points: Left eye, right eye, nose tip, left and right mouth corner in picture order, in pixels of
            the photo, float [5, 2].

    Returns:
        float32 [468, 3] in pixels of the photo; z in pixels too, smaller is nearer.

    Raises:
        InputError: Not five points, or points that coincide or are not finite.
    """
    if points.shape != (5, 2):
        raise InputError(f"got points of shape {points.shape}; need five (x, y) points, shape (5, 2)")
    matrix = to_frame(points)
    mean, weights = _model()
    shape = mean + point_residuals(apply(matrix, points)) @ weights
    return apply(invert(matrix), shape.reshape(NUM_LANDMARKS, 3))


def mean_shape() -> Landmarks:
    """The mean of the training faces in the 256 px frame, float32 [468, 3]; do not write to it."""
    return _model()[0].reshape(NUM_LANDMARKS, 3).astype(np.float32)


def point_residuals(aligned: Points) -> AnyArray:
    """How far aligned points [5, 2] lie from the frame's own, in frame pixels: float64 [10]."""
    return (aligned.astype(np.float64) - FRAME_POINTS).ravel()


@lru_cache(maxsize=1)
def _model() -> tuple[AnyArray, AnyArray]:
    """The mean shape, float64 [1404], and the weights, float64 [10, 1404], as shipped."""
    with files("demask.faces").joinpath(MODEL_FILE).open("rb") as file, np.load(file) as arrays:
        return arrays["mean"].astype(np.float64).ravel(), arrays["weights"].astype(np.float64)
