"""Which faces of a gallery look most like a partly known one: all compared, or few and those exactly.

The hole is another one in every query, and an index cannot leave numbers out of its vectors. So the search
has two steps. The index holds the upper half of the descriptor only, eyes and forehead, which a face mask
nearly always leaves bare; what little the hole takes of it is replaced by the gallery's mean. The candidates
that it names are then compared exactly, all 16 cells, each weighted by what is known of it. A gallery small
enough is compared exactly throughout, and so is any gallery where the hole takes most of the upper half.

The distance is that of J. Hays, A. A. Efros, "Scene Completion Using Millions of Photographs", SIGGRAPH 2007,
sec. 3. The index is FAISS's inverted file with product quantisation (H. Jegou, M. Douze, C. Schmid, "Product
Quantization for Nearest Neighbor Search", IEEE TPAMI 33(1), 2011), in dimensions reduced by PCA.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from demask.errors import DatasetError, UsageError
from demask.restorers.scene_descriptor import CELL_VALUES, NUM_CELLS, NUM_ENERGIES, Description, Floats

GIST_WEIGHT = 2.0
"""GIST counts about twice as much as colour, sec. 3."""
UPPER_CELLS = NUM_CELLS // 2
BLOCK = 4096
LEAST_UPPER_SHARE = 0.5
"""Where less of the upper half is known, the index is of no use and all faces are compared."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Scales:
    """What makes descriptors comparable: taken from a sample of the gallery.

    Attributes:
        factors: float32 [33]; a value times its factor is scaled. Two random faces are then 2 apart in GIST
            and 1 in colour, as sums over all cells.
        mean: Mean of scaled values, float32 [16, 33].
        spread: Mean squared distance of two random faces in each cell, float32 [16]; sums to 3.
    """

    factors: Floats
    mean: Floats
    spread: Floats

    @classmethod
    def measured(cls, values: Floats, share: Floats) -> Scales:
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


def index_vectors(values: npt.NDArray[np.floating], share: Floats, scales: Scales) -> Floats:
    """What the index holds: the scaled upper half, drawn to the mean as far as it is unknown, [N, 264].

    Args:
        values: Descriptors, [N, 16, 33].
        share: Known shares, [N, 16] in [0, 1].
        scales: The gallery's.
    """
    upper = slice(None, UPPER_CELLS)
    mean = scales.mean[upper]
    scaled = values[:, upper].astype(np.float32) * scales.factors
    drawn = mean + share[:, upper, None].astype(np.float32) * (scaled - mean)
    return np.ascontiguousarray(drawn.reshape(len(values), -1), np.float32)


class SceneSearch:
    """Nearest descriptors of a gallery.

    Args:
        values: Descriptors, float16 [N, 16, 33]; may be a memory map.
        share: Valid share of their cells in 255ths, uint8 [N, 16].
        scales: The gallery's.
        index: FAISS index over `index_vectors`, or None to compare all.
        num_probes: Lists of the index that are looked through for a query.
        num_candidates: How many the index names for exact comparison, at least.
    """

    def __init__(
        self,
        values: npt.NDArray[np.float16],
        share: npt.NDArray[np.uint8],
        scales: Scales,
        *,
        index: Any = None,
        num_probes: int = 64,
        num_candidates: int = 4000,
    ) -> None:
        self._values, self._share, self._scales = values, share, scales
        self._index, self._num_candidates = index, num_candidates
        self._parameters = None
        if index is not None:
            faiss = _faiss()
            # Given with the query, not set on the index: threads share it.
            inner = faiss.SearchParametersIVF(nprobe=num_probes)
            self._parameters = faiss.SearchParametersPreTransform(index_params=inner)

    def nearest(
        self, query: Description, num: int, *, without: npt.NDArray[np.int64] | None = None
    ) -> tuple[npt.NDArray[np.int64], Floats]:
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
        known_above = float(query.share[:UPPER_CELLS].mean())
        if self._index is None or known_above < LEAST_UPPER_SHARE:
            return None
        vector = index_vectors(query.values[None], query.share[None], self._scales)
        wanted = min(max(num, self._num_candidates), len(self._values))
        _, found = self._index.search(vector, wanted, params=self._parameters)
        numbers = np.unique(found[0][found[0] >= 0])
        # Lists that were probed may hold fewer faces than are wanted.
        return None if len(numbers) < min(num, len(self._values)) else numbers

    def _distances(self, query: Description, numbers: npt.NDArray[np.int64] | None) -> Floats:
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
            valid = self._share[rows].astype(np.float32) / 255
            distances[at : at + BLOCK] = (valid * squares + (1 - valid) * scales.spread) @ weight
        return distances


def load_index(path: Path) -> Any:
    """Open an index; its lists stay on the disk and are mapped.

    Raises:
        UsageError: FAISS is not installed.
        DatasetError: The file is damaged.
    """
    faiss = _faiss()
    try:
        return faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
    except RuntimeError as error:
        raise DatasetError(
            f"{path} is damaged (FAISS cannot read it); make the gallery again with `demask dataset gallery`"
        ) from error


def _faiss() -> Any:
    try:
        import faiss
    except ImportError:
        raise UsageError(
            "a gallery with an index needs FAISS, which is not here; run: pip install 'demask[gallery]'"
        ) from None
    return faiss
