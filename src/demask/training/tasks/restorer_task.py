"""Training the restorer: hole-weighted L1, perceptual distance, and critics that join late."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from demask.errors import ConfigError, WeightsError
from demask.training.data.covered_crops import CoveredFaces
from demask.training.data.loading import fixed_batch
from demask.training.data.varied_faces import FacesConfig
from demask.training.engine.task import Batch, Losses, frozen
from demask.training.engine.trainer_config import TrainerConfig
from demask.training.export.graphs import export_restorer
from demask.training.losses.adversarial import critic_hinge, feature_matching, generator_hinge
from demask.training.losses.finding import landmark_distance
from demask.training.losses.perceptual import Lpips, identity_distance
from demask.training.losses.pixel import coarse_l1, hole_weighted_l1
from demask.training.models.critics import PatchCritic
from demask.training.models.frozen_onnx import FrozenOnnx, shipped_landmarks
from demask.training.models.unet import RestorerConfig, UNetConfig
from demask.training.tasks.faces_task import FacesTask, Tensors, blanked, num_shown, psnr_each, wide_grid
from demask.training.tasks.inpainting import cut, window_corners
from demask.training.tasks.register import Recipe, Training, register, weights_if_here
from demask.types import ImageU8


@dataclass(frozen=True, kw_only=True, slots=True)
class RestorerTaskConfig:
    """Everything about the restorer's training but how long it lasts."""

    faces: FacesConfig
    lpips_backbone: Path | None = None  # SqueezeNet 1.1 features; needed unless perceptual_weight is 0.
    lpips_linear: Path | None = None
    model: RestorerConfig = field(default_factory=RestorerConfig)
    batch_size: int = 16
    learning_rate: float = 5e-4
    critic_rate: float = 4e-4
    weight_decay: float = 0.01
    pixel_weight: float = 1.0
    coarse_weight: float = 1.0
    perceptual_weight: float = 1.0
    whole_perceptual_weight: float = 0.0  # LPIPS of the whole crop at half the size.
    adversarial_weight: float = 0.06
    matching_weight: float = 0.3
    whole_adversarial_weight: float = 0.0  # A second critic, on the whole crop at half the size;
    whole_matching_weight: float = 0.0  # at 0 both, there is none.
    landmark_weight: float = 0.0  # Distance of the shipped network's landmarks, in eye distances.
    identity_weight: float = 0.0  # One minus the cosine of the embeddings of `identity_network`.
    identity_network: Path | None = None
    critic_from: float = 0.25  # Fraction of the run after which the critic joins.
    window_px: int = 128  # Side of the window about the hole that LPIPS and the critic see.
    validation_faces: int = 64

    def __post_init__(self) -> None:
        if self.window_px % 8 or self.window_px > 256:
            raise ConfigError(f"window_px is {self.window_px} but is a multiple of 8 and at most 256")


class Restored(NamedTuple):
    """A batch, its restoration, and the window about each hole."""

    tensors: Tensors
    prediction: Tensor  # [B, 3, H, W]
    composed: Tensor  # [B, 3, H, W]: the photo outside the hole, the prediction inside
    coarse: Tensor  # [B, 3, h, w]
    fake: Tensor  # [B, 3, window, window]
    real: Tensor  # the same of the face
    hole: Tensor  # [B, 1, window, window]
    whole_fake: Tensor  # [B, 3, H/2, W/2]: all of it, at half the size
    whole_real: Tensor  # the same of the face
    whole_hole: Tensor  # [B, 1, H/2, W/2]


class RestorerTask(FacesTask):
    """See the module."""

    name = "restorer"
    takes_wide = True

    def __init__(self, config: RestorerTaskConfig) -> None:
        super().__init__(config.faces, batch_size=config.batch_size)
        self.config = config
        self.networks = {"network": config.model.build(), "critic": PatchCritic()}
        if config.whole_adversarial_weight or config.whole_matching_weight:
            self.networks["whole_critic"] = PatchCritic()
        rates = {"network": config.learning_rate}
        self.optimizers = {
            name: torch.optim.AdamW(
                network.parameters(),
                rates.get(name, config.critic_rate),
                betas=(0.5, 0.99),
                weight_decay=config.weight_decay,
                fused=True,
            )
            for name, network in self.networks.items()
        }

    @cached_property
    def lpips(self) -> Lpips | None:
        """The perceptual term, where it weighs."""
        config = self.config
        if config.perceptual_weight == 0:
            return None
        if config.lpips_backbone is None or config.lpips_linear is None:
            raise WeightsError(
                "the perceptual loss needs weights that are not here; run `demask weights get "
                "squeeze_backbone lpips_squeeze_linear`, or train without it: --set perceptual_weight=0"
            )
        return Lpips(backbone=config.lpips_backbone, linear=config.lpips_linear)

    @cached_property
    def landmarks(self) -> nn.Module | None:
        """The shipped landmark network, where its term weighs."""
        return shipped_landmarks() if self.config.landmark_weight else None

    @cached_property
    def identity(self) -> FrozenOnnx | None:
        """The embedding network, where its term weighs."""
        config = self.config
        if config.identity_weight == 0:
            return None
        if config.identity_network is None:
            raise WeightsError(
                "the identity loss needs an embedding network; name its .onnx file "
                "(--set identity_network=FILE) or train without (--set identity_weight=0)"
            )
        return FrozenOnnx(config.identity_network)

    def helpers(self) -> list[nn.Module]:
        """LPIPS, the landmark and the embedding network, where they are losses."""
        return [helper for helper in (self.lpips, self.landmarks, self.identity) if helper]

    def plan(self, progress: float, *, step: int) -> tuple[str, ...]:
        """The restorer alone at first, then the critics before it."""
        return tuple(reversed(self.networks)) if progress >= self.config.critic_from else ("network",)

    def draw(self, batch: Batch, *, progress: float) -> Restored:
        """Fill the holes; cut the window about each, as a user would see it."""
        tensors = Tensors.of(batch, self.device)
        restoration = self.live["network"](tensors.masked, tensors.hole)
        prediction = restoration.prediction.float()
        composed = torch.where(tensors.hole * tensors.valid > 0.5, prediction, tensors.face)
        corners = window_corners(tensors.hole, self.config.window_px)
        fake, real, hole = (
            cut(x, corners, self.config.window_px) for x in (composed, tensors.face, tensors.hole)
        )
        whole = tensors._replace(masked=composed).resized(composed.shape[-1] // 2)
        return Restored(
            tensors=tensors, prediction=prediction, composed=composed, coarse=restoration.coarse.float(),
            fake=fake, real=real, hole=hole,
            whole_fake=whole.masked, whole_real=whole.face, whole_hole=whole.hole,
        )  # fmt: skip

    def losses(self, of: str, batch: Batch, drawn: Restored, *, progress: float) -> Losses:
        """A critic's hinge loss, or everything the restorer learns from."""
        if of != "network":
            critic, (fake, real, at) = self.live[of], _shown_to(of, drawn)
            of_real, of_fake = critic(real, at), critic(fake.detach(), at)
            return Losses({of: critic_hinge(of_real.logits, of_fake.logits).float()}, {of: 1.0})
        config = self.config
        _, face, hole, valid = drawn.tensors
        terms = {
            "pixel": hole_weighted_l1(drawn.prediction, face, hole, valid),
            "coarse": coarse_l1(drawn.coarse, face, hole, valid),
        }
        weights = {"pixel": config.pixel_weight, "coarse": config.coarse_weight}
        with self.fabric.autocast():
            if self.lpips:
                terms["perceptual"] = self.lpips(drawn.fake, drawn.real)
                weights["perceptual"] = config.perceptual_weight
            if self.landmarks:
                terms["landmark"] = landmark_distance(self.landmarks, drawn.composed, face)
                weights["landmark"] = config.landmark_weight
            if self.identity:
                terms["identity"] = identity_distance(self.identity, drawn.composed, face)
                weights["identity"] = config.identity_weight
            if self.lpips and config.whole_perceptual_weight:
                terms["whole_perceptual"] = self.lpips(drawn.whole_fake, drawn.whole_real)
                weights["whole_perceptual"] = config.whole_perceptual_weight
            if progress >= config.critic_from:
                self._judged(drawn, terms, weights)
        return Losses(terms, weights)

    def _judged(self, drawn: Restored, terms: dict[str, Tensor], weights: dict[str, float]) -> None:
        """Add what the critics say of the drawing."""
        config = self.config
        of_each = {
            "critic": ("", config.adversarial_weight, config.matching_weight),
            "whole_critic": ("whole_", config.whole_adversarial_weight, config.whole_matching_weight),
        }
        # In one order always: sums in another one round in another way, and a resumed run would differ.
        for name, (prefix, adversarial, matching) in of_each.items():
            if name not in self.networks:
                continue
            fake, real, at = _shown_to(name, drawn)
            with frozen(self.networks[name]) as critic:
                of_fake = critic(fake, at)
                with torch.no_grad():
                    of_real = critic(real, at)
            terms[f"{prefix}adversarial"] = generator_hinge(of_fake.logits).float()
            terms[f"{prefix}matching"] = feature_matching(of_real.features, of_fake.features).float()
            weights |= {f"{prefix}adversarial": adversarial, f"{prefix}matching": matching}

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """PSNR in the hole (dB) and LPIPS of the whole crop per window; the score is minus LPIPS, else PSNR."""
        figures = self._figures(network, self.val_faces, self.config.validation_faces)
        scores = [figures.pop("score")]
        if self.wide_val_faces:
            wide = self._figures(network, self.wide_val_faces, self.config.validation_faces // 2)
            scores.append(wide.pop("score"))
            figures |= {f"wide_{name}": value for name, value in wide.items()}
        return figures | {"score": sum(scores) / len(scores)}

    def _figures(self, network: nn.Module, faces: CoveredFaces, count: int) -> dict[str, float]:
        lpips, psnrs = [], []
        everything = Tensors.of(fixed_batch(faces, count), self.device)
        for start in range(0, len(everything.face), 16):
            part = Tensors(*(x[start : start + 16] for x in everything))
            composed = self._composed(network, part)
            psnrs.append(psnr_each(composed, part.face, part.hole * part.valid))
            if self.lpips:
                lpips.append(self.lpips(composed, part.face) * len(part.face))
        psnr = float(torch.cat(psnrs).mean())
        if not lpips:
            return {"hole_psnr": psnr, "score": psnr}
        mean_lpips = float(torch.stack(lpips).sum()) / len(everything.face)
        return {"hole_psnr": psnr, "lpips": mean_lpips, "score": -mean_lpips}

    @torch.no_grad()
    def samples(self, network: nn.Module) -> ImageU8:
        """Blanked, restored, truth; in the wide window where training shows it."""
        tensors = Tensors.of(
            fixed_batch(self.wide_val_faces or self.val_faces, num_shown(self.config.validation_faces)),
            self.device,
        )
        restored = self._composed(network, tensors)
        return wide_grid([blanked(tensors.masked, tensors.hole), restored, tensors.face])

    def export(self, network: nn.Module, path: Path) -> None:
        """ONNX: masked and hole uint8 in, restored uint8 out."""
        export_restorer(network, path)

    def _composed(self, network: nn.Module, tensors: Tensors) -> Tensor:
        with self.fabric.autocast():
            prediction = network(tensors.masked, tensors.hole).prediction.float()
        inside = tensors.hole * tensors.valid > 0.5
        return torch.where(inside, prediction.clamp(-1, 1), tensors.face)


def _shown_to(critic: str, drawn: Restored) -> tuple[Tensor, Tensor, Tensor]:
    """What a critic judges: drawn, photographed, and the hole."""
    if critic == "whole_critic":
        return drawn.whole_fake, drawn.whole_real, drawn.whole_hole
    return drawn.fake, drawn.real, drawn.hole


def restorer(data: Path, run: Path, backgrounds: Path | None) -> Recipe:
    """The restorer: almost six hours on two cores."""
    body = UNetConfig(widths=(32, 64, 160, 384), mixer_blocks=5, num_heads=6)
    faces = FacesConfig(
        data=data, textures=backgrounds, turn_fraction=0.3, yaw_deg=25.0, profile_fraction=0.2,
        dress_fraction=0.08, missed_fraction=0.25, wall_fraction=0.1, turned_factor=3.0, wide_fraction=0.34,
    )  # fmt: skip
    task = RestorerTaskConfig(
        faces=faces,
        model=RestorerConfig(body=body),
        lpips_backbone=weights_if_here("squeeze_backbone"),
        lpips_linear=weights_if_here("lpips_squeeze_linear"),
        perceptual_weight=2.0,
        whole_perceptual_weight=1.0,
        whole_adversarial_weight=0.06,
        whole_matching_weight=0.3,
    )
    return Recipe(task=task, trainer=TrainerConfig(run=run, steps=10_800, decay_from=0.6, validate_every=400))


register(
    Training(
        task=RestorerTask,
        config=RestorerTaskConfig,
        recipes={"restorer": restorer},
        does="draws a plausible face into the hole of an aligned crop",
        invents=True,
    )
)
