"""A small set of drawn photographs, with landmarks where a face's would be; stands in for real portraits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from demask.dataset import sources
from demask.dataset.build import BuildConfig, build
from demask.dataset.worker import Label, Labeller
from demask.faces.landmarks import landmarks_from_points
from demask.geometry import FRAME_POINTS
from demask.types import Face, ImageU8


def _draw_photo(seed: int) -> ImageU8:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 255, (12, 10, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (200, 240), interpolation=cv2.INTER_CUBIC), np.uint8)


def _label(photo: ImageU8) -> Label:
    points = (FRAME_POINTS * photo.shape[1] / 256).astype(np.float32)
    face = Face(box=(40, 24, 160, 216), points=points, score=0.9)
    return Label(face=face, landmarks=landmarks_from_points(points), presence=0.99)


def _labellers() -> Labeller:
    return _label


def build_drawn_set(folder: Path, *, num_photos: int = 24, expressions: Sequence[str] = ()) -> Path:
    """Draw photographs of nobody in `folder` and build them into shards; returns the shards' folder.

    With `expressions` the set has an index that labels them, in turn.
    """
    (folder / "photos").mkdir()
    for seed in range(num_photos):
        cv2.imwrite(str(folder / "photos" / f"p{seed:02d}.png"), _draw_photo(seed))
    source = sources.folder(folder / "photos")
    if expressions:
        rows = [f"p{i:02d}.png,photos,p{i},{expressions[i % len(expressions)]}" for i in range(num_photos)]
        (folder / "photos" / "index.csv").write_text("\n".join(["file,source,identity,expression", *rows]))
        source = sources.index(folder / "photos")
    config = BuildConfig(
        sources=(source,),
        out=folder / "set",
        workers=1,
        val_percent=30,
        test_percent=10,
    )
    build(config, labellers=_labellers)
    return folder / "set"
