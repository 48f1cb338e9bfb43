"""Training DeepFill v2: gated convolutions against a spectrally normalised patch critic.

Yu et al. 2019 (arXiv:1806.03589); weights, rates and the order of updates as in the authors' own `inpaint.yml`,
`inpaint_model.py` and `train.py`.
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
from demask.training.losses.adversarial import critic_loss, generator_loss
from demask.training.losses.pixel import l1
from demask.training.models.critics import SpectralPatchConfig
from demask.training.models.deepfill_net import DeepFillConfig
from demask.training.tasks.faces_task import check_side
from demask.training.tasks.inpainting import Inpainted, InpaintingTask, adam
from demask.training.tasks.register import Recipe, Training, register

_BETAS = (0.5, 0.999)


@dataclass(frozen=True, kw_only=True, slots=True)
class DeepFillV2Config:
    """Everything about the training but how long it lasts; defaults are the authors'."""

    faces: FacesConfig
    generator: DeepFillConfig = field(default_factory=lambda: DeepFillConfig(width=48, gated=True))
    critic: SpectralPatchConfig = field(default_factory=SpectralPatchConfig)
    side_px: int = 256  # Of the pictures learnt from.
    batch_size: int = 16
    learning_rate: float = 1e-4  # Of generator and critic.
    adversarial_weight: float = 1.0
    coarse_weight: float = 1.0  # L1 of the coarse stage,
    refined_weight: float = 1.0  # and of the refined one, over all pixels.
    validation_faces: int = 64

    def __post_init__(self) -> None:
        check_side(self.side_px, multiple_of=64)  # The critic halves six times.
        if min(self.adversarial_weight, self.coarse_weight, self.refined_weight) < 0:
            raise ConfigError("a weight of a loss term is below 0; the adversarial one is left out at 0")


class DeepFillV2Task(InpaintingTask):
    """See the module."""

    name = "deepfill-v2"

    def __init__(self, config: DeepFillV2Config) -> None:
        super().__init__(
            config.faces,
            batch_size=config.batch_size,
            side_px=config.side_px,
            validation_faces=config.validation_faces,
        )
        self.config = config
        self.networks = {"network": config.generator.build(), "critic": config.critic.build()}
        self.optimizers = {
            name: adam(network, config.learning_rate, _BETAS) for name, network in self.networks.items()
        }

    def plan(self, progress: float, *, step: int) -> tuple[str, ...]:
        """One update each in turn, the critic first."""
        return ("critic", "network") if self.config.adversarial_weight else ("network",)

    def losses(self, of: str, batch: Batch, drawn: Inpainted, *, progress: float) -> Losses:
        """The hinge loss of the critic, or the generator's side and both stages' L1."""
        config = self.config
        _, face, hole, valid = drawn.tensors
        if of == "critic":
            real, fake = _judged(self.live["critic"], face, drawn.composed.detach(), hole)
            return Losses({"critic": critic_loss(real, fake, mode="hinge")}, {"critic": 1.0})
        terms = {"coarse": l1(drawn.coarse, face, valid), "refined": l1(drawn.prediction, face, valid)}
        weights = {"coarse": config.coarse_weight, "refined": config.refined_weight}
        if config.adversarial_weight:
            with self.fabric.autocast(), frozen(self.networks["critic"]) as critic:
                terms["adversarial"] = generator_loss(critic(drawn.composed, hole), mode="hinge")
            weights["adversarial"] = config.adversarial_weight
        return Losses(terms, weights)


def _judged(critic: torch.nn.Module, real: Tensor, fake: Tensor, hole: Tensor) -> tuple[Tensor, Tensor]:
    """Both kinds in one batch, as the authors give them: one power iteration a step."""
    opinions: Tensor = critic(torch.cat([real, fake]), torch.cat([hole, hole]))
    on_real, on_fake = opinions.chunk(2)
    return on_real, on_fake


def deepfill_v2(data: Path, run: Path, backgrounds: Path | None) -> Recipe:
    """DeepFill v2: a million steps of 16 pictures, as published; a GPU's work."""
    # Ours: half of the holes are coverings', which it is for; the published ones are the other half.
    faces = FacesConfig(data=data, textures=backgrounds, free_form_fraction=0.5)
    trainer = TrainerConfig(
        run=run, steps=1_000_000, warmup_steps=1, decay_from=1.0, ema_decay=0.0, validate_every=1000
    )
    return Recipe(task=DeepFillV2Config(faces=faces), trainer=trainer)


register(
    Training(
        task=DeepFillV2Task,
        config=DeepFillV2Config,
        recipes={"deepfill-v2": deepfill_v2},
        does="fills the hole of an aligned crop with gated convolutions and contextual attention",
        invents=True,
    )
)
