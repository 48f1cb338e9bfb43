"""The expression network: seven scores of an aligned crop, by the landmark network's body. B batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from demask.dataset.expression_labels import EXPRESSIONS
from demask.geometry import FRAME_PX
from demask.training.models.landmark_net import LandmarkNet


class ExpressionHead(nn.Module):
    """What is trained: from the places of the landmark network's body to scores.

    Args:
        landmarks: Its own last layers, which know where lips and brows are, are what this begins with.
        dropout: Of what the scores are read from.
    """

    def __init__(self, landmarks: LandmarkNet, *, dropout: float) -> None:
        super().__init__()
        self.squeeze, self.hidden = landmarks.squeeze, landmarks.hidden
        self.dropout = nn.Dropout(dropout)
        self.scores = nn.Linear(self.hidden.in_features + self.hidden.out_features, len(EXPRESSIONS))

    def forward(self, places_BCHW: Tensor) -> Tensor:
        """Places [B, C, 8, 8] to scores before the softmax, float32 [B, 7]."""
        squeezed = F.relu(self.squeeze(places_BCHW)).flatten(1)
        seen = torch.cat([squeezed, F.relu(self.hidden(squeezed))], dim=1)
        scores: Tensor = self.scores(self.dropout(seen))
        return scores.float()


class ExpressionNet(nn.Module):
    """Body and head, as they are exported."""

    def __init__(self, body: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.body, self.head = body, head

    def places(self, crop_BCHW: Tensor) -> Tensor:
        """What the body says of crops in [-1, 1], [B, 3, 256, 256]: [B, C, 8, 8]."""
        if crop_BCHW.shape[-2:] != (FRAME_PX, FRAME_PX):
            raise ValueError(f"got crops {tuple(crop_BCHW.shape)}; need [B, 3, {FRAME_PX}, {FRAME_PX}]")
        places: Tensor = self.body(F.avg_pool2d(crop_BCHW, 2))
        return places

    def forward(self, crop_BCHW: Tensor) -> Tensor:
        """Crops in [-1, 1], [B, 3, 256, 256], to scores, float32 [B, 7]."""
        scores: Tensor = self.head(self.places(crop_BCHW))
        return scores
