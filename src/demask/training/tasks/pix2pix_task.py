"""Training both studies' systems: pix2pix from the masked face to the bare one, and study B's two terms.

The generator never hears of the hole: it translates the whole crop, covering and all (Isola et al. 2017,
arXiv:1611.07004). Study B adds the squared error inside the masked region and the error of the facial
landmarks; either weight at 0 leaves its term out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from demask.errors import ConfigError, WeightsError
from demask.training.data.loading import fixed_batch
from demask.training.data.varied_faces import FacesConfig
from demask.training.engine.task import Batch, Losses, frozen
from demask.training.engine.trainer_config import TrainerConfig
from demask.training.export.graphs import export_translator
from demask.training.losses.adversarial import check_mode, critic_loss, generator_loss
from demask.training.losses.finding import landmark_distance
from demask.training.losses.perceptual import Lpips
from demask.training.losses.pixel import hole_mse, l1
from demask.training.models.critics import PatchGanConfig
from demask.training.models.frozen_onnx import shipped_landmarks
from demask.training.models.unet256 import Unet256, Unet256Config
from demask.training.tasks.faces_task import (
    FacesTask,
    Tensors,
    check_side,
    enlarged,
    num_shown,
    psnr_each,
    wide_grid,
)
from demask.training.tasks.register import Recipe, Training, register, weights_if_here
from demask.types import ImageU8


@dataclass(frozen=True, kw_only=True, slots=True)
class Pix2pixConfig:
    """Everything about the training but how long it lasts; defaults are the paper's where it has them."""

    faces: FacesConfig
    generator: Unet256Config = field(default_factory=Unet256Config)
    critic: PatchGanConfig = field(default_factory=PatchGanConfig)
    side_px: int = 256  # Of the pictures learnt from; 128 wants `generator.levels` of 7.
    batch_size: int = 8  # The paper trains with 1 to 10, task by task (appendix 6.2).
    learning_rate: float = 2e-4
    adversarial: str = "bce"  # One of `losses.conditional.MODES`.
    adversarial_weight: float = 1.0
    l1_weight: float = 100.0
    pixel_weight: float = 0.0  # Study B: squared error in the hole.
    landmark_weight: float = 0.0  # Study B: distance of the landmarks, in eye distances.
    lpips_backbone: Path | None = None  # Where given, LPIPS is measured on validation faces and chooses.
    lpips_linear: Path | None = None
    validation_faces: int = 64

    def __post_init__(self) -> None:
        check_mode(self.adversarial)
        check_side(self.side_px, multiple_of=2**self.generator.levels)
        if min(self.adversarial_weight, self.l1_weight, self.pixel_weight, self.landmark_weight) < 0:
            raise ConfigError("a weight of a loss term is below 0; terms are left out at 0")


class Translated(NamedTuple):
    """A batch and its translation."""

    tensors: Tensors
    fake: Tensor  # [B, 3, H, W]


class Pix2pixTask(FacesTask):
    """See the module."""

    name = "pix2pix"
    clip_norm = float("inf")  # The paper clips nothing.

    def __init__(self, config: Pix2pixConfig) -> None:
        super().__init__(config.faces, batch_size=config.batch_size)
        self.config = config
        self.networks = {"network": config.generator.build(), "critic": config.critic.build()}
        self.optimizers = {
            name: torch.optim.Adam(network.parameters(), config.learning_rate, betas=(0.5, 0.999), fused=True)
            for name, network in self.networks.items()
        }

    @cached_property
    def landmarks(self) -> nn.Module | None:
        """The shipped landmark network, where its term weighs."""
        return shipped_landmarks() if self.config.landmark_weight else None

    @cached_property
    def lpips(self) -> Lpips | None:
        """LPIPS, which chooses among validations, where its weights are."""
        backbone, linear = self.config.lpips_backbone, self.config.lpips_linear
        if backbone is None and linear is None:
            return None
        if backbone is None or linear is None:
            raise WeightsError("LPIPS needs both lpips_backbone and lpips_linear; give both or neither")
        return Lpips(backbone=backbone, linear=linear)

    def helpers(self) -> list[nn.Module]:
        """The landmark network and LPIPS, where they are used."""
        return [helper for helper in (self.landmarks, self.lpips) if helper]

    def plan(self, progress: float, *, step: int) -> tuple[str, ...]:
        """The critic first, then the generator against it (appendix 6.2: one step each in turn)."""
        return ("critic", "network") if self.config.adversarial_weight else ("network",)

    def draw(self, batch: Batch, *, progress: float) -> Translated:
        """Translate the masked crops."""
        tensors = Tensors.of(batch, self.device).resized(self.config.side_px)
        return Translated(tensors, self.live["network"](tensors.masked).float())

    def losses(self, of: str, batch: Batch, drawn: Translated, *, progress: float) -> Losses:
        """The critic's side of the game, or everything the generator learns from."""
        config = self.config
        (masked, face, hole, valid), fake = drawn
        # Beyond the photo there is nothing to judge: both sides show the same black there.
        seen = torch.where(valid > 0.5, fake, face)
        if of == "critic":
            critic = self.live["critic"]
            real_logits, fake_logits = critic(masked, face), critic(masked, seen.detach())
            loss = critic_loss(real_logits, fake_logits, mode=config.adversarial)
            return Losses({"critic": loss}, {"critic": 1.0})
        terms = {"l1": l1(fake, face, valid)}
        weights = {"l1": config.l1_weight}
        with self.fabric.autocast():
            if config.adversarial_weight:
                with frozen(self.networks["critic"]) as critic:
                    terms["adversarial"] = generator_loss(critic(masked, seen), mode=config.adversarial)
                weights["adversarial"] = config.adversarial_weight
            if self.landmarks:
                terms["landmark"] = landmark_distance(self.landmarks, enlarged(seen), enlarged(face))
                weights["landmark"] = config.landmark_weight
        if config.pixel_weight:
            terms["pixel"] = hole_mse(fake, face, hole, valid)
            weights["pixel"] = config.pixel_weight
        return Losses(terms, weights)

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """L1, PSNR of the crop and in the hole (dB), LPIPS where its weights are; that or the L1 chooses."""
        network.eval()
        everything = Tensors.of(fixed_batch(self.val_faces, self.config.validation_faces), self.device)
        everything = everything.resized(self.config.side_px)
        sums: dict[str, float] = {}
        for start in range(0, len(everything.face), 8):
            part = Tensors(*(x[start : start + 8] for x in everything))
            fake = self._translated(network, part)
            figures = {
                "l1": l1(fake, part.face, part.valid),
                "psnr": psnr_each(fake, part.face, part.valid).mean(),
                "hole_psnr": psnr_each(fake, part.face, part.hole * part.valid).mean(),
            }
            if self.lpips:
                figures["lpips"] = self.lpips(torch.where(part.valid > 0.5, fake, part.face), part.face)
            for name, value in figures.items():
                sums[name] = sums.get(name, 0.0) + float(value) * len(part.face)
        means = {name: value / len(everything.face) for name, value in sums.items()}
        return means | {"score": -means.get("lpips", means["l1"])}

    @torch.no_grad()
    def samples(self, network: nn.Module) -> ImageU8:
        """Masked, translated, truth."""
        tensors = Tensors.of(
            fixed_batch(self.val_faces, num_shown(self.config.validation_faces)), self.device
        ).resized(self.config.side_px)
        return wide_grid([tensors.masked, self._translated(network.eval(), tensors), tensors.face])

    def export(self, network: nn.Module, path: Path) -> None:
        """ONNX: masked uint8 in, restored uint8 out; no hole goes in."""
        assert isinstance(network, Unet256)
        network.dropout_at_test = False  # onnxruntime has no dropout.
        export_translator(network, path)

    def _translated(self, network: nn.Module, tensors: Tensors) -> Tensor:
        with self.fabric.autocast():
            fake: Tensor = network(tensors.masked)
        return fake.float()


STUDY_B_PIXEL_WEIGHT, STUDY_B_LANDMARK_WEIGHT = 100.0, 20.0
"""Study B does not state its weights. Ours make each term about as large as the adversarial one early on."""


def pix2pix(
    data: Path, run: Path, backgrounds: Path | None, *, pixel: float = 0.0, landmark: float = 0.0
) -> Recipe:
    """Study A's system: 300 epochs of study B's 2,331 photographs, as published; a GPU's work."""
    faces = FacesConfig(
        data=data, textures=backgrounds, enlarged_px=286, degrade_fraction=0.0, light=False, sharp_factor=1.0,
        widen_px=(0, 0),
    )  # fmt: skip
    task = Pix2pixConfig(
        faces=faces,
        pixel_weight=pixel,
        landmark_weight=landmark,
        lpips_backbone=weights_if_here("squeeze_backbone"),
        lpips_linear=weights_if_here("lpips_squeeze_linear"),
    )
    # Constant, then linear to nothing; no average of weights, no warm-up: none is published.
    trainer = TrainerConfig(
        run=run, steps=300 * 2331 // task.batch_size, warmup_steps=1, decay_from=0.5, final_rate=0.0,
        ema_decay=0.0, validate_every=1000,
    )  # fmt: skip
    return Recipe(task=task, trainer=trainer)


def with_pixel(data: Path, run: Path, backgrounds: Path | None) -> Recipe:
    """The same with the squared error inside the hole."""
    return pix2pix(data, run, backgrounds, pixel=STUDY_B_PIXEL_WEIGHT)


def with_landmark(data: Path, run: Path, backgrounds: Path | None) -> Recipe:
    """The same with the distance of the landmarks."""
    return pix2pix(data, run, backgrounds, landmark=STUDY_B_LANDMARK_WEIGHT)


def with_both(data: Path, run: Path, backgrounds: Path | None) -> Recipe:
    """Study B's system: both terms."""
    return pix2pix(data, run, backgrounds, pixel=STUDY_B_PIXEL_WEIGHT, landmark=STUDY_B_LANDMARK_WEIGHT)


register(
    Training(
        task=Pix2pixTask,
        config=Pix2pixConfig,
        recipes={
            "pix2pix": pix2pix,
            "pix2pix+pixel": with_pixel,
            "pix2pix+landmark": with_landmark,
            "pix2pix+pixel+landmark": with_both,
        },
        does="translates an aligned crop of a masked face to a bare one, without being told the hole",
        invents=True,
    )
)
