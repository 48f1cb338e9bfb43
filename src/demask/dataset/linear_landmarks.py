"""Fit the shape model that `demask.faces.landmarks` ships.

Run as `python -m demask.dataset.linear_landmarks SET OUT`.
Only the train split is fitted; the error is measured on the val split.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from demask.dataset.record import landmark_gap_px
from demask.dataset.shards import FaceShards
from demask.errors import DatasetError
from demask.faces.landmarks import point_residuals
from demask.geometry import apply
from demask.types import AnyArray

# FaceMesh puts a full profile's points into the air. Where eyes, nose or mouth are this far from YuNet's,
# its answer is no example to follow.
MAX_GAP_PX = 28.0
RIDGE = 1.0

JAW = (234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454)


@dataclass(frozen=True, kw_only=True, slots=True)
class ShapeFit:
    """A fitted model and how well it does.

    Errors are mean distances in the picture plane divided by the distance between the eyes.
    """

    num_train: int
    num_val: int
    val_error: float
    val_error_jaw: float
    val_error_turned: float  # Nose more than 8 px off the frame's middle.
    val_error_mean_shape: float  # The same, if every face got the mean shape.


def fit(folder: Path) -> tuple[AnyArray, AnyArray, ShapeFit]:
    """Fit the model on a built set.

    Returns:
        The mean shape, float16 [468, 3]; the weights, float16 [10, 1404]; and the figures.

    Raises:
        DatasetError: The set has no train or no val faces.
    """
    residuals, shapes = _examples(folder, "train")
    design = np.column_stack([np.ones(len(residuals)), residuals])
    penalty = RIDGE * np.eye(design.shape[1])
    penalty[0, 0] = 0  # The mean is not shrunk.
    solved = np.linalg.solve(design.T @ design + penalty, design.T @ shapes)
    mean, weights = solved[0].astype(np.float16), solved[1:].astype(np.float16)

    val_residuals, val_shapes = _examples(folder, "val")
    guessed = mean.astype(np.float64) + val_residuals @ weights.astype(np.float64)
    error = _errors(guessed, val_shapes, val_residuals)
    constant = _errors(np.broadcast_to(shapes.mean(0), val_shapes.shape), val_shapes, val_residuals)
    turned = np.abs(val_residuals[:, 4]) > 8
    figures = ShapeFit(
        num_train=len(shapes),
        num_val=len(val_shapes),
        val_error=round(float(error.mean()), 4),
        val_error_jaw=round(float(error[:, JAW].mean()), 4),
        val_error_turned=round(float(error[turned].mean()), 4) if turned.any() else float("nan"),
        val_error_mean_shape=round(float(constant.mean()), 4),
    )
    return mean.reshape(-1, 3), weights, figures


def _examples(folder: Path, split: str) -> tuple[AnyArray, AnyArray]:
    """Residuals [N, 10] and shapes [N, 1404] of a split's faces."""
    records = [record for record in FaceShards(folder, split=split) if landmark_gap_px(record) < MAX_GAP_PX]
    if not records:
        raise DatasetError(f"{folder} has no {split} faces to fit on; build a larger set")
    residuals = [point_residuals(apply(record.photo_to_crop, record.photo_points)) for record in records]
    return np.array(residuals), np.array([record.landmarks.ravel() for record in records], np.float64)


def _errors(guessed: AnyArray, shapes: AnyArray, residuals: AnyArray) -> AnyArray:
    """Distances in the picture plane over the distance between the eyes, [N, 468]."""
    apart = (guessed - shapes).reshape(len(shapes), -1, 3)[:, :, :2]
    across = residuals[:, 2:4] - residuals[:, 0:2] + np.array([76.0, 0.0])  # The frame's own: 166 - 90.
    distances: AnyArray = np.linalg.norm(apart, axis=2) / np.linalg.norm(across, axis=1)[:, None]
    return distances


def main() -> None:
    """Fit, write the model and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set", type=Path, help="folder of a built set")
    parser.add_argument("out", type=Path, help="where the .npz goes")
    arguments = parser.parse_args()
    mean, weights, figures = fit(arguments.set)
    np.savez_compressed(arguments.out, mean=mean, weights=weights)
    sys.stdout.write(json.dumps(asdict(figures)) + "\n")


if __name__ == "__main__":
    main()
