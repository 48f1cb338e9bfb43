"""Which faces of a gallery look most like a partly known one: all compared, or few and those exactly.

The distance is that of J. Hays, A. A. Efros, "Scene Completion Using Millions of Photographs", SIGGRAPH 2007,
sec. 3: squared differences, each cell weighted by what is known of it. The hole is another one in every query,
and an index cannot leave numbers out of its vectors. But the weighted distance is an inner product::

    sum_c w_c (v_c |q_c - x_c|^2 + (1 - v_c) s_c)
        = - sum_c (2 w_c q_c . v_c x_c  -  w_c |q_c|^2 v_c  -  w_c (v_c |x_c|^2 + (1 - v_c) s_c))

with c a cell, q and w the query's values and known share, x and v the face's values and valid share, s what
two random faces differ by. What belongs to the query, hole included, stands apart from what belongs to the
face. So one index for the largest inner product serves every hole, also one over the eyes. It is FAISS's
inverted file with product quantisation (H. Jegou, M. Douze, C. Schmid, "Product Quantization for Nearest
Neighbor Search", IEEE TPAMI 33(1), 2011) in the 64 directions in which faces vary most. The candidates that it
names are compared exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from demask.errors import DatasetError, UsageError
from demask.extras import install_command
from demask.restorers.scene_descriptor import CELL_VALUES, NUM_CELLS, NUM_ENERGIES, Description
from demask.types import Floats32

GIST_WEIGHT = 2.0
"""GIST counts about twice as much as colour, sec. 3."""
BLOCK = 4096
INDEX_VALUES = NUM_CELLS * (CELL_VALUES + 2)
INDEX_DIMENSIONS = 64
INDEX = "index.faiss"
PROJECTION = "projection.npy"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scales:
    """What makes descriptors comparable: taken from a sample of the gallery.

    Attributes:
        factors: float32 [33]; a value times its factor is scaled. Two random faces are then 2 apart in GIST
            and 1 in colour, as sums over all cells.
        mean: Mean of scaled values, float32 [16, 33].
        spread: Mean squared distance of two random faces in each cell, float32 [16]; sums to 3.
    """

    factors: Floats32
    mean: Floats32
    spread: Floats32

    @classmethod
    def measured(cls, values: Floats32, share: Floats32) -> Scales:
        """Take the scales from descriptors float [N, 16, 33] and known shares float [N, 16] in [0, 1]."""
        weights = share.astype(np.float64)[..., None]
        total = np.maximum(weights.sum(axis=0), 1e-9)
        mean = (weights * values).sum(axis=0) / total
        # Two independent faces differ by twice the variance.
        apart = 2 * (weights * (values - mean) ** 2).sum(axis=0) / total
        factors = np.ones(CELL_VALUES)
        for part, weight in ((slice(None, NUM_ENERGIES), GIST_WEIGHT), (slice(NUM_ENERGIES, None), 1.0)):
            factors[part] = np.sqrt(weight / max(float(apart[:, part].sum()), 1e-9))
        return cls(
            factors=factors.astype(np.float32),
            mean=(mean * factors).astype(np.float32),
            spread=(apart * factors**2).sum(axis=1).astype(np.float32),
        )

    def as_json(self) -> dict[str, Any]:
        """Plain lists."""
        return {name: getattr(self, name).tolist() for name in ("factors", "mean", "spread")}

    @classmethod
    def from_json(cls, facts: Any) -> Scales:
        """Read back what `as_json` gave; ValueError, KeyError or TypeError if it is something else."""
        shapes = {"factors": (CELL_VALUES,), "mean": (NUM_CELLS, CELL_VALUES), "spread": (NUM_CELLS,)}
        arrays = {name: np.array(facts[name], np.float32).reshape(shape) for name, shape in shapes.items()}
        return cls(**arrays)


def face_vectors(values: npt.NDArray[np.floating], share: Floats32, scales: Scales) -> Floats32:
    """The face's side of the inner product, float32 [N, 560].

    Args:
        values: Descriptors, [N, 16, 33].
        share: Valid shares, [N, 16] in [0, 1].
        scales: The gallery's.
    """
    x, v = values.astype(np.float32) * scales.factors - scales.mean, share[..., None]
    lengths = v * (x**2).sum(axis=2, keepdims=True) + (1 - v) * scales.spread[:, None]
    return np.concatenate([v * x, v, lengths], axis=2).reshape(len(x), -1)


def query_vector(query: Description, scales: Scales) -> Floats32:
    """The query's side, float32 [560]: the inner product is minus the distance, not yet normalised."""
    q, w = query.values * scales.factors - scales.mean, query.share[:, None]
    lengths = (q**2).sum(axis=1, keepdims=True)
    return np.concatenate([2 * w * q, -w * lengths, -w], axis=1).ravel().astype(np.float32)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Projection:
    """From the 560 values of both sides to the few of the index; inner products change little.

    Each value is scaled by how large the other side is there, so that the directions kept are those that
    matter to distances.

    Attributes:
        faces: float32 [560, 64], applied to faces, then `offset` [64] is subtracted: the same for all faces, so
            their order does not change.
        queries: float32 [560, 64], applied to queries.
        offset: float32 [64].
    """

    faces: Floats32
    queries: Floats32
    offset: Floats32

    @classmethod
    def measured(cls, values: npt.NDArray[np.floating], share: Floats32, scales: Scales) -> Projection:
        """Choose the directions from a sample of descriptors [N, 16, 33] and valid shares [N, 16]."""
        x = values.astype(np.float32) * scales.factors - scales.mean
        expected = np.sqrt((x**2).mean(axis=0))
        lengths = (expected**2).sum(axis=1, keepdims=True)
        usual = np.concatenate([2 * expected, lengths, np.ones_like(lengths)], axis=1).ravel()
        usual = np.maximum(usual, 1e-4)
        vectors = face_vectors(values, share, scales).astype(np.float64) * usual
        _, directions = np.linalg.eigh(np.cov(vectors.T))
        kept = directions[:, : -INDEX_DIMENSIONS - 1 : -1]
        return cls(
            faces=(usual[:, None] * kept).astype(np.float32),
            queries=(kept / usual[:, None]).astype(np.float32),
            offset=(vectors.mean(axis=0) @ kept).astype(np.float32),
        )

    def of_faces(self, vectors: Floats32) -> Floats32:
        """Project `face_vectors`: [N, 560] to [N, 64]."""
        return np.ascontiguousarray(vectors @ self.faces - self.offset, np.float32)

    def as_array(self) -> Floats32:
        """One array to store."""
        return np.concatenate([self.faces, self.queries, self.offset[None]])

    @classmethod
    def from_array(cls, stored: Floats32) -> Projection:
        """Read back what `as_array` gave; ValueError if it is something else."""
        if stored.shape != (2 * INDEX_VALUES + 1, INDEX_DIMENSIONS):
            raise ValueError(f"a projection of shape {stored.shape}")
        return cls(faces=stored[:INDEX_VALUES], queries=stored[INDEX_VALUES:-1], offset=stored[-1])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SceneIndex:
    """FAISS's index and what leads to it."""

    faiss_index: Any
    projection: Projection


class SceneSearch:
    """Nearest descriptors of a gallery.

    Args:
        values: Descriptors, float16 [N, 16, 33]; may be a memory map.
        share: Valid fraction of their cells in 255ths, uint8 [N, 16].
        scales: The gallery's.
        index: From `load_index`, or None to compare all.
        num_probes: Lists of the index that are looked through for a query.
        num_candidates: How many the index names for exact comparison, at least.
    """

    def __init__(
        self,
        values: npt.NDArray[np.float16],
        share: npt.NDArray[np.uint8],
        scales: Scales,
        *,
        index: SceneIndex | None = None,
        num_probes: int = 512,
        num_candidates: int = 4000,
    ) -> None:
        self._values, self._fraction, self._scales = values, share, scales
        self._index, self._num_candidates = index, num_candidates
        self._parameters = None
        if index is not None:
            # Given with the query, not set on the index: threads share it.
            self._parameters = _faiss().SearchParametersIVF(nprobe=num_probes)

    def nearest(
        self, query: Description, num: int, *, without: npt.NDArray[np.int64] | None = None
    ) -> tuple[npt.NDArray[np.int64], Floats32]:
        """Find the most similar faces, nearest first; equals in the order of the gallery.

        Args:
            query: What is known of the face.
            num: How many, at most.
            without: Faces that may not be found.

        Returns:
            Their numbers, int64 [K], and distances, float32 [K]: 0 = alike, 1 = as far as two random faces.
        """
        chosen = self._candidates(query, num + (0 if without is None else len(without)))
        if without is not None:
            everything = np.arange(len(self._values)) if chosen is None else chosen
            chosen = np.setdiff1d(everything, without)
        distances = self._distances(query, chosen)
        if num < len(distances):
            edge = np.partition(distances, num - 1)[num - 1]
            within = np.flatnonzero(distances <= edge)
        else:
            within = np.arange(len(distances))
        best = within[np.argsort(distances[within], kind="stable")][:num]
        return (best if chosen is None else chosen[best]).astype(np.int64), distances[best]

    def _candidates(self, query: Description, num: int) -> npt.NDArray[np.int64] | None:
        """Numbers worth comparing, ascending; None = all."""
        if self._index is None:
            return None
        vector = query_vector(query, self._scales) @ self._index.projection.queries
        wanted = min(max(num, self._num_candidates), len(self._values))
        _, found = self._index.faiss_index.search(vector[None], wanted, params=self._parameters)
        numbers = np.unique(found[0][found[0] >= 0])
        # The lists that were looked through may hold fewer faces than are wanted.
        return None if len(numbers) < min(num, len(self._values)) else numbers

    def _distances(self, query: Description, numbers: npt.NDArray[np.int64] | None) -> Floats32:
        """Weighted distance of each face; what either lacks counts as far as two random faces are apart."""
        scales = self._scales
        num = len(self._values) if numbers is None else len(numbers)
        target = query.values * scales.factors
        weight = query.share / max(float(query.share @ scales.spread), 1e-9)
        distances = np.empty(num, np.float32)
        for at in range(0, num, BLOCK):
            rows = slice(at, at + BLOCK) if numbers is None else numbers[at : at + BLOCK]
            apart = self._values[rows].astype(np.float32) * scales.factors
            apart -= target
            squares = np.einsum("ncv,ncv->nc", apart, apart)
            valid = self._fraction[rows].astype(np.float32) / 255
            distances[at : at + BLOCK] = (valid * squares + (1 - valid) * scales.spread) @ weight
        return distances


def load_index(folder: Path) -> SceneIndex:
    """Open the index of a gallery; its lists stay on the disk and are mapped.

    Raises:
        UsageError: FAISS is not installed.
        DatasetError: A file is damaged.
    """
    faiss = _faiss()
    try:
        projection = Projection.from_array(np.load(folder / PROJECTION, allow_pickle=False))
        mapped = faiss.read_index(str(folder / INDEX), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
        return SceneIndex(faiss_index=mapped, projection=projection)
    except (OSError, RuntimeError, ValueError) as error:
        raise DatasetError(
            f"the index in {folder} is damaged ({INDEX}, {PROJECTION}: {type(error).__name__}); make the "
            "gallery again with `demask dataset gallery`"
        ) from error


def _faiss() -> Any:
    try:
        import faiss
    except ImportError:
        raise UsageError(
            f"a gallery with an index needs FAISS, which is not here; run: {install_command('gallery')}"
        ) from None
    return faiss
