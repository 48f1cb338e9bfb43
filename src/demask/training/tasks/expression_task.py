"""Training the expression network: which of seven expressions a face shows, bare or half covered.

There are few labelled photographs, and our landmark network has looked at many. So its body stays as it is, its
answers to every face and a few variations of each are computed once, and only what reads them is trained.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from demask.dataset.expression_labels import EXPRESSIONS
from demask.errors import ConfigError
from demask.rng import rng_for
from demask.training.data.expression_faces import ExpressionFace, covered_below, expression_faces, varied
from demask.training.engine.start import begin_with
from demask.training.engine.task import Batch, Losses, Share, Task
from demask.training.engine.trainer_config import TrainerConfig
from demask.training.export.graphs import export_expression, export_landmarks
from demask.training.models.expression_net import ExpressionHead, ExpressionNet
from demask.training.models.landmark_net import LandmarksConfig
from demask.training.models.ranges import channels_first, to_model_range
from demask.training.tasks.faces_task import wide_grid
from demask.training.tasks.register import Recipe, Training, register
from demask.types import ImageU8
from demask.weights import registry

log = logging.getLogger(__name__)

_AT_ONCE = 32  # Crops that the body looks at together.


@dataclass(frozen=True, kw_only=True, slots=True)
class ExpressionTaskConfig:
    """Everything about the training but how long it lasts."""

    data: Path  # Shards whose set has the label `expression`.
    sources: tuple[str, ...] = ()  # Only these; empty = all that have labels.
    body: LandmarksConfig = field(default_factory=LandmarksConfig)  # As the landmark network's.
    landmarks: Path | None = None  # The landmark network to begin with; None = the shipped one.
    variants: int = 8  # Of each face, besides itself.
    covered_fraction: float = 0.25  # Of these, with a plain covering: then eyes and brows are what is left.
    dropout: float = 0.5
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.1  # Szegedy et al. 2016 (arXiv:1512.00567, sec. 7).
    seed: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.covered_fraction <= 1 and 0 <= self.label_smoothing < 1 and self.variants >= 0):
            raise ConfigError(
                f"covered_fraction is {self.covered_fraction}, label_smoothing {self.label_smoothing} and "
                f"variants {self.variants}; the first two are fractions, the last is 0 or more"
            )


class Known(NamedTuple):
    """What the body says of faces, and what they show."""

    places: Tensor  # float16 [N, C, 8, 8]
    labels: Tensor  # int64 [N]
    identities: list[str]


class ExpressionTask(Task):
    """See the module."""

    name = "expression"

    def __init__(self, config: ExpressionTaskConfig) -> None:
        self.config, self.batch_size = config, config.batch_size
        landmarks = config.body.build()
        begin_with(landmarks, config.landmarks or registry.find("landmarks"), export=export_landmarks)
        self.body = landmarks.body.eval().requires_grad_(False)
        self.networks = {"network": ExpressionHead(landmarks, dropout=config.dropout)}
        self.optimizers = {
            "network": torch.optim.AdamW(
                self.network.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True
            )
        }

    @cached_property
    def train_known(self) -> Known:
        """The faces to learn from, and their variants."""
        faces = expression_faces(self.config.data, split="train", sources=self.config.sources)
        copies, crops = [face for face in faces for _ in range(1 + self.config.variants)], []
        for face in faces:
            crops.append(face.crop)
            for number in range(self.config.variants):
                rng = rng_for(self.config.seed, f"expression {number}", face.face_id)
                crop = varied(face.crop, rng)
                crops.append(covered_below(crop, rng) if rng.random() < self.config.covered_fraction else crop)
        return self._known(copies, crops)

    @cached_property
    def val_faces(self) -> list[ExpressionFace]:
        """Other people's faces."""
        return expression_faces(self.config.data, split="val", sources=self.config.sources)

    @cached_property
    def val_known(self) -> Known:
        """The same as the body sees them."""
        return self._known(self.val_faces, [face.crop for face in self.val_faces])

    def prepare(self) -> None:
        """Look at all faces, once."""
        known = self.train_known
        log.info("%d faces of %d people and their variants", len(known.labels), len(set(known.identities)))
        _ = self.val_known

    def batches(self, *, start_step: int, num_steps: int, share: Share) -> Iterator[Batch]:
        """Faces drawn by number: every expression, then every person who shows it, equally often."""
        known = self.train_known
        people: list[dict[str, list[int]]] = [defaultdict(list) for _ in EXPRESSIONS]
        for i, (label, identity) in enumerate(zip(known.labels.tolist(), known.identities, strict=True)):
            people[label][identity].append(i)
        shown = [list(by_person.values()) for by_person in people if by_person]
        numbers = share.numbers(batch_size=self.batch_size, start_step=start_step, num_steps=num_steps)
        size = self.batch_size // share.of
        for start in range(0, len(numbers) - size + 1, size):
            drawn = [
                _drawn(shown, rng_for(self.config.seed, "expression", str(n)))
                for n in numbers[start : start + size]
            ]
            yield {"places": known.places[drawn].float(), "label": known.labels[drawn]}

    def draw(self, batch: Batch, *, progress: float) -> Tensor:
        """The scores of a batch, [B, 7]."""
        scores: Tensor = self.live["network"](batch["places"])
        return scores

    def losses(self, of: str, batch: Batch, drawn: Tensor, *, progress: float) -> Losses:
        """Cross-entropy."""
        entropy = F.cross_entropy(drawn, batch["label"], label_smoothing=self.config.label_smoothing)
        return Losses({"entropy": entropy}, {"entropy": 1.0})

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """Accuracy on bare faces of other people, and the cross-entropy that chooses."""
        known = self.val_known
        scores = network(known.places.float().to(self.device)).cpu()
        entropy = float(F.cross_entropy(scores, known.labels))
        accuracy = float((scores.argmax(1) == known.labels).float().mean())
        return {"accuracy": accuracy, "entropy": entropy, "score": -entropy}

    @torch.no_grad()
    def samples(self, network: nn.Module) -> ImageU8:
        """Faces with what the network says of them: green where it is right, red where not."""
        known, drawn = self.val_known, []
        named = network(known.places[:16].float().to(self.device)).argmax(1).tolist()
        for face, said in zip(self.val_faces, named, strict=False):
            colour = (0, 160, 0) if said == face.label else (220, 0, 0)
            picture = cv2.putText(face.crop.copy(), EXPRESSIONS[said], (6, 248), 0, 0.9, colour, 2)
            drawn.append(np.asarray(picture, np.uint8))
        return wide_grid([channels_first(to_model_range(torch.from_numpy(np.stack(drawn))))])

    def export(self, network: nn.Module, path: Path) -> None:
        """ONNX: crops uint8 in, scores float out."""
        export_expression(ExpressionNet(self.body, network), path)

    @torch.no_grad()
    def _known(self, faces: Sequence[ExpressionFace], crops: Sequence[ImageU8]) -> Known:
        whole = ExpressionNet(self.body, self.network)
        parts = []
        for start in range(0, len(crops), _AT_ONCE):
            pictures = torch.from_numpy(np.stack(crops[start : start + _AT_ONCE]))
            parts.append(whole.places(channels_first(to_model_range(pictures))).half())
        labels = torch.tensor([face.label for face in faces])
        return Known(torch.cat(parts), labels, [face.identity for face in faces])


def _drawn(shown: Sequence[Sequence[Sequence[int]]], rng: np.random.Generator) -> int:
    people = shown[int(rng.integers(len(shown)))]
    photos = people[int(rng.integers(len(people)))]
    return photos[int(rng.integers(len(photos)))]


def expression(data: Path, run: Path, backgrounds: Path | None) -> Recipe:
    """The expression network: a few minutes on one core."""
    trainer = TrainerConfig(
        run=run, steps=1500, warmup_steps=50, decay_from=0.3, final_rate=0.01, ema_decay=0.99,
        validate_every=250,
    )  # fmt: skip
    return Recipe(task=ExpressionTaskConfig(data=data), trainer=trainer)


register(
    Training(
        task=ExpressionTask,
        config=ExpressionTaskConfig,
        recipes={"expression": expression},
        does="says which of seven expressions the face of an aligned crop shows",
    )
)
