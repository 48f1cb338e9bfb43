"""Training the face finder: scenes in, score, boxes and points out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from demask.errors import ConfigError
from demask.rng import rng_for
from demask.training.data.finder_pictures import backgrounds_of, portraits_of
from demask.training.data.loading import numbered_batches
from demask.training.data.portraits import FaceBank
from demask.training.data.scene_labels import UNDECIDED, Scene, assign
from demask.training.data.scenes import Composer, ScenesConfig
from demask.training.engine.task import Batch, Losses, Share, Task
from demask.training.engine.trainer_config import TrainerConfig
from demask.training.export.graphs import export_finder
from demask.training.losses.finding import box_overlap, point_error, quality_focal
from demask.training.models.finder_net import FinderNet, FinderNetConfig, cells, decode
from demask.training.models.ranges import channels_first, to_model_range
from demask.training.tasks.finder_score import Finding, figures, sample_grid
from demask.training.tasks.register import Recipe, Training, register, weights_if_here
from demask.types import ImageU8


@dataclass(frozen=True, kw_only=True, slots=True)
class FinderConfig:
    """Everything one can choose about training the finder."""

    data: Path  # Folder of shards, from `demask dataset build`.
    backgrounds: Path | None = None  # Folder of photographs without faces.
    # Text file of the names in that folder that hold people after all; without it the teacher tells.
    backgrounds_without: Path | None = None
    teacher: Path | None = None  # YuNet, which labels pictures of people; without it they are left out.
    network: FinderNetConfig = field(default_factory=FinderNetConfig)
    scenes: ScenesConfig = field(default_factory=ScenesConfig)
    seed: int = 0
    batch_size: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 1e-3
    score_weight: float = 1.0
    box_weight: float = 2.0
    points_weight: float = 3.0
    soft_sources: tuple[str, ...] = ("utkface",)  # Tight, soft chips:
    soft_weight: float = 0.4  # how often they are shown next to the others.
    variants: int = 2  # Coverings drawn per photograph.
    turn_fraction: float = 0.35  # Fraction of the drawn views whose head is turned further,
    dress_fraction: float = 0.35  # and of those with a cap, a hood, sunglasses.
    val_scenes: int = 192
    workers: int = 2

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.val_scenes < 1:
            raise ConfigError(
                f"batch_size is {self.batch_size} and val_scenes {self.val_scenes}; both must be at least 1"
            )


class FinderTask(Task):
    """The finder's training, as the trainer sees it."""

    name: ClassVar[str] = "finder"

    clip_norm = 10.0

    def __init__(self, config: FinderConfig) -> None:
        self.config = config
        self.batch_size = config.batch_size
        self.networks = {"network": config.network.build()}
        # Norms and biases are not decayed: that would only fight the batch norms.
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        others = [p for p in self.network.parameters() if p.ndim <= 1]
        groups = [
            {"params": decayed, "weight_decay": config.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        self.optimizers = {"network": torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)}
        self._composers: dict[str, Composer] = {}
        self._val_scenes: list[Scene] = []

    def prepare(self) -> None:
        """Load both splits: a data set that lacks one is told before the first step."""
        for split in ("train", "val"):
            self.composer(split)

    def composer(self, split: str) -> Composer:
        """What makes the scenes of a split; loads its photographs into memory when first asked.

        Raises:
            DatasetError: The folder holds no face of this split.
        """
        if split not in self._composers:
            config = self.config
            pictures = backgrounds_of(
                config.backgrounds, split, with_people=config.backgrounds_without, teacher=config.teacher
            )
            portraits = portraits_of(
                config.data, split, soft_sources=config.soft_sources, soft_weight=config.soft_weight
            )
            bank = FaceBank(
                portraits, seed=config.seed, variants=config.variants, patches=pictures.empty,
                turn_fraction=config.turn_fraction, dress_fraction=config.dress_fraction,
            )  # fmt: skip
            self._composers[split] = Composer(bank, pictures.empty, config.scenes, people=pictures.people)
        return self._composers[split]

    def batches(self, *, start_step: int, num_steps: int, share: Share) -> Iterator[Batch]:
        """Batches of scenes and what every cell should say of them, made in worker processes."""
        config = self.config
        return numbered_batches(
            _Scenes(self.composer("train"), config.seed),
            numbers=share.numbers(batch_size=self.batch_size, start_step=start_step, num_steps=num_steps),
            batch_size=self.batch_size // share.of,
            workers=config.workers,
        )

    def draw(self, batch: Batch, *, progress: float) -> Tensor:
        """The network's channels, [B, N, 15]."""
        pictures = to_model_range(channels_first(batch["photo"]))
        raw: Tensor = self.live["network"](pictures.contiguous(memory_format=torch.channels_last))
        return raw

    def losses(self, of: str, batch: Batch, drawn: Tensor, *, progress: float) -> Losses:
        """Is there a face, how well does its box fit, where are its points."""
        config, photo = self.config, batch["photo"]
        places = cells(photo.shape[1], photo.shape[2], device=self.device)
        weights = {"score": config.score_weight, "box": config.box_weight, "points": config.points_weight}
        return Losses(loss_terms(drawn, batch["face"], batch["boxes"], batch["points"], places), weights)

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Average precision (the score), recall by size and covering, false faces, error of the points."""
        scenes = self._validation()
        return figures(scenes, self._find(network, scenes))

    def samples(self, network: nn.Module) -> ImageU8:
        """Twelve validation scenes with what was found (green) and what was missed (red)."""
        scenes = self._validation()[:12]
        return sample_grid(scenes, self._find(network, scenes))

    def export(self, network: nn.Module, path: Path) -> None:
        """Write the network as ONNX and check it against torch."""
        assert isinstance(network, FinderNet)
        export_finder(network, path)

    def _validation(self) -> list[Scene]:
        if not self._val_scenes:
            composer, seed = self.composer("val"), self.config.seed
            self._val_scenes = [
                composer(rng_for(seed, "finder validation", str(number)))
                for number in range(self.config.val_scenes)
            ]
        return self._val_scenes

    @torch.no_grad()
    def _find(self, network: nn.Module, scenes: list[Scene]) -> list[Finding]:
        was_training = network.training
        network.eval()
        device = self.device
        found = []
        for start in range(0, len(scenes), 16):
            photo = torch.from_numpy(np.stack([scene.photo for scene in scenes[start : start + 16]])).to(device)
            raw = network(to_model_range(channels_first(photo)).contiguous(memory_format=torch.channels_last))
            answer = decode(raw, cells(photo.shape[1], photo.shape[2], device=device))
            found += [Finding.of(*(part[row].cpu().numpy() for part in answer)) for row in range(len(photo))]
        network.train(was_training)
        return found


def loss_terms(raw: Tensor, face: Tensor, boxes: Tensor, points: Tensor, cells_N3: Tensor) -> dict[str, Tensor]:
    """The three terms, unweighted.

    Args:
        raw: The network's channels, [B, N, 15].
        face: Which face each cell answers for, or NEGATIVE or UNDECIDED, int64 [B, N].
        boxes: Of that face, [B, N, 4].
        points: Of that face, [B, N, 5, 2].
        cells_N3: From `demask.training.models.finder_net.cells`.

    Returns:
        `score`, `box` and `points`, scalars >= 0.
    """
    raw = raw.float()
    positive = face >= 0
    found = decode(raw, cells_N3)
    num_positive = positive.sum().clamp(min=1)
    iou, giou = box_overlap(found.boxes[positive], boxes[positive])
    quality = torch.zeros_like(raw[..., 0])
    # A cell with a face is worth at least 0.5, a cell that fits it well more: so the best one wins.
    quality[positive] = 0.5 + 0.5 * iou.detach()
    decided = face != UNDECIDED
    truth = boxes[positive]
    size = (truth[:, 2:] - truth[:, :2]).prod(dim=1).sqrt()
    # Without a face in the batch the means would be undefined; the sums are zero then.
    return {
        "score": quality_focal(raw[..., 0][decided], quality[decided]) / num_positive,
        "box": (1 - giou).sum() / num_positive,
        "points": point_error(found.points[positive], points[positive], size)
        if size.numel()
        else raw.sum() * 0,
    }


class _Scenes(Dataset[dict[str, Any]]):
    """Scene number i with its targets; a function of (seed, i) alone."""

    def __init__(self, composer: Composer, seed: int) -> None:
        self.composer, self.seed = composer, seed

    def __getitem__(self, number: int) -> dict[str, Any]:
        scene = self.composer(rng_for(self.seed, "finder scene", str(number)))
        height, width = scene.photo.shape[:2]
        targets = assign(scene.boxes, scene.points, scene.ignored, height=height, width=width)
        return {"photo": scene.photo, "face": targets.face, "boxes": targets.boxes, "points": targets.points}


def finder(data: Path, run: Path, backgrounds: Path | None) -> Recipe:
    """The face finder: about 50 minutes on two cores."""
    task = FinderConfig(data=data, backgrounds=backgrounds, teacher=weights_if_here("yunet"))
    return Recipe(task=task, trainer=TrainerConfig(run=run, steps=5000, decay_from=0.3))


register(
    Training(
        task=FinderTask,
        config=FinderConfig,
        recipes={"finder": finder},
        does="finds faces, bare or covered, and five points of each in a whole photograph",
    )
)
