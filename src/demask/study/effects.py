"""What simulated people are like: known effects, and the exact figures that a study of them should find."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.special import ndtr

from demask import settings
from demask.errors import ConfigError, InputError
from demask.study.blocks import ANCHOR, MASKED, TRUTH, MushraBlock, RatingBlock
from demask.study.plan import Plan
from demask.types import Floats64


@dataclass(frozen=True, kw_only=True)
class Effects:
    """Known effects. Shares are probabilities in (0, 1); tables are by condition.

    A rating is round(clip(latent)), latent = level + person + face + picture + noise on a scale that is
    stretched over the block's points: level 0 is the lowest category, 1 the highest. Every other answer
    falls with exactly the probability named here, and answers of one person, and about one picture, hang
    together through a Gaussian copula.

    Attributes:
        level: Latent rating in [0, 1].
        sd_person: Standard deviation of people's leniency, in the same unit.
        sd_face: Of faces, common to all conditions.
        sd_picture: Of pictures beyond their face.
        sd_noise: Of single ratings.
        detected: Probability of the right answer in `real or restored`, pair design, by system.
        called_real: Probability that a picture is called real in the single design.
        strength: Bradley-Terry log-strength.
        recognised: Probability of the labelled expression; errors fall evenly on the others.
        called_same: Probability of "same" where it is the same person.
        called_same_wrongly: Probability of "same" where it is another person.
        person_fraction: Part of the copula's variance that is the person's.
        picture_fraction: Part that is the picture's.
        careless: Part of the people who answer at random, attention checks included.
        reaction_ms: Median reaction; log-normal.
    """

    level: Mapping[str, float] = field(default_factory=dict)
    sd_person: float = 0.12
    sd_face: float = 0.1
    sd_picture: float = 0.05
    sd_noise: float = 0.15
    detected: Mapping[str, float] = field(default_factory=dict)
    called_real: Mapping[str, float] = field(default_factory=dict)
    strength: Mapping[str, float] = field(default_factory=dict)
    recognised: Mapping[str, float] = field(default_factory=dict)
    called_same: Mapping[str, float] = field(default_factory=dict)
    called_same_wrongly: Mapping[str, float] = field(default_factory=dict)
    person_fraction: float = 0.15
    picture_fraction: float = 0.15
    careless: float = 0.0
    reaction_ms: float = 1500.0

    def __post_init__(self) -> None:
        if self.person_fraction + self.picture_fraction >= 1:
            raise ConfigError("person_fraction + picture_fraction must stay below 1; the rest is chance")
        for name in ("detected", "called_real", "recognised", "called_same", "called_same_wrongly"):
            for condition, fraction in getattr(self, name).items():
                if not 0 < fraction < 1:
                    raise ConfigError(f"{name}.{condition} is {fraction}; it must lie between 0 and 1")

    @property
    def latent_sd(self) -> float:
        """Standard deviation of a latent rating over people, pictures and moments."""
        parts = (self.sd_person, self.sd_face, self.sd_picture, self.sd_noise)
        return float(np.sqrt(sum(part**2 for part in parts)))

    def rating_probabilities(self, block: RatingBlock | MushraBlock, condition: str) -> Floats64:
        """Exact probability of each rating from the lowest to the highest."""
        num = block.points - block.lowest
        edges = (np.arange(num) + 0.5) / num
        below = ndtr((edges - self.level[condition]) / max(self.latent_sd, 1e-12))
        return np.diff(np.concatenate([[0.0], below, [1.0]]))

    def mean_rating(self, block: RatingBlock | MushraBlock, condition: str) -> float:
        """Exact mean rating."""
        return float(self.rating_probabilities(block, condition) @ np.arange(block.lowest, block.points + 1))


def default_effects(plan: Plan) -> Effects:
    """Effects for a rehearsal: systems a little apart, the first one best, the truth above them all."""
    best = np.linspace(0.75, 0.5, len(plan.systems)) if len(plan.systems) > 1 else np.array([0.75])
    level = {system: float(value) for system, value in zip(plan.systems, best, strict=True)}
    every = {TRUTH: 0.85, MASKED: 0.3, ANCHOR: 0.2}
    return Effects(
        level=level | every,
        detected={system: 1.35 - value for system, value in level.items()},
        called_real={system: value - 0.2 for system, value in level.items()} | {TRUTH: 0.85},
        strength={system: 4 * value for system, value in level.items()} | {TRUTH: 3.4},
        recognised={**level} | {TRUTH: 0.9, MASKED: 0.55},
        called_same={**level},
        called_same_wrongly={system: 0.9 - value for system, value in level.items()},
        careless=0.05,
    )


def read_effects(path: Path, plan: Plan) -> Effects:
    """Read effects from TOML; conditions that it does not name keep the rehearsal's.

    Raises:
        InputError: There is no such file, or it is not TOML.
        ConfigError: A key that does not exist or a value that makes no sense.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read the effects {path}: {error.strerror}; name a TOML file") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not TOML: {error}") from error
    given = settings.read(Effects, table, whole="the effects")
    usual = default_effects(plan)
    values = {}
    for name in table:
        value, default = getattr(given, name), getattr(usual, name)
        values[name] = {**default, **value} if isinstance(value, Mapping) else value
    return Effects(**{**vars(usual), **values})
