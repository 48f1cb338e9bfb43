"""Scene completion: fill the hole with a piece of another face, the one of a gallery that fits best.

J. Hays, A. A. Efros, "Scene Completion Using Millions of Photographs", ACM Transactions on Graphics 26(3)
(SIGGRAPH 2007). Search by descriptor, placement by the local context, a seam by graph cut, Poisson blending,
several results ranked by the sum of their costs.

What is filled in is a piece of a real person's photograph: never publish it without that person's consent.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from demask.errors import ConfigError, InputError, ShapeMismatch
from demask.restorers.about import About, Parameter
from demask.restorers.gallery_store import SIDE_PX, Gallery
from demask.restorers.membrane import blend
from demask.restorers.placement import Context, Placement, placed, texture_difference
from demask.restorers.scene_descriptor import describe_known
from demask.restorers.seam import cheapest_region, seam_costs
from demask.types import Hole, ImageU8

_COARSE = 4
"""All matches are placed on pictures so many times smaller."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneConfig:
    """Settings; the paper's lengths are for pictures of 1024 px and shrink with the frame."""

    num_matches: int = 200  # Faces found by descriptor, then placed by their local context.
    num_cut: int = 20  # Of these, the best so far that are placed to the pixel, cut and ranked.
    context_px: int = 20  # How far from the hole a pixel still belongs to the local context.
    scales: tuple[float, ...] = (0.95, 1.0, 1.05)  # Of the other face.
    reach_px: int = 12  # Largest shift along each axis of the coarse placement.
    pixel_cost: float = 0.008  # k: a known pixel given up costs (k * its distance to the hole in pixels)^3.
    keep_known: bool = True  # Blend inside the hole only.

    def __post_init__(self) -> None:
        for name, low in (("num_matches", 1), ("num_cut", 1), ("context_px", _COARSE), ("reach_px", 0)):
            if getattr(self, name) < low:
                raise ConfigError(f"{name} is {getattr(self, name)} but must be at least {low}")
        if not self.scales or not all(0.5 <= scale <= 2 for scale in self.scales):
            raise ConfigError(f"scales are {self.scales}; need at least one, each from 0.5 to 2")
        if not self.pixel_cost > 0:
            raise ConfigError(f"pixel_cost is {self.pixel_cost}; need more than 0")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Completion:
    """One way to fill the hole.

    Attributes:
        number: Which face of the gallery.
        score: Sum of the four costs below, each over its mean among the completions; smaller is better.
        match: Distance of the descriptors; 1 = two random faces.
        context: Error of the placement.
        texture: Mean squared difference of texture in the context.
        cut: Cost of the seam.
        placement: How the face is laid over the crop.
        region: Pixels that the cheapest seam takes from it, bool [256, 256]; they hold the hole.
    """

    number: int
    score: float
    match: float
    context: float
    texture: float
    cut: float
    placement: Placement
    region: Hole


class SceneCompletion:
    """Fill the hole of an aligned crop from a gallery.

    Args:
        gallery: Folder that `demask dataset gallery` made, or an open gallery.
        config: Settings.

    Raises:
        DatasetError: The gallery is missing or damaged.
        UsageError: FAISS is needed and not installed.
    """

    def __init__(self, gallery: Path | Gallery, config: SceneConfig | None = None) -> None:
        self.gallery = gallery if isinstance(gallery, Gallery) else Gallery(gallery)
        self.config = config or SceneConfig()

    def __call__(self, masked: ImageU8, hole: Hole) -> ImageU8:
        """Fill one crop: uint8 RGB [256, 256, 3] and bool [256, 256] to uint8 RGB [256, 256, 3].

        Raises:
            ShapeMismatch: `masked` and `hole` cover different pixels.
            InputError: It is no aligned crop, or nothing of it is known.
            DatasetError: A face of the gallery is damaged.
            UsageError: SciPy or PyMaxflow is not installed.
        """
        ranked = self.completions(masked, hole)
        return self.picture(masked, hole, ranked[0]) if ranked else masked.copy()

    def completions(self, masked: ImageU8, hole: Hole, *, without: str | None = None) -> list[Completion]:
        """Rank the best ways to fill the hole, best first; none where there is no hole.

        Args:
            masked: uint8 RGB [256, 256, 3]; exactly black pixels are taken for those outside the photo.
            hole: bool [256, 256].
            without: An identity whose faces are not used.

        Raises:
            ShapeMismatch, InputError, DatasetError, UsageError: As when called.
        """
        config = self.config
        known = _seen(masked, hole)
        if not hole.any():
            return []
        banned = None if without is None else self.gallery.numbers_of(without)
        blanked = np.where(known[..., None], masked, np.uint8(0))
        query = describe_known(blanked, known)
        numbers, distances = self.gallery.search.nearest(query, config.num_matches, without=banned)
        if not len(numbers):
            raise InputError(f"the gallery holds nobody but {without}; take a larger one")

        # Sec. 4, local context: roughly for every match, on small pictures.
        near = _within(hole, config.context_px)
        context = near & known
        small = SIDE_PX // _COARSE
        little = Context.of(
            _shrunk(blanked, known),
            cv2.resize(context.astype(np.uint8), (small, small), interpolation=cv2.INTER_AREA) > 0,
            cv2.resize(hole.astype(np.float32), (small, small), interpolation=cv2.INTER_AREA) > 0,
            radius_px=config.context_px / _COARSE,
        )
        start = Placement(scale=1.0, dx=0.0, dy=0.0, error=0.0)
        rough = [
            little.best(
                self.gallery.crop(number, reduced=_COARSE),
                self.gallery.valid(number),
                scales=config.scales,
                around=start,
                reach_px=config.reach_px // _COARSE,
            )
            for number in numbers.tolist()
        ]
        promise = _shared(distances) + _shared(np.array([placement.error for placement in rough]))
        best = np.argsort(promise, kind="stable")[: config.num_cut]

        # To the pixel, with texture and seam, for the most promising.
        full = Context.of(blanked, context, hole, radius_px=config.context_px)
        found, costs = [], []
        for at in best.tolist():
            number = int(numbers[at])
            crop, valid = self.gallery.crop(number), self.gallery.valid(number)
            placement = full.best(
                crop,
                valid,
                scales=(rough[at].scale,),
                around=rough[at],
                reach_px=_COARSE - 1,
            )
            patch = placed(crop, valid, placement)
            seam = seam_costs(masked, patch, hole, context=context, pixel_cost=config.pixel_cost)
            region = cheapest_region(seam)
            texture = texture_difference(np.where(known[..., None], masked, patch), patch, context)
            costs.append([float(distances[at]), placement.error, texture, seam.of(region)])
            found.append((number, placement, region))
        scores = np.sum([_shared(column) for column in np.array(costs).T], axis=0)
        return [
            Completion(
                number=found[at][0],
                score=float(scores[at]),
                match=costs[at][0],
                context=costs[at][1],
                texture=costs[at][2],
                cut=costs[at][3],
                placement=found[at][1],
                region=found[at][2],
            )
            for at in np.argsort(scores, kind="stable").tolist()
        ]

    def picture(self, masked: ImageU8, hole: Hole, completion: Completion) -> ImageU8:
        """Blend a completion into the crop, uint8 RGB [256, 256, 3]."""
        crop, valid = self.gallery.crop(completion.number), self.gallery.valid(completion.number)
        patch = placed(crop, valid, completion.placement)
        return blend(masked, patch, hole if self.config.keep_known else completion.region)


def _seen(masked: ImageU8, hole: Hole) -> Hole:
    """Known pixels that belong to the photo, bool [256, 256]."""
    if masked.shape[:2] != hole.shape:
        raise ShapeMismatch(image=masked.shape, hole=hole.shape)
    if masked.shape != (SIDE_PX, SIDE_PX, 3) or masked.dtype != np.uint8:
        raise InputError(
            f"got a crop {masked.shape} {masked.dtype}; scene completion compares aligned faces and needs "
            f"uint8 [{SIDE_PX}, {SIDE_PX}, 3], as demask.geometry.crop_to_frame cuts them"
        )
    known = ~hole
    if not known.any():
        raise InputError("the hole covers the whole picture; scene completion searches by what is known")
    # An aligned crop is black where the photo ends, and a restorer is not told.
    seen: Hole = known & masked.any(axis=2)
    return seen if seen.any() else known


def _within(hole: Hole, radius_px: int) -> Hole:
    distance = cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    near: Hole = (distance > 0) & (distance <= radius_px)
    return near


def _shrunk(picture: ImageU8, known: Hole) -> ImageU8:
    """Average the known pixels of each square."""
    size = (SIDE_PX // _COARSE,) * 2
    share = cv2.resize(known.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    sums = cv2.resize(picture.astype(np.float32) * known[..., None], size, interpolation=cv2.INTER_AREA)
    return np.asarray(np.rint(sums / np.maximum(share, 1e-6)[..., None]), np.uint8)


def _shared(costs: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Scale costs to a mean of 1, so that different ones can be added."""
    return costs / max(float(costs.mean()), 1e-12)


_DEFAULTS = SceneConfig()
ABOUT = About(
    name="scene-completion",
    version=1,
    what="Fills the hole with a piece of the face of a gallery that fits best around it.",
    licence="Apache-2.0",
    paper=(
        "J. Hays, A. A. Efros, Scene Completion Using Millions of Photographs, ACM Transactions on Graphics "
        "26(3) (SIGGRAPH 2007)"
    ),
    parameters=(
        Parameter(
            name="num_matches",
            ours=_DEFAULTS.num_matches,
            paper=200,
            what="faces found by descriptor, then placed by their local context",
        ),
        Parameter(
            name="num_cut",
            ours=_DEFAULTS.num_cut,
            paper=200,
            what="of these, faces cut and ranked by all costs",
        ),
        Parameter(
            name="context_px",
            ours=_DEFAULTS.context_px,
            paper="80 in pictures of up to 1024 px",
            what="reach of the local context, pixels of the 256 px frame",
        ),
        Parameter(
            name="scales",
            ours=" ".join(map(str, _DEFAULTS.scales)),
            paper="0.81 0.9 1",
            what="of the other face",
        ),
        Parameter(
            name="reach_px",
            ours=_DEFAULTS.reach_px,
            paper="all translations",
            what="largest shift along each axis, pixels; 3 more when placed to the pixel",
        ),
        Parameter(
            name="pixel_cost",
            ours=_DEFAULTS.pixel_cost,
            paper="0.002 in pictures of up to 1024 px",
            what="k: giving up a known pixel costs (k * its distance to the hole)^3",
        ),
        Parameter(
            name="keep_known",
            ours="yes",
            paper="no",
            what="only the hole is blended in; the seam ranks the results",
        ),
        Parameter(name="GRID", ours=4, paper=4, what="cells of the descriptor along each side"),
        Parameter(name="ORIENTATIONS", ours=6, paper=6, what="of the oriented filters"),
        Parameter(name="SCALES", ours=5, paper=5, what="of the oriented filters"),
        Parameter(name="GIST_WEIGHT", ours=2.0, paper="roughly 2", what="how much GIST counts next to colour"),
    ),
    departures=(
        "The gallery holds aligned faces, thousands to millions of them, where the paper takes 2.3 million "
        "photographs of all kinds: a mouth comes from a mouth.",
        "A restorer may change the hole only, so the blend is solved inside the hole, with the photo at its"
        " rim. The paper gives up known pixels along the seam; keep_known=False does that.",
        "Faces are aligned, so shifts are short and the scales lie around 1. A placement may leave part of "
        "the context without a partner, which counts as a difference of 30 units of Lab, and part of the "
        "hole, which counts as one of 60 and goes on smoothly; the paper takes only placements that lie "
        "inside the other picture.",
        "The context's error is multiplied by 1 + offset / context_px, where the paper multiplies by the "
        "offset itself: on aligned faces the right offset is often zero, and everything would tie there.",
        "All 200 matches are placed on pictures of 64 px; the 20 best by descriptor and context are placed "
        "to the pixel, compared in texture, cut and ranked, where the paper does so with all 200.",
        "The filters are log-Gabor ones; the paper names GIST and not its filters. Where a cell is unknown "
        "in a face of the gallery, it counts as far apart as two random faces are.",
        "A cut along the hole's rim, where the photo is unknown on one side, costs the mean change of the "
        "difference around the known pixel; the paper does not say.",
        "The Poisson equation is solved for the pixels that were taken, with fixed colours around them; the"
        " paper solves it over the whole picture.",
        "Each of the four costs is divided by its mean over the results, so that they contribute alike; the"
        " paper does not say how it scales them.",
    ),
    extra="gallery",
)
