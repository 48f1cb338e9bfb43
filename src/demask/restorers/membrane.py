"""Poisson blending: a patch keeps its gradients and takes the colours of the photo at its border.

P. Perez, M. Gangnet, A. Blake, "Poisson Image Editing", SIGGRAPH 2003, sec. 2: instead of the picture itself,
its difference to the patch is solved for, a membrane spanned by the differences along the border.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from demask.errors import InputError, ShapeMismatch, UsageError
from demask.extras import install_command
from demask.types import Hole, ImageU8


def blend(photo: ImageU8, patch: ImageU8, region: Hole) -> ImageU8:
    """Lay a patch over a region of a photo; pixels outside the region stay as they are.

    At the edge of the picture the membrane is free, so a region may touch it.

    Args:
        photo: uint8 RGB [H, W, 3]; what it shows in the region does not matter.
        patch: uint8 RGB [H, W, 3].
        region: bool [H, W].

    Raises:
        ShapeMismatch: The three cover different pixels.
        InputError: The region is the whole picture, so nothing says which colours to take.
        UsageError: SciPy is not installed.
    """
    if photo.shape != patch.shape or photo.shape[:2] != region.shape:
        raise ShapeMismatch(image=photo.shape, hole=region.shape)
    if not region.any():
        return photo.copy()
    if region.all():
        raise InputError("the hole covers the whole picture; blending needs at least one known pixel")
    try:
        from scipy.sparse import coo_array
        from scipy.sparse.linalg import splu
    except ImportError:
        raise UsageError(
            f"scene-completion needs SciPy, which is not here; run: {install_command('gallery')}"
        ) from None

    num = int(np.count_nonzero(region))
    number = np.full(region.shape, -1)
    number[region] = np.arange(num)
    difference = photo.astype(np.float64) - patch
    # One equation a pixel: as many times its value as it has neighbours, less theirs, is what the border gives.
    degree, border = np.zeros(num), np.zeros((num, 3))
    rows: list[npt.NDArray[np.int64]] = []
    columns: list[npt.NDArray[np.int64]] = []
    for here, there in (
        (np.s_[:, :-1], np.s_[:, 1:]),
        (np.s_[:, 1:], np.s_[:, :-1]),
        (np.s_[:-1], np.s_[1:]),
        (np.s_[1:], np.s_[:-1]),
    ):
        inside = region[here]
        own, other = number[here][inside], number[there][inside]
        degree[own] += 1
        border[own[other < 0]] += difference[there][inside][other < 0]
        rows.append(own[other >= 0])
        columns.append(other[other >= 0])
    neighbours = np.concatenate(rows), np.concatenate(columns)
    diagonal = np.arange(num)
    values = np.concatenate([np.full(len(neighbours[0]), -1.0), degree])
    places = tuple(np.concatenate([part, diagonal]) for part in neighbours)
    system = coo_array((values, places), shape=(num, num)).tocsc()
    membrane = splu(system, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(border)
    blended = photo.copy()
    blended[region] = np.clip(np.rint(patch[region] + membrane), 0, 255)
    return blended
