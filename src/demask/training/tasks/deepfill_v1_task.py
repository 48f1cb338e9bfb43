"""Training DeepFill v1: two Wasserstein critics, and pixel errors that count less deep in the hole.

Yu et al. 2018 (arXiv:1801.07892); weights, rates and the five critic updates to one of the generator as in the
authors' own `inpaint.yml`, `inpaint_model.py` and `train.py` (branch v1.0.0). Ours: the local window lies about
the middle of each picture's own hole, since a covering is no box, and distances to known pixels are exact.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from demask.errors import ConfigError
from demask.training.data.varied_faces import FacesConfig
from demask.training.engine.task import Batch, Losses, frozen
from demask.training.engine.trainer_config import TrainerConfig
from demask.training.losses.adversarial import (
    critic_wasserstein,
    generator_wasserstein,
    gradient_penalty,
    random_between,
)
from demask.training.losses.pixel import hole_discount, known_l1, weighted_l1
from demask.training.models.critics import WassersteinCritics, WassersteinCriticsConfig
from demask.training.models.deepfill_net import DeepFillConfig
from demask.training.tasks.faces_task import check_side
from demask.training.tasks.inpainting import Inpainted, InpaintingTask, adam, cut, middle_corners
from demask.training.tasks.register import Recipe, Training, register

_BETAS = (0.5, 0.9)


@dataclass(frozen=True, kw_only=True, slots=True)
class DeepFillV1Config:
    """Everything about the training but how long it lasts; defaults are the authors'."""

    faces: FacesConfig
    generator: DeepFillConfig = field(default_factory=lambda: DeepFillConfig(width=32, gated=False))
    critics: WassersteinCriticsConfig = field(default_factory=WassersteinCriticsConfig)
    side_px: int = 256  # Of the pictures learnt from; the local window is half of it.
    batch_size: int = 16
    learning_rate: float = 1e-4  # Of generator and critics.
    critic_steps: int = 5  # Updates of the critics to one of the generator, each on a batch of its own.
    # Fraction of the run after which the critics join; before it every step updates the generator alone. The
    # authors offer the same (PRETRAIN_COARSE_NETWORK, off by default), there for the coarse stage alone.
    critics_from: float = 0.0
    hole_weight: float = 1.2  # L1 about the hole, discounted by depth,
    known_weight: float = 1.2  # L1 of known pixels ("AE"),
    coarse_factor: float = 1.2  # and how much more both count for the coarse stage.
    gamma: float = 0.9  # Of the discount; the paper has 0.99 (from memory), the authors' own code 0.9.
    adversarial_weight: float = 0.001
    penalty_weight: float = 10.0
    validation_faces: int = 64

    def __post_init__(self) -> None:
        check_side(self.side_px, multiple_of=32)  # The local critic halves half the side four times.
        if self.critic_steps < 1 or not 0 <= self.critics_from <= 1:
            raise ConfigError(
                f"critic_steps is {self.critic_steps} and critics_from {self.critics_from}; "
                "the first is at least 1, the second a fraction between 0 and 1"
            )
        if not 0 < self.gamma <= 1:
            raise ConfigError(f"gamma is {self.gamma} but must be above 0 and at most 1")


class DeepFillV1Task(InpaintingTask):
    """See the module."""

    name = "deepfill-v1"

    def __init__(self, config: DeepFillV1Config) -> None:
        super().__init__(
            config.faces,
            batch_size=config.batch_size,
            side_px=config.side_px,
            validation_faces=config.validation_faces,
        )
        self.config, self.window_px = config, config.side_px // 2
        critics = config.critics.build(side_px=config.side_px, window_px=self.window_px)
        self.networks = {"network": config.generator.build(), "critic": critics}
        self.optimizers = {
            name: adam(network, config.learning_rate, _BETAS) for name, network in self.networks.items()
        }

    def plan(self, progress: float, *, step: int) -> tuple[str, ...]:
        """Every batch for the critics, every fifth for the generator too; before they join, all are its own."""
        if progress < self.config.critics_from:
            return ("network",)
        return ("critic", "network") if (step + 1) % self.config.critic_steps == 0 else ("critic",)

    def losses(self, of: str, batch: Batch, drawn: Inpainted, *, progress: float) -> Losses:
        """The critics' game and its penalty, or what the generator learns from."""
        config, tensors = self.config, drawn.tensors
        corners = middle_corners(tensors.hole, self.window_px)
        if of == "critic":
            return self._critic_losses(drawn, corners)
        face, hole, valid = tensors.face, tensors.hole, tensors.valid
        counted = cut(valid, corners, self.window_px)
        weight = cut(hole_discount(hole, gamma=config.gamma), corners, self.window_px) * counted
        truth = cut(face, corners, self.window_px)
        terms: dict[str, Tensor] = {}
        weights: dict[str, float] = {}
        for stage, picture, factor in (
            ("coarse", drawn.coarse, config.coarse_factor),
            ("refined", drawn.prediction, 1.0),
        ):
            window = cut(picture, corners, self.window_px)
            terms[f"hole_{stage}"] = weighted_l1(window, truth, weight, torch.ones_like(counted))
            terms[f"known_{stage}"] = known_l1(picture, face, hole, valid)
            weights[f"hole_{stage}"] = config.hole_weight * factor
            weights[f"known_{stage}"] = config.known_weight * factor
        if progress >= config.critics_from:
            with self.fabric.autocast(), frozen(self.networks["critic"]) as critics:
                opinions = critics(drawn.composed, cut(drawn.composed, corners, self.window_px))
            terms["adversarial"] = torch.stack([generator_wasserstein(x.float()) for x in opinions]).sum()
            weights["adversarial"] = config.adversarial_weight
        return Losses(terms, weights)

    def _critic_losses(self, drawn: Inpainted, corners: Tensor) -> Losses:
        face, fake, hole = drawn.tensors.face, drawn.composed.detach(), drawn.tensors.hole
        (face_window, fake_window, hole_window) = (cut(x, corners, self.window_px) for x in (face, fake, hole))
        live, critics = self.live["critic"], self.networks["critic"]
        assert isinstance(critics, WassersteinCritics)
        reals, fakes = live(face, face_window), live(fake, fake_window)
        games = [
            critic_wasserstein(real.float(), fake.float()) for real, fake in zip(reals, fakes, strict=True)
        ]
        # A gradient of a gradient: in full precision, and of the plain networks, as no compiler gives it.
        penalties = [
            gradient_penalty(critics.whole, random_between(face, fake), hole),
            gradient_penalty(critics.local, random_between(face_window, fake_window), hole_window),
        ]
        return Losses(
            {"critic": torch.stack(games).sum(), "penalty": torch.stack(penalties).sum()},
            {"critic": 1.0, "penalty": self.config.penalty_weight},
        )


def deepfill_v1(data: Path, run: Path, backgrounds: Path | None) -> Recipe:
    """DeepFill v1: a million updates of the generator, five million of its critics; a GPU's work."""
    # Ours: half of the holes are coverings', which it is for; the published boxes are the other half.
    faces = FacesConfig(data=data, textures=backgrounds, box_fraction=0.5)
    task = DeepFillV1Config(faces=faces)
    trainer = TrainerConfig(
        run=run, steps=1_000_000 * task.critic_steps, warmup_steps=1, decay_from=1.0, ema_decay=0.0,
        validate_every=5000,
    )  # fmt: skip
    return Recipe(task=task, trainer=trainer)


register(
    Training(
        task=DeepFillV1Task,
        config=DeepFillV1Config,
        recipes={"deepfill-v1": deepfill_v1},
        does="fills the hole of an aligned crop with contextual attention",
        invents=True,
    )
)
