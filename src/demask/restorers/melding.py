"""Image melding: patches of the rest of the crop, turned, scaled, mirrored and re-lit, melt into the hole.

S. Darabi, E. Shechtman, C. Barnes, D. B. Goldman, P. Sen, "Image Melding: Combining Inconsistent Images
using Patch-based Synthesis", ACM Transactions on Graphics 31(4) (SIGGRAPH), 2012: hole filling from the
picture itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from demask.errors import ConfigError, InputError, ShapeMismatch, UsageError
from demask.extras import install_command
from demask.restorers.about import About, Parameter
from demask.restorers.cielab import to_lab, to_rgb
from demask.types import Floats64, Hole, ImageU8

if TYPE_CHECKING:
    from demask.restorers.patch_kernels import Space
    from demask.restorers.patch_match import MatchField


@dataclass(frozen=True, kw_only=True, slots=True)
class MeldingConfig:
    """Settings; `ABOUT` sets the paper's beside them."""

    patch_px: int = 10  # Side of a patch.
    gradient_weight: float = 0.1  # Weight of gradients beside colours, in the distance and in the solution.
    most_turn_deg: float = 45.0  # Sources may be turned by so much to either side.
    least_scale: float = 0.9  # Side of the square in the source over that of the patch.
    most_scale: float = 1.2
    least_aspect: float = 0.9  # Width of the source over its height, before it is turned.
    most_aspect: float = 1.1
    mirrored: bool = True  # Sources may be mirrored.
    least_gain: float = 0.95  # Factor on each channel of CIE Lab.
    most_gain: float = 1.05
    most_bias: float = 5.0  # Shift of each channel to either side, units of CIE Lab.
    coarsest_px: int = 35  # Shorter side of the smallest picture of the pyramid.
    num_levels: int = 10  # Pictures of the pyramid, each larger than the last by the same factor.
    first_iterations: int = 27  # Search and vote so often at the smallest,
    fewer_iterations: int = 3  # so many times less at each larger one,
    least_iterations: int = 5  # but at least so often.
    sweeps: int = 4  # Times over all patches, per search; at 256 px one tries 10 sources per patch.
    seed: int = 0  # Of the random part of the search.

    def __post_init__(self) -> None:
        if not 2 <= self.patch_px <= 32:
            raise ConfigError(f"patch_px is {self.patch_px}; need 2 to 32")
        if not self.gradient_weight >= 0:
            raise ConfigError(f"gradient_weight is {self.gradient_weight}; need 0 or more")
        if not 0 <= self.most_turn_deg <= 180:
            raise ConfigError(f"most_turn_deg is {self.most_turn_deg}; need 0 to 180")
        for what in ("scale", "aspect", "gain"):
            least, most = getattr(self, f"least_{what}"), getattr(self, f"most_{what}")
            if not 0 < least <= 1 <= most:
                raise ConfigError(f"{what} goes from {least} to {most}; need more than 0, and 1 in between")
        if not self.most_bias >= 0:
            raise ConfigError(f"most_bias is {self.most_bias}; need 0 or more")
        for name in ("coarsest_px", "num_levels", "first_iterations", "least_iterations", "sweeps"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; need at least 1")
        if self.fewer_iterations < 0:
            raise ConfigError(f"fewer_iterations is {self.fewer_iterations}; need 0 or more")


class Melding:
    """Fill the hole with transformed patches of the rest of the crop.

    Args:
        config: Settings; the paper's by default.

    Raises:
        UsageError: numba or SciPy is not installed.
    """

    def __init__(self, config: MeldingConfig | None = None) -> None:
        try:
            from demask.restorers import patch_kernels, patch_match, screened_poisson
        except ModuleNotFoundError as error:
            raise UsageError(
                f"melding needs {error.name}, which is not here; run: {install_command('classical')}"
            ) from error
        self._kernels, self._match, self._poisson = patch_kernels, patch_match, screened_poisson
        self.config = config or MeldingConfig()

    def __call__(self, masked: ImageU8, hole: Hole) -> ImageU8:
        """Fill one crop: uint8 RGB [H, W, 3] and bool [H, W] to uint8 RGB [H, W, 3].

        The same crop and hole give the same bytes; known pixels stay as they are.

        Raises:
            ShapeMismatch: `masked` and `hole` cover different pixels.
            InputError: The hole leaves no whole patch known.
        """
        if masked.shape[:2] != hole.shape:
            raise ShapeMismatch(image=masked.shape, hole=hole.shape)
        if not hole.any():
            return masked.copy()
        # Holes read from 1-bit pictures may store True as 255, and sums count the bytes as they are.
        hole = hole.astype(np.uint8) > 0
        side = self.config.patch_px
        if not (self._match.holes_met(hole, side) == 0).any():
            raise InputError(
                f"the hole leaves no whole {side}x{side} px patch of the {hole.shape[1]}x{hole.shape[0]} px "
                "picture to copy from; give a smaller hole or a smaller patch_px"
            )
        restored = masked.copy()
        lab = to_lab(np.where(hole[..., None], np.uint8(0), masked))
        restored[hole] = to_rgb(self._filled(lab, hole)[hole])
        return restored

    def _filled(self, picture: Floats64, hole: Hole) -> Floats64:
        """From the smallest picture to the full one; `picture` is CIE Lab, float64 [H, W, 3]."""
        rng = np.random.default_rng((self.config.seed, *b"melding"))
        space, coarser = self._space(), None
        wanted = picture
        for level, (small, small_hole) in enumerate(self._pyramid(picture, hole)):
            field = self._match.MatchField(small, small_hole, space, rng)
            wanted = small.copy()
            if coarser is None:
                membrane = self._poisson.ScreenedPoisson(small_hole, gradient_weight=1.0, value_weight=0.0)
                for channel in range(3):
                    wanted[..., channel] = membrane(wanted[..., channel])
            else:
                before, seen = coarser
                scale = (small.shape[0] / seen.shape[0], small.shape[1] / seen.shape[1])
                field.start_from(before, scale)
                enlarged = cv2.resize(seen, small_hole.shape[::-1], interpolation=cv2.INTER_CUBIC)
                wanted[small_hole] = enlarged[small_hole]
            self._settle(field, wanted, small_hole, self._iterations(level))
            coarser = field, wanted
        return wanted

    def _settle(self, field: MatchField, wanted: Floats64, hole: Hole, iterations: int) -> None:
        """Search and vote by turns; `wanted` changes in place, in the hole."""
        solve = self._poisson.ScreenedPoisson(hole, gradient_weight=self.config.gradient_weight)
        for _ in range(iterations):
            field.search(wanted, sweeps=self.config.sweeps)
            votes = field.vote(wanted)
            wanted[hole] = votes.colour[hole]
            wanted[..., 0] = solve(wanted[..., 0], votes.down, votes.right)

    def _iterations(self, level: int) -> int:
        config = self.config
        return max(config.least_iterations, config.first_iterations - level * config.fewer_iterations)

    def _pyramid(self, picture: Floats64, hole: Hole) -> Iterator[tuple[Floats64, Hole]]:
        """Smaller pictures and their holes, smallest first; those that cannot be filled are left out."""
        height, width = hole.shape
        shorter = min(height, width)
        coarsest = min(self.config.coarsest_px, shorter)
        steps = self.config.num_levels - 1
        sides = [shorter]
        if steps > 0:
            sides = [round(coarsest * (shorter / coarsest) ** (step / steps)) for step in range(steps + 1)]
        for side in dict.fromkeys(sides):
            scale = side / shorter
            size = (round(height * scale), round(width * scale))
            small, small_hole = _shrunk(picture, hole, size)
            met = self._match.holes_met(small_hole, self.config.patch_px)
            if (met > 0).any() and (met == 0).any():
                yield small, small_hole

    def _space(self) -> Space:
        config = self.config
        return self._kernels.Space(
            patch_px=config.patch_px,
            turn=math.radians(config.most_turn_deg),
            least_scale=config.least_scale,
            most_scale=config.most_scale,
            least_aspect=config.least_aspect,
            most_aspect=config.most_aspect,
            mirrored=config.mirrored,
            least_gain=config.least_gain,
            most_gain=config.most_gain,
            most_bias=config.most_bias,
            gradient_weight=config.gradient_weight,
        )


def _shrunk(picture: Floats64, hole: Hole, size: tuple[int, int]) -> tuple[Floats64, Hole]:
    """Mean of the known pixels under each pixel; a hole where they are fewer than half."""
    if size == hole.shape:
        return picture, hole
    known = (~hole).astype(np.float64)
    share = cv2.resize(known, size[::-1], interpolation=cv2.INTER_AREA)
    sums = cv2.resize(picture * known[..., None], size[::-1], interpolation=cv2.INTER_AREA)
    return sums / np.maximum(share, 1e-6)[..., None], share < 0.5


_DEFAULTS = MeldingConfig()
ABOUT = About(
    name="melding",
    version=1,
    what=(
        "Copies known patches into the hole, turned, scaled, mirrored and re-lit to fit, coarse to fine; their "
        "colours and gradients are blended by a screened Poisson equation."
    ),
    licence="Apache-2.0",
    paper=(
        "S. Darabi, E. Shechtman, C. Barnes, D. B. Goldman, P. Sen, Image Melding: Combining Inconsistent "
        "Images Using Patch-Based Synthesis, ACM Transactions on Graphics 31(4) (SIGGRAPH), 2012"
    ),
    parameters=(
        Parameter(name="patch_px", ours=_DEFAULTS.patch_px, paper=10, what="side of a patch, pixels"),
        Parameter(
            name="gradient_weight",
            ours=_DEFAULTS.gradient_weight,
            paper=0.1,
            what="weight of gradients beside colours, in the distance and in the solution",
        ),
        Parameter(
            name="most_turn_deg",
            ours=_DEFAULTS.most_turn_deg,
            paper=45.0,
            what="largest turn of a source to either side, degrees",
        ),
        Parameter(
            name="least_scale",
            ours=_DEFAULTS.least_scale,
            paper=0.9,
            what="side of the square in the source over that of the patch, smallest",
        ),
        Parameter(name="most_scale", ours=_DEFAULTS.most_scale, paper=1.2, what="the same, largest"),
        Parameter(
            name="least_aspect",
            ours=_DEFAULTS.least_aspect,
            paper=0.9,
            what="width of a source over its height before it is turned, smallest",
        ),
        Parameter(name="most_aspect", ours=_DEFAULTS.most_aspect, paper=1.1, what="the same, largest"),
        Parameter(name="mirrored", ours=_DEFAULTS.mirrored, paper=True, what="sources may be mirrored"),
        Parameter(
            name="least_gain",
            ours=_DEFAULTS.least_gain,
            paper=0.95,
            what="factor on each channel of CIE Lab, smallest",
        ),
        Parameter(name="most_gain", ours=_DEFAULTS.most_gain, paper=1.05, what="the same, largest"),
        Parameter(
            name="most_bias",
            ours=_DEFAULTS.most_bias,
            paper=5.0,
            what="largest shift of each channel to either side, units of CIE Lab",
        ),
        Parameter(
            name="coarsest_px",
            ours=_DEFAULTS.coarsest_px,
            paper=35,
            what="shorter side of the smallest picture of the pyramid, pixels",
        ),
        Parameter(name="num_levels", ours=_DEFAULTS.num_levels, paper=10, what="pictures of the pyramid"),
        Parameter(
            name="first_iterations",
            ours=_DEFAULTS.first_iterations,
            paper=27,
            what="times to search and vote at the smallest",
        ),
        Parameter(
            name="fewer_iterations",
            ours=_DEFAULTS.fewer_iterations,
            paper=3,
            what="so many times less at each larger one",
        ),
        Parameter(
            name="least_iterations", ours=_DEFAULTS.least_iterations, paper=5, what="but at least so often"
        ),
        Parameter(
            name="sweeps",
            ours=_DEFAULTS.sweeps,
            paper="30 random sources per patch and search",
            what="times over all patches per search, each trying 2 neighbours' sources and 6 to 9 random ones",
        ),
        Parameter(name="seed", ours=_DEFAULTS.seed, paper=None, what="seed of the random part of the search"),
    ),
    departures=(
        "Paper values are those of the settings for hole filling that the authors published with their "
        "program; the paper's text was not at hand.",
        "Of the paper's energy the L2 part for one picture is here; the mixed L2/L0 norm is for the "
        "transition between two pictures.",
        "Gradients are those of L, two channels as in the authors' settings: differences between neighbours "
        "inside the patch after it was transformed, so that they turn with it. Hence the screened Poisson "
        "equation is that of L; a and b are the mean of the votes, which solves theirs.",
        "Gain and bias are set per channel of L, a and b, to the target's deviation and mean; gradients take "
        "the gain of L.",
        "Scale is that of the source: its width is the scale times the root of the aspect, its height the "
        "scale divided by that root. The settings do not say which over which.",
        "All patches vote alike; the authors' settings give coherent regions more weight, by a rule that they "
        "do not state.",
        "Sources are read bilinearly from the picture of the same level, where the authors keep a pyramid of "
        "sources: at a scale of at most 1.3 there is little to be smoothed first.",
        "The screened Poisson equation is solved in the hole alone, exactly, with known pixels as they are.",
        "A smaller picture in which the hole has vanished, or no whole patch is known, is left out. Its pixels "
        "are means of known ones, and belong to the hole where less than half of what they show is known.",
        "The picture outside the photo (black in an aligned crop) counts as known: a restorer is not told.",
    ),
    extra="classical",
    note=(
        "US patents 8,861,868 and 9,317,773 are on patch-based synthesis such as this. The licence of this "
        "program gives no right to them: who ships a product with it asks a lawyer."
    ),
)
