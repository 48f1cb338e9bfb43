"""From the coverage of a crop to its hole, and to whether the face is covered at all."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from demask.errors import ConfigError
from demask.faces.colours import by_colour
from demask.geometry import FRAME_PX, TIGHT, WIDE, WINDOWS, Window
from demask.types import Alpha, Floats32, Hole, ImageU8

_EDGE_PX = 3  # A hole so near to the window's edge reaches it.
_MIN_CONTACT_PX = 6  # Along so much of the edge a covering or a strap runs on; less is a corner of its rim.


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgeSettings:
    """From coverage to a hole, and from a hole to covered or bare.

    Attributes:
        threshold: Coverage above it is covered.
        min_lower_face: A face is covered if at least this fraction of its lower face is ...
        min_mouth: ... and at least this fraction of its mouth. So a covering under the chin, straps
            alone, or a microphone leave a face bare.
        reach_px: Covered parts at most this far from the covering belong to it, as straps do.
        max_island_px: Uncovered islands inside the covering up to this area are filled, and larger ones
            that lie on the lower face: prints, windows.
        widen_px: The hole is made this much wider, so that no edge of the covering stays.
        colour_weight: How much the photograph's own colours count besides the network; see `by_colour`.
    """

    threshold: float = 0.35
    min_lower_face: float = 0.30
    min_mouth: float = 0.5
    reach_px: int = 6
    max_island_px: int = 300
    widen_px: int = 2
    colour_weight: float = 0.6

    def __post_init__(self) -> None:
        for name in ("threshold", "min_lower_face", "min_mouth"):
            if not 0 < getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must lie between 0 and 1")
        for name in ("reach_px", "max_island_px", "widen_px"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be 0 or more")
        if not 0 <= self.colour_weight <= 1:
            raise ConfigError(f"colour_weight is {self.colour_weight}; it must lie in [0, 1]")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FoundHole:
    """What the coverage of one crop means for its face.

    Attributes:
        hole: The pixels to fill, widened: bool [S, S] of the window; all False where the face is bare.
        coverage: The same with soft edges, for pasting: float32 [S, S] in [0, 1], above 0.5 in the hole.
        covered: Whether the face wears a covering over nose or mouth.
        confidence: How sure that is, in [0, 1].
    """

    hole: Hole
    coverage: Alpha
    covered: bool
    confidence: float

    @classmethod
    def none(cls, *, confidence: float, side_px: int = FRAME_PX) -> FoundHole:
        """No hole: a bare face."""
        nothing = np.zeros((side_px, side_px), np.float32)
        return cls(hole=nothing > 0, coverage=nothing, covered=False, confidence=confidence)

    def part(self, inner: Window, outer: Window) -> FoundHole:
        """What a smaller window shows of a hole found in a larger one."""
        here = inner.within(outer)
        return replace(self, hole=self.hole[here], coverage=self.coverage[here])


def _polygon(*corners: tuple[int, int]) -> Hole:
    canvas = np.zeros((FRAME_PX, FRAME_PX), np.uint8)
    cv2.fillPoly(canvas, [np.array(corners, np.int32)], 1)
    return canvas.astype(bool)


LOWER_FACE: Hole = _polygon((74, 112), (182, 112), (186, 150), (170, 200), (128, 225), (86, 200), (70, 150))
"""The lower face of the canonical frame, from the middle of the nose to the chin."""

MOUTH: Hole = _polygon((97, 164), (159, 164), (159, 190), (97, 190))
"""The mouth of the canonical frame."""


def in_window(region: Hole, side_px: int) -> Hole:
    """A region of the tight window in the window of this side, bool [side_px, side_px]."""
    window = next(window for window in WINDOWS if window.side_px == side_px)
    if window == TIGHT:
        return region
    placed = np.zeros((side_px, side_px), bool)
    placed[TIGHT.within(window)] = region
    return placed


def runs_on(found: FoundHole, valid: Hole) -> bool:
    """Whether a hole in the tight window reaches its edge where the photo goes on: then the wide one is needed.

    Args:
        found: In the tight window.
        valid: Where the photo was, bool [384, 384] of the wide window.
    """
    rows, columns = TIGHT.within(WIDE)
    hole, contact = found.hole, 0
    for at_edge, beyond in (
        (hole[:_EDGE_PX].any(axis=0), valid[rows.start - 1, columns]),
        (hole[-_EDGE_PX:].any(axis=0), valid[rows.stop, columns]),
        (hole[:, :_EDGE_PX].any(axis=1), valid[rows, columns.start - 1]),
        (hole[:, -_EDGE_PX:].any(axis=1), valid[rows, columns.stop]),
    ):
        contact += int((at_edge & beyond).sum())
    return contact >= _MIN_CONTACT_PX


def judge(coverage: Alpha, crop: ImageU8, valid: Hole, config: JudgeSettings | None = None) -> FoundHole:
    """Decide whether a face is covered, and by which part of the coverage.

    The network's coverage alone decides whether; where the covering ends, the crop's colours help to tell.

    Args:
        coverage: The hole network's answer for one crop of any window, float32 [S, S] in [0, 1].
        crop: That crop, uint8 RGB [S, S, 3].
        valid: Where the photo was, bool [S, S]; other pixels count for nothing.
        config: Thresholds.
    """
    config = config or JudgeSettings()
    binary = (coverage > config.threshold) & valid
    covering = _covering(binary, config)
    side = len(coverage)
    region = in_window(LOWER_FACE, side) & valid
    if not _is_covered(covering, valid, config):
        bare_confidence = 1.0 - float(coverage[region].mean()) if region.any() else 0.0
        return FoundHole.none(confidence=bare_confidence, side_px=side)
    confidence = float(coverage[covering & region].mean())
    corrected = by_colour(coverage, crop, valid, weight=config.colour_weight)
    corrected_binary = (corrected > config.threshold) & valid
    corrected_covering = _covering(corrected_binary, config)
    if _is_covered(corrected_covering, valid, config):  # Else the colours mislead.
        coverage, binary, covering = corrected, corrected_binary, corrected_covering
    # Keep the soft rim of the covering, drop that of everything else.
    near = _dilate(covering.astype(np.float32), 3) > 0
    # What is pasted ends at 0.5, wherever the threshold lies.
    centred = np.interp(coverage, (0, config.threshold, 1), (0, 0.5, 1))
    soft = np.where(near & ~(binary & ~covering), centred, 0).astype(np.float32)
    soft[covering & ~binary] = 1.0  # Filled islands.
    soft = _dilate(soft, config.widen_px)
    soft[~valid] = 0
    return FoundHole(hole=soft > 0.5, coverage=soft, covered=True, confidence=confidence)


def _is_covered(covering: Hole, valid: Hole, config: JudgeSettings) -> bool:
    lower_face, mouth = (
        _fraction(covering, in_window(region, len(valid)) & valid) for region in (LOWER_FACE, MOUTH)
    )
    return lower_face >= config.min_lower_face and mouth >= config.min_mouth


def _covering(binary: Hole, config: JudgeSettings) -> Hole:
    """The covered parts that belong to the lower face, small islands filled."""
    joined = _dilate(binary.astype(np.float32), (config.reach_px + 1) // 2) > 0
    _, labels = cv2.connectedComponents(joined.astype(np.uint8), connectivity=8)
    lower_face = in_window(LOWER_FACE, len(binary))
    votes = np.bincount(labels[binary & lower_face], minlength=1)
    votes[0] = 0
    if not votes.any():
        return np.zeros_like(binary)
    covering: Hole = binary & (labels == int(votes.argmax()))
    count, islands, stats, _ = cv2.connectedComponentsWithStats((~covering).astype(np.uint8), connectivity=4)
    for label in range(1, count):
        x, y, width, height, area = stats[label]
        inside = x > 0 and y > 0 and x + width < len(binary) and y + height < len(binary)
        if not inside:
            continue
        island = islands == label
        # A strap's loop encloses a cheek; what is enclosed on the lower face is a print or a window.
        if area <= config.max_island_px or island[lower_face].sum() > area / 2:
            covering |= island
    return covering


def _fraction(part: Hole, region: Hole) -> float:
    return float(part[region].mean()) if region.any() else 0.0


def _dilate(soft: Floats32, radius_px: int) -> Alpha:
    if radius_px == 0:
        return soft
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius_px + 1, 2 * radius_px + 1))
    return cv2.dilate(soft, disc).astype(np.float32, copy=False)
