"""Training the hole segmenter: endless drawn coverings, bare faces, and things that are no covering."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from demask.training.data.covered_crops import CoveredFaces
from demask.training.data.loading import fixed_batch
from demask.training.data.varied_faces import FacesConfig
from demask.training.engine.task import Batch, Losses
from demask.training.engine.trainer_config import TrainerConfig
from demask.training.export.graphs import export_hole
from demask.training.losses.finding import coverage_cross_entropy, soft_jaccard
from demask.training.models.unet import HoleConfig
from demask.training.tasks.faces_task import FacesTask, Tensors, as_grey, num_shown, wide_grid
from demask.training.tasks.register import Recipe, Training, register
from demask.types import ImageU8


@dataclass(frozen=True, kw_only=True, slots=True)
class HoleTaskConfig:
    """Everything about the segmenter's training but how long it lasts."""

    faces: FacesConfig
    model: HoleConfig = field(default_factory=HoleConfig)
    batch_size: int = 16
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    cross_entropy_weight: float = 1.0
    jaccard_weight: float = 0.5
    validation_faces: int = 128


class Segmented(NamedTuple):
    """A batch and what the network says of it."""

    tensors: Tensors
    logits: Tensor  # [B, 1, H, W]


class HoleTask(FacesTask):
    """See the module."""

    name = "hole"
    takes_wide = True

    def __init__(self, config: HoleTaskConfig) -> None:
        super().__init__(config.faces, batch_size=config.batch_size)
        self.config = config
        self.networks = {"network": config.model.build()}
        self.optimizers = {
            "network": torch.optim.AdamW(
                self.network.parameters(),
                config.learning_rate,
                betas=(0.9, 0.99),
                weight_decay=config.weight_decay,
                fused=True,
            )
        }

    def draw(self, batch: Batch, *, progress: float) -> Segmented:
        """Logits of being covered."""
        tensors = Tensors.of(batch, self.device)
        return Segmented(tensors, self.live["network"](tensors.masked).float())

    def losses(self, of: str, batch: Batch, drawn: Segmented, *, progress: float) -> Losses:
        """Cross-entropy and overlap."""
        (_, _, hole, valid), logits = drawn.tensors, drawn.logits
        config = self.config
        return Losses(
            {
                "cross_entropy": coverage_cross_entropy(logits, hole, valid),
                "jaccard": soft_jaccard(logits, hole, valid),
            },
            {"cross_entropy": config.cross_entropy_weight, "jaccard": config.jaccard_weight},
        )

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Mean IoU over covered faces, and the fraction of pixels wrongly covered on bare ones, per window."""
        figures = self._figures(network, self.val_faces, self.config.validation_faces)
        scores = [figures["iou"] - figures.get("false_positive_rate", 0.0)]
        if self.wide_val_faces:
            wide = self._figures(network, self.wide_val_faces, self.config.validation_faces // 2)
            scores.append(wide["iou"] - wide.get("false_positive_rate", 0.0))
            figures |= {f"wide_{name}": value for name, value in wide.items()}
        return figures | {"score": sum(scores) / len(scores)}

    def _figures(self, network: nn.Module, faces: CoveredFaces, count: int) -> dict[str, float]:
        tensors = Tensors.of(fixed_batch(faces, count), self.device)
        found = self._coverage(network, tensors.masked) > 0.5
        wanted = (tensors.hole * tensors.valid) > 0.5
        found = found & (tensors.valid > 0.5)
        both = (found & wanted).sum((1, 2, 3)).float()
        either = (found | wanted).sum((1, 2, 3)).float()
        covered = wanted.sum((1, 2, 3)) > 0
        figures = {"iou": float((both / either.clamp_min(1))[covered].mean())}
        if (~covered).any():
            figures["false_positive_rate"] = float(found[~covered].float().mean())
        return figures

    @torch.no_grad()
    def samples(self, network: nn.Module) -> ImageU8:
        """Crop, found hole, true hole; the wide window where training shows it."""
        tensors = Tensors.of(
            fixed_batch(self.wide_val_faces or self.val_faces, num_shown(self.config.validation_faces)),
            self.device,
        )
        return wide_grid(
            [tensors.masked, as_grey(self._coverage(network, tensors.masked)), as_grey(tensors.hole)]
        )

    def export(self, network: nn.Module, path: Path) -> None:
        """ONNX: crop uint8 in, coverage float out."""
        export_hole(network, path)

    def _coverage(self, network: nn.Module, masked: Tensor) -> Tensor:
        parts = []
        for start in range(0, len(masked), 16):
            with self.fabric.autocast():
                parts.append(torch.sigmoid(network(masked[start : start + 16]).float()))
        return torch.cat(parts)


def hole(data: Path, run: Path, backgrounds: Path | None) -> Recipe:
    """The hole segmenter: about two and a quarter hours on two cores."""
    faces = FacesConfig(
        data=data, textures=backgrounds, bare_fraction=0.22, nothing_fraction=0.05, widen_px=(0, 0),
        shift_px=6.0, scale=0.07, aspect=0.06, turn_fraction=0.25, dress_fraction=0.12, unusual_fraction=0.25,
        turned_factor=3.0, profile_fraction=0.1, wall_fraction=0.08, wide_fraction=0.34,
    )  # fmt: skip
    task = HoleTaskConfig(faces=faces)
    return Recipe(task=task, trainer=TrainerConfig(run=run, steps=14_000, decay_from=0.3, validate_every=1000))


register(
    Training(
        task=HoleTask,
        config=HoleTaskConfig,
        recipes={"hole": hole},
        does="tells which pixels of an aligned crop are covered",
    )
)
