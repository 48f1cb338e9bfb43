"""Training the landmark network: FaceMesh's points on faces bare, turned, dressed and covered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from demask.errors import ConfigError
from demask.training.data.loading import fixed_batch
from demask.training.data.varied_faces import FacesConfig
from demask.training.engine.task import Batch, Losses
from demask.training.engine.trainer_config import TrainerConfig
from demask.training.export.graphs import export_landmarks
from demask.training.losses.finding import point_distance, shape_error
from demask.training.models.landmark_net import LandmarksConfig
from demask.training.models.ranges import channels_first, to_model_range
from demask.training.tasks.faces_task import FacesTask, num_shown, wide_grid
from demask.training.tasks.register import Recipe, Training, register
from demask.types import ImageU8


@dataclass(frozen=True, kw_only=True, slots=True)
class LandmarksTaskConfig:
    """Everything about the landmark network's training but how long it lasts."""

    faces: FacesConfig
    model: LandmarksConfig = field(default_factory=LandmarksConfig)
    batch_size: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    validation_faces: int = 256

    def __post_init__(self) -> None:
        if self.faces.flip_fraction:
            raise ConfigError(
                f"faces.flip_fraction is {self.faces.flip_fraction}; "
                "landmarks have a left and a right, so it must be 0"
            )


class Placed(NamedTuple):
    """What the network says of a batch, and the teacher."""

    points: Tensor  # [B, 468, 3]
    wanted: Tensor  # [B, 468, 3]


class LandmarksTask(FacesTask):
    """See the module."""

    name = "landmarks"

    def __init__(self, config: LandmarksTaskConfig) -> None:
        super().__init__(config.faces, batch_size=config.batch_size)
        self.config = config
        self.networks = {"network": config.model.build()}
        self.optimizers = {
            "network": torch.optim.AdamW(
                self.network.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True
            )
        }

    def draw(self, batch: Batch, *, progress: float) -> Placed:
        """The network's points beside the teacher's."""
        return Placed(self.live["network"](_pictures(batch)), batch["landmarks"])

    def losses(self, of: str, batch: Batch, drawn: Placed, *, progress: float) -> Losses:
        """Distance to the teacher's points."""
        return Losses({"shape": shape_error(drawn.points, drawn.wanted)}, {"shape": 1.0})

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Mean distance in per cent of the distance between the eyes, over bare and covered faces apart."""
        batch = fixed_batch(self.val_faces, self.config.validation_faces)
        points, wanted = self._points(network, batch), batch["landmarks"].to(self.device)
        covered = (batch["hole"] > 0).flatten(1).any(1).to(self.device)
        figures = {"error_percent": 100 * float(point_distance(points, wanted))}
        for name, chosen in (("bare_percent", ~covered), ("covered_percent", covered)):
            if chosen.any():
                figures[name] = 100 * float(point_distance(points[chosen], wanted[chosen]))
        return figures | {"score": -figures["error_percent"]}

    @torch.no_grad()
    def samples(self, network: nn.Module) -> ImageU8:
        """Faces with the teacher's points in green and the network's in red."""
        batch = fixed_batch(self.val_faces, num_shown(self.config.validation_faces))
        ours, theirs = self._points(network, batch).cpu().numpy(), batch["landmarks"].numpy()
        drawn = batch["masked"].numpy().copy()
        for picture, mine, wanted in zip(drawn, ours, theirs, strict=True):
            for points, colour in ((wanted, (0, 255, 0)), (mine, (255, 0, 0))):
                for x, y in np.round(points[::3, :2]).astype(int):
                    cv2.circle(picture, (int(x), int(y)), 1, colour, -1)
        return wide_grid([channels_first(to_model_range(torch.from_numpy(drawn)))])

    def export(self, network: nn.Module, path: Path) -> None:
        """ONNX: crop uint8 in, points float out."""
        export_landmarks(network, path)

    def _points(self, network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        pictures = _pictures({"masked": batch["masked"].to(self.device)})
        with self.fabric.autocast():
            return torch.cat([network(part) for part in pictures.split(64)])


def _pictures(batch: Mapping[str, Tensor]) -> Tensor:
    return channels_first(to_model_range(batch["masked"]))


def landmarks(data: Path, run: Path, backgrounds: Path | None) -> Recipe:
    """The landmark network: about 15 minutes on two cores."""
    faces = FacesConfig(
        data=data, textures=backgrounds, bare_fraction=0.8, flip_fraction=0.0, widen_px=(0, 0),
        shift_px=6.0, rotation_deg=5.0, scale=0.07, turn_fraction=0.35, dress_fraction=0.1,
    )  # fmt: skip
    trainer = TrainerConfig(run=run, steps=2500, decay_from=0.3, ema_decay=0.995)
    return Recipe(task=LandmarksTaskConfig(faces=faces), trainer=trainer)


register(
    Training(
        task=LandmarksTask,
        config=LandmarksTaskConfig,
        recipes={"landmarks": landmarks},
        does="places 468 points on the face of an aligned crop",
    )
)
