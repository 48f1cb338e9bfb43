"""Training the restorer: hole-weighted L1, perceptual distance, and a critic that joins late."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from demask.errors import ConfigError, WeightsError
from demask.training import export
from demask.training.device import place
from demask.training.faces import CoveredFaces, FacesConfig, batches, fixed_batch
from demask.training.losses import weighted_total
from demask.training.losses.adversarial import critic_hinge, feature_matching, generator_hinge
from demask.training.losses.perceptual import Lpips
from demask.training.losses.pixel import coarse_l1, hole_weighted_l1
from demask.training.models.critic import PatchCritic
from demask.training.models.ranges import channels_first, to_model_range
from demask.training.models.restorer import RestorerConfig, RestorerNet
from demask.training.pictures import blanked, wide_grid
from demask.training.task import Batch, Task, stop_if_not_finite
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
    adversarial_weight: float = 0.06
    matching_weight: float = 0.3
    critic_from: float = 0.25  # Share of the run after which the critic joins.
    window_px: int = 128  # Side of the window about the hole that LPIPS and the critic see.
    validation_faces: int = 64

    def __post_init__(self) -> None:
        if self.window_px % 8 or self.window_px > 256:
            raise ConfigError(f"window_px is {self.window_px} but is a multiple of 8 and at most 256")


class Tensors(NamedTuple):
    """A batch in model range, channels first."""

    masked: Tensor  # [B, 3, H, W]
    face: Tensor  # [B, 3, H, W]
    hole: Tensor  # [B, 1, H, W]
    valid: Tensor  # [B, 1, H, W]


class RestorerTask(Task):
    """See the module."""

    name = "restorer"

    def __init__(self, config: RestorerTaskConfig, *, device: torch.device | None = None) -> None:
        self.config = config
        self.device = device or torch.device("cpu")
        self.net: RestorerNet = place(config.model.build(), self.device)
        self.network = self.net
        self.critic = place(PatchCritic(), self.device)
        betas, decay = (0.5, 0.99), config.weight_decay
        self.optimizer = torch.optim.AdamW(
            self.net.parameters(), config.learning_rate, betas=betas, weight_decay=decay
        )
        self.critic_optimizer = torch.optim.AdamW(
            self.critic.parameters(), config.critic_rate, betas=betas, weight_decay=decay
        )
        self.lpips = _lpips(config, self.device)
        self.train_faces = CoveredFaces(config.faces, split="train")
        self.val_faces = CoveredFaces(config.faces, split="val")

    def modules(self) -> dict[str, nn.Module]:
        """The restorer and its critic."""
        return {"network": self.network, "critic": self.critic}

    def optimizers(self) -> dict[str, torch.optim.Optimizer]:
        """AdamW for both."""
        return {"network": self.optimizer, "critic": self.critic_optimizer}

    def batches(self, *, start_step: int, num_steps: int) -> Iterator[Batch]:
        """Covered faces of the training split."""
        size = self.config.batch_size
        return batches(self.train_faces, batch_size=size, start_step=start_step, num_steps=num_steps)

    def step(self, batch: Batch, *, progress: float) -> dict[str, Tensor]:
        """Update the critic (once it has joined), then the restorer."""
        config = self.config
        tensors = self._tensors(batch)
        with torch.autocast(self.device.type, torch.bfloat16):
            restoration = self.net(tensors.masked, tensors.hole)
        prediction = restoration.prediction.float()
        terms = {
            "pixel": hole_weighted_l1(prediction, tensors.face, tensors.hole, tensors.valid),
            "coarse": coarse_l1(restoration.coarse.float(), tensors.face, tensors.hole, tensors.valid),
        }
        weights = {"pixel": config.pixel_weight, "coarse": config.coarse_weight}

        # The window about the hole, as a user would see it: the photo outside, the drawing inside.
        composed = torch.where(tensors.hole * tensors.valid > 0.5, prediction, tensors.face)
        corners = window_corners(tensors.hole, config.window_px)
        drawn, real, hole = (cut(x, corners, config.window_px) for x in (composed, tensors.face, tensors.hole))
        if self.lpips:
            with torch.autocast(self.device.type, torch.bfloat16):
                terms["perceptual"] = self.lpips(drawn, real)
            weights["perceptual"] = config.perceptual_weight
        logged = {}
        if progress >= config.critic_from:
            logged["critic"] = self._step_critic(drawn.detach(), real, hole)
            self.critic.requires_grad_(False)
            with torch.autocast(self.device.type, torch.bfloat16):
                of_drawn = self.critic(drawn, hole)
                with torch.no_grad():
                    of_real = self.critic(real, hole)
                terms["adversarial"] = generator_hinge(of_drawn.logits).float()
                terms["matching"] = feature_matching(of_real.features, of_drawn.features).float()
            weights |= {"adversarial": config.adversarial_weight, "matching": config.matching_weight}

        total = weighted_total(terms, weights)
        stop_if_not_finite(**terms)
        self.optimizer.zero_grad()
        total.backward()
        norm = nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        stop_if_not_finite(gradient=norm)
        self.optimizer.step()
        return {name: term.detach() for name, term in terms.items()} | logged | {"gradient": norm}

    def _step_critic(self, drawn: Tensor, real: Tensor, hole: Tensor) -> Tensor:
        self.critic.requires_grad_(True)
        with torch.autocast(self.device.type, torch.bfloat16):
            loss = critic_hinge(self.critic(real, hole).logits, self.critic(drawn, hole).logits).float()
        stop_if_not_finite(critic=loss)
        self.critic_optimizer.zero_grad()
        loss.backward()
        self.critic_optimizer.step()
        return loss.detach()

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """PSNR in the hole (dB), LPIPS of the whole crop; the score is minus the LPIPS, else the PSNR."""
        lpips, psnrs = [], []
        everything = self._tensors(fixed_batch(self.val_faces, self.config.validation_faces))
        for start in range(0, len(everything.face), 16):
            part = Tensors(*(x[start : start + 16] for x in everything))
            composed = self._composed(network, part)
            inside = part.hole * part.valid
            error = ((composed - part.face) * 127.5).square() * inside
            per_picture = error.sum((1, 2, 3)) / (3 * inside.sum((1, 2, 3))).clamp_min(1)
            psnrs.append(10 * torch.log10(255**2 / per_picture.clamp_min(1e-3)))
            if self.lpips:
                lpips.append(self.lpips(composed, part.face) * len(part.face))
        psnr = float(torch.cat(psnrs).mean())
        if not lpips:
            return {"hole_psnr": psnr, "score": psnr}
        mean_lpips = float(torch.stack(lpips).sum()) / len(everything.face)
        return {"hole_psnr": psnr, "lpips": mean_lpips, "score": -mean_lpips}

    @torch.no_grad()
    def samples(self, network: nn.Module) -> ImageU8:
        """Blanked, restored, truth."""
        tensors = self._tensors(fixed_batch(self.val_faces, 16))
        restored = self._composed(network, tensors)
        return wide_grid([blanked(tensors.masked, tensors.hole), restored, tensors.face])

    def export(self, network: nn.Module, path: Path) -> None:
        """ONNX: masked and hole uint8 in, restored uint8 out."""
        export.restorer(network, path)

    def _composed(self, network: nn.Module, tensors: Tensors) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16):
            prediction = network(tensors.masked, tensors.hole).prediction.float()
        inside = tensors.hole * tensors.valid > 0.5
        return torch.where(inside, prediction.clamp(-1, 1), tensors.face)

    def _tensors(self, batch: Mapping[str, Tensor]) -> Tensors:
        device = self.device
        masked, face = (channels_first(to_model_range(batch[key].to(device))) for key in ("masked", "face"))
        hole, valid = (batch[key].to(device).float()[:, None] for key in ("hole", "valid"))
        return Tensors(masked, face, hole, valid)


def _lpips(config: RestorerTaskConfig, device: torch.device) -> Lpips | None:
    if config.perceptual_weight == 0:
        return None
    if config.lpips_backbone is None or config.lpips_linear is None:
        raise WeightsError(
            "the perceptual loss needs the weights 'squeeze_backbone' and 'lpips_squeeze_linear', which are "
            "not here; get them (`demask weights get NAME`) or train without (--set perceptual_weight=0)"
        )
    return place(Lpips(backbone=config.lpips_backbone, linear=config.lpips_linear), device)


def window_corners(hole: Tensor, window_px: int) -> Tensor:
    """Where each picture's window begins: about a random pixel of the hole, inside the picture.

    Args:
        hole: 1 = to be filled, [B, 1, H, W].
        window_px: Side of the window.

    Returns:
        (y, x) of the upper left corner, int64 [B, 2]. Draws from torch's global generator, which the
        trainer seeds at every step.
    """
    H, W = hole.shape[-2:]
    # The heaviest of random marks on hole pixels is a uniform choice among them.
    marks = torch.rand_like(hole) * (hole + 1e-6)
    chosen = marks.flatten(1).argmax(1)
    centre = torch.stack([chosen // W, chosen % W], dim=1)
    limit = torch.tensor([H - window_px, W - window_px], device=hole.device)
    return torch.minimum((centre - window_px // 2).clamp_min(0), limit)


def cut(picture: Tensor, corners: Tensor, window_px: int) -> Tensor:
    """Cut one square window out of each picture: [B, C, H, W] to [B, C, window_px, window_px]."""
    windows = [
        x[:, int(y0) : int(y0) + window_px, int(x0) : int(x0) + window_px]
        for x, (y0, x0) in zip(picture, corners, strict=True)
    ]
    return torch.stack(windows).contiguous(memory_format=torch.channels_last)
