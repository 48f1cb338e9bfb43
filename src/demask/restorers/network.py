"""Networks as restorers, run through onnxruntime: those that fill a hole, and blind translators.

The graphs take and give uint8; ranges, blanking and scaling are their own affair.
"""

from __future__ import annotations

import numpy as np

from demask.errors import ShapeMismatch
from demask.restorers.about import About
from demask.types import Hole, ImageU8
from demask.weights.sessions import Session, require_contract

INPUTS = {"masked": "tensor(uint8)", "hole": "tensor(uint8)"}
OUTPUTS = {"restored": "tensor(uint8)"}


class NetworkRestorer:
    """Fill holes with a network; one session serves all threads.

    Args:
        session: A network that maps `masked` uint8 [N, 256, 256, 3] and `hole` uint8 [N, 256, 256]
            (1 = fill) to `restored` uint8 [N, 256, 256, 3].

    Raises:
        WeightsError: The network has other inputs or outputs.
    """

    def __init__(self, session: Session) -> None:
        require_contract(session, inputs=INPUTS, outputs=OUTPUTS, what="restorer")
        self._session = session

    def __call__(self, masked: ImageU8, hole: Hole) -> ImageU8:
        """Fill one crop: uint8 [256, 256, 3] and bool [256, 256] to uint8 [256, 256, 3]."""
        restored: ImageU8 = self.batch(masked[None], hole[None])[0]
        return restored

    def batch(self, masked: ImageU8, hole: Hole) -> ImageU8:
        """Fill several crops in one run.

        Args:
            masked: Crops, uint8 RGB [N, 256, 256, 3].
            hole: True = to be filled, bool [N, 256, 256].

        Returns:
            The network's drawing of the whole crops, uint8 [N, 256, 256, 3].

        Raises:
            ShapeMismatch: `masked` and `hole` cover different pixels.
        """
        if masked.shape[:3] != hole.shape:
            raise ShapeMismatch(image=masked.shape[1:3], hole=hole.shape[1:])
        # What lies under the hole must not matter; blank it here too, in case a foreign graph does not.
        blanked = np.where(hole[..., None], np.uint8(0), masked)
        feed = {"masked": blanked, "hole": hole.astype(np.uint8)}
        return np.asarray(self._session.run(["restored"], feed)[0], dtype=np.uint8)


class TranslatorRestorer:
    """Translate masked faces to bare ones without being told the hole, as both studies' systems do.

    Args:
        session: A network that maps `masked` uint8 [N, 256, 256, 3] to `restored`, the same shape.

    Raises:
        WeightsError: The network has other inputs or outputs.
    """

    def __init__(self, session: Session) -> None:
        require_contract(session, inputs={"masked": INPUTS["masked"]}, outputs=OUTPUTS, what="translator")
        self._session = session

    def __call__(self, masked: ImageU8, hole: Hole) -> ImageU8:
        """Translate one crop: uint8 [256, 256, 3] to the same; the hole counts only for its shape."""
        restored: ImageU8 = self.batch(masked[None], hole[None])[0]
        return restored

    def batch(self, masked: ImageU8, hole: Hole) -> ImageU8:
        """Translate several crops in one run, uint8 [N, 256, 256, 3], covering and all.

        Raises:
            ShapeMismatch: `masked` and `hole` cover different pixels.
        """
        if masked.shape[:3] != hole.shape:
            raise ShapeMismatch(image=masked.shape[1:3], hole=hole.shape[1:])
        answer = self._session.run(["restored"], {"masked": np.ascontiguousarray(masked)})
        return np.asarray(answer[0], dtype=np.uint8)


def network_restorer(session: Session) -> NetworkRestorer | TranslatorRestorer:
    """The restorer that a network's inputs call for.

    Raises:
        WeightsError: It is neither.
    """
    blind = [node.name for node in session.get_inputs()] == ["masked"]
    return TranslatorRestorer(session) if blind else NetworkRestorer(session)


ABOUT = About(
    name="network",
    version=1,
    what="The shipped network: a U-Net that draws the whole face from the blanked crop and its hole.",
    paper="no paper; demask's own, described in docs/model-card.md",
)
