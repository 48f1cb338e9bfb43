"""Which expression a face shows, by our own small network: whether restoring keeps it, and what it invents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from demask.dataset.expression_labels import EXPRESSIONS
from demask.errors import InputError, WeightsError
from demask.geometry import FRAME_PX, crop_to_frame, to_frame
from demask.types import Floats32, ImageU8, Points
from demask.weights.sessions import Session


class ExpressionKept:
    """Names the expression of faces; as a figure, whether two pictures are named alike.

    How often it is right on bare faces stands in docs/measured/expression.md.

    Args:
        session: `crops` uint8 [N, 256, 256, 3] to `scores` float32 [N, 7], in the order of `EXPRESSIONS`.

    Raises:
        WeightsError: The network has other inputs or outputs.
    """

    def __init__(self, session: Session) -> None:
        inputs = {node.name: node.type for node in session.get_inputs()}
        output = session.get_outputs()[0]
        if inputs != {"crops": "tensor(uint8)"} or list(output.shape or ())[1:] != [len(EXPRESSIONS)]:
            raise WeightsError(
                f"the network is no expression network: it maps {inputs} to {output.name} {output.shape}; "
                f"needed are crops, tensor(uint8), and {len(EXPRESSIONS)} scores; `demask train expression` "
                "trains one"
            )
        self._session = session

    def scores(self, pictures: Sequence[ImageU8], points: Points) -> Floats32:
        """Scores of each picture, float32 [N, 7], all cut at the same five points.

        Args:
            pictures: uint8 RGB [H, W, 3].
            points: Eyes, nose tip, mouth corners in picture order: float [5, 2].
        """
        if points.shape != (5, 2):
            raise InputError(f"an expression needs five points [5, 2], got {points.shape}")
        matrix = to_frame(points)
        crops = np.stack([crop_to_frame(picture, matrix, size_px=FRAME_PX)[0] for picture in pictures])
        return np.asarray(self._session.run(None, {"crops": crops})[0], np.float32)

    def named(self, pictures: Sequence[ImageU8], points: Points) -> list[str]:
        """The likeliest expression of each."""
        return [EXPRESSIONS[int(best)] for best in self.scores(pictures, points).argmax(axis=1)]

    def __call__(self, picture: ImageU8, truth: ImageU8, points: Points) -> float:
        """1 where both pictures are named alike, else 0."""
        ours, theirs = self.named([picture, truth], points)
        return float(ours == theirs)
