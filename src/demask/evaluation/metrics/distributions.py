"""How far two sets of pictures lie apart in the features of a network: FID and KID.

FID: Heusel et al. 2017 (arXiv:1706.08500, eq. 6), the Frechet distance of two Gaussians fitted to the
features. KID: Binkowski et al. 2018 (arXiv:1801.01401, sec. 4), the unbiased estimate of the squared
maximum mean discrepancy with the kernel (x.y / D + 1)^3.

Both belong to the network that made the features. Published figures rest on Inception-v3; a figure
from any other network must not be set beside them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from demask.errors import InputError
from demask.types import Floats64

Features = npt.NDArray[np.float32] | npt.NDArray[np.float64]
"""One row per picture, float [N, D]."""

_KERNEL_ROWS = 2048
"""Rows of the kernel matrix that are in memory at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SetDistance:
    """A distance between two sets of pictures.

    Attributes:
        value: The distance; NaN when a set has fewer than two usable pictures.
        num: Usable pictures in the first and in the second set.
        num_left_out: Pictures of both sets together whose features were not finite.
        num_dims: Length D of a feature vector.
    """

    value: float
    num: tuple[int, int]
    num_left_out: int
    num_dims: int

    @property
    def few(self) -> bool:
        """Fewer than 2 D pictures: a covariance of D x D numbers is guesswork then, and FID too high.

        KID has no such bias, only more scatter.
        """
        return min(self.num) < 2 * self.num_dims


def frechet_distance(mean_a: Floats64, cov_a: Floats64, mean_b: Floats64, cov_b: Floats64) -> float:
    """Squared Frechet distance of two Gaussians: |mean_a - mean_b|^2 + tr(A + B - 2 (A B)^(1/2)).

    The trace of the root is the sum of the singular values of A^(1/2) B^(1/2): no root of a
    product that is not symmetric, no imaginary parts, and no loss of half the digits where a covariance
    is singular (the distance: Dowson and Landau, J. Multivariate Analysis 12(3), 1982).

    Args:
        mean_a: float64 [D].
        cov_a: Covariance, symmetric and positive semidefinite up to rounding, float64 [D, D].
        mean_b: As `mean_a`.
        cov_b: As `cov_a`.

    Returns:
        A number >= 0.
    """
    singular = np.linalg.svd(_root(cov_a) @ _root(cov_b), compute_uv=False)
    spread = float(np.trace(cov_a) + np.trace(cov_b) - 2 * singular.sum())
    return max(float(np.sum((mean_a - mean_b) ** 2)) + spread, 0.0)


def fid(first: Features, second: Features) -> SetDistance:
    """Frechet distance of the features of two sets, means and unbiased covariances in float64.

    Args:
        first: float [N, D].
        second: float [M, D].

    Raises:
        InputError: The feature lengths differ.
    """
    a, b, num_left_out = _usable(first, second)
    value = float("nan")
    if min(len(a), len(b)) >= 2:
        cov_a, cov_b = (np.atleast_2d(np.cov(features, rowvar=False)) for features in (a, b))
        value = frechet_distance(a.mean(0), cov_a, b.mean(0), cov_b)
    return SetDistance(value=value, num=(len(a), len(b)), num_left_out=num_left_out, num_dims=a.shape[1])


def kid(first: Features, second: Features) -> SetDistance:
    """Unbiased squared MMD over all pictures (no subsets are drawn); may be slightly negative.

    Published code averages over random subsets of 1000 features, which has the same expectation.

    Args:
        first: float [N, D].
        second: float [M, D].

    Raises:
        InputError: The feature lengths differ.
    """
    a, b, num_left_out = _usable(first, second)
    value = float("nan")
    if min(len(a), len(b)) >= 2:
        across = _kernel_sum(a, b) / (len(a) * len(b))
        value = _mean_of_pairs(a) + _mean_of_pairs(b) - 2 * across
    return SetDistance(value=value, num=(len(a), len(b)), num_left_out=num_left_out, num_dims=a.shape[1])


def _usable(first: Features, second: Features) -> tuple[Floats64, Floats64, int]:
    """Both as float64 without the rows that hold something not finite, and how many those were."""
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise InputError(
            f"features of shapes {first.shape} and {second.shape} cannot be compared; "
            "both must be [N, D] of one network"
        )
    a, b = (features[np.isfinite(features).all(axis=1)].astype(np.float64) for features in (first, second))
    return a, b, len(first) + len(second) - len(a) - len(b)


def _root(covariance: Floats64) -> Floats64:
    """Symmetric square root; eigenvalues that rounding made negative count as 0."""
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    root: Floats64 = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root


def _kernel(a: Floats64, b: Floats64) -> Floats64:
    kernel: Floats64 = (a @ b.T / a.shape[1] + 1) ** 3
    return kernel


def _kernel_sum(a: Floats64, b: Floats64) -> float:
    return sum(
        float(_kernel(a[start : start + _KERNEL_ROWS], b).sum()) for start in range(0, len(a), _KERNEL_ROWS)
    )


def _mean_of_pairs(a: Floats64) -> float:
    """Mean kernel over pairs of two different pictures."""
    with_itself = float((((a**2).sum(1) / a.shape[1] + 1) ** 3).sum())
    return (_kernel_sum(a, a) - with_itself) / (len(a) * (len(a) - 1))
