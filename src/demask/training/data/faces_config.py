"""Which faces a training is shown, and how they are varied."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from demask.errors import ConfigError
from demask.geometry import FRAME_PX


@dataclass(frozen=True, kw_only=True, slots=True)
class FacesConfig:
    """Which faces are shown, how often, and how they are varied."""

    data: Path  # Folder of shards, from `demask dataset build`.
    textures: Path | None = None  # Folder of photographs without faces; patches become prints.
    seed: int = 0
    bare_fraction: float = 0.0  # Of faces left bare, half of them with something else before the mouth.
    sharp_factor: float = 3.7  # How much more often a sharp source is drawn than utkface's soft chips.
    soft_sources: tuple[str, ...] = ("utkface",)
    turned_factor: float = 1.0  # How much more often a face is drawn whose label `turn` is above 0.2.
    enlarged_px: int = (
        0  # pix2pix's jitter instead of the next four: resized to this, cropped to 256 at random.
    )
    shift_px: float = 4.0  # Standard deviation of the shift that imitates the finder's error.
    rotation_deg: float = 4.0
    scale: float = 0.05  # Standard deviation of the logarithm of the scale,
    aspect: float = 0.0  # and of width over height: a little of what a turned head does.
    nothing_fraction: float = 0.0  # Fraction of crops without any face: what the finder may mistake for one.
    turn_fraction: float = 0.0  # Fraction of heads turned further than they are,
    yaw_deg: float = 22.0  # by a normal angle of this standard deviation,
    pitch_deg: float = 9.0  # up or down by this.
    profile_fraction: float = 0.0  # Of the heads turned already, those turned further, towards a profile.
    dress_fraction: float = 0.0  # Fraction of heads that get a hat, a hood, glasses.
    wall_fraction: float = 0.0  # Fraction of heads put before a plain wall, mostly a white one.
    unusual_fraction: float = 0.0  # Fraction of coverings with straps and parts that no kind has.
    degrade_fraction: float = 0.4  # Fraction of faces blurred or compressed, as photographs from the web are.
    grey_fraction: float = 0.07
    light: bool = True  # Gain, gamma and a colour cast are varied.
    flip_fraction: float = 0.5  # Mirrored; at 0 the items hold landmarks too, which have a left and a right.
    widen_px: tuple[int, int] = (
        1,
        7,
    )  # The hole is widened by a number of pixels from this range; (0, 0): exact.
    missed_fraction: float = 0.0  # Fraction of holes that lack parts at the edge, as found holes do.
    # Fractions of holes that are no covering's, on bare faces: DeepFill v1's boxes, v2's boxes with strokes.
    box_fraction: float = 0.0
    free_form_fraction: float = 0.0
    wide_fraction: float = 0.0  # Fraction of batches that show the wide window (`geometry.WIDE`).
    wide_kinds_fraction: float = 0.65  # Fraction of coverings in those that run beyond the tight one.
    wide_valid: float = 0.6  # How much of the wide window the photograph must fill, at least.
    sources: tuple[str, ...] = ()  # Only faces of these; () = all.
    workers: int = 2

    def __post_init__(self) -> None:
        for name in (
            "bare_fraction",
            "nothing_fraction",
            "turn_fraction",
            "profile_fraction",
            "dress_fraction",
            "wall_fraction",
            "unusual_fraction",
            "degrade_fraction",
            "grey_fraction",
            "flip_fraction",
            "missed_fraction",
            "box_fraction",
            "free_form_fraction",
            "wide_fraction",
            "wide_kinds_fraction",
            "wide_valid",
        ):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} is {getattr(self, name)} but is a fraction between 0 and 1")
        if self.box_fraction + self.free_form_fraction > 1:
            raise ConfigError(
                f"box_fraction is {self.box_fraction} and free_form_fraction {self.free_form_fraction}; "
                "together they are at most 1"
            )
        if self.enlarged_px and self.wide_fraction:
            raise ConfigError("enlarged_px is pix2pix's way to vary tight crops; leave it 0 with wide_fraction")
        if self.enlarged_px and self.enlarged_px < FRAME_PX:
            raise ConfigError(f"enlarged_px is {self.enlarged_px}; it must be 0 or at least {FRAME_PX}")
        if self.widen_px[0] > self.widen_px[1] or self.widen_px[0] < 0:
            raise ConfigError(f"widen_px is {self.widen_px} but is a range of pixels, smallest first")
