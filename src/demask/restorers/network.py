"""Networks as restorers, run through onnxruntime: those that fill a hole, and blind translators.

The graphs take and give uint8; ranges, blanking and scaling are their own affair.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from demask.errors import ShapeMismatch, WeightsError
from demask.geometry import FRAME_PX
from demask.restorers.about import About
from demask.types import AnyArray, Hole, ImageU8
from demask.weights.sessions import Session, require_contract, require_shapes, windows_of

MASKED, HOLE, RESTORED = "masked", "hole", "restored"
_UINT8 = "tensor(uint8)"
_CROPS = (None, FRAME_PX, FRAME_PX, 3)


class _Network(ABC):
    """What both kinds share: the contract, checked on opening, and the run.

    Attributes:
        windows: Which windows' crops the network takes: where it leaves their size open, the wide one's too.
    """

    def __init__(self, session: Session, *, inputs: tuple[str, ...], what: str) -> None:
        require_contract(session, inputs=dict.fromkeys(inputs, _UINT8), outputs={RESTORED: _UINT8}, what=what)
        shapes = {MASKED: _CROPS, HOLE: _CROPS[:3], RESTORED: _CROPS}
        require_shapes(session, shapes, what=what)
        self._session = session
        self.windows = windows_of(session)
        counts = {node.shape[0] for node in session.get_inputs() if isinstance((node.shape or [""])[0], int)}
        if counts - {1}:
            raise WeightsError(
                f"the network is not a {what} for this program: it takes {sorted(counts)} crops at a time, "
                "needed is any number, or 1"
            )
        self._one_by_one = bool(counts)

    def __call__(self, masked: ImageU8, hole: Hole) -> ImageU8:
        """Restore one crop: uint8 [S, S, 3] and bool [S, S] to uint8 [S, S, 3]."""
        restored: ImageU8 = self.batch(masked[None], hole[None])[0]
        return restored

    def batch(self, masked: ImageU8, hole: Hole) -> ImageU8:
        """Restore several crops, in one run where the network can.

        Args:
            masked: Crops of one window, uint8 RGB [N, S, S, 3].
            hole: True = to be filled, bool [N, S, S].

        Returns:
            The network's drawing of the whole crops, uint8 [N, S, S, 3].

        Raises:
            ShapeMismatch: `masked` and `hole` cover different pixels.
            WeightsError: The network fails, or gives something of another size.
        """
        if masked.shape[:3] != hole.shape:
            raise ShapeMismatch(image=masked.shape[1:3], hole=hole.shape[1:])
        feed = self._feed(masked, hole)
        if not self._one_by_one:
            return self._run(feed)
        alone = ({name: array[i : i + 1] for name, array in feed.items()} for i in range(len(masked)))
        return np.concatenate([self._run(one) for one in alone])

    @abstractmethod
    def _feed(self, masked: ImageU8, hole: Hole) -> dict[str, AnyArray]:
        """The network's inputs by name."""

    def _run(self, feed: dict[str, AnyArray]) -> ImageU8:
        try:
            restored = np.asarray(self._session.run([RESTORED], feed)[0])
        except Exception as error:  # The runtime raises a dozen classes of its own, with no common base.
            raise WeightsError(f"the network cannot be run: {str(error).strip().splitlines()[0]}") from error
        if restored.shape != feed[MASKED].shape:
            raise WeightsError(
                f"the network makes {restored.shape} of {feed[MASKED].shape}, needed is the same size"
            )
        return restored


class NetworkRestorer(_Network):
    """Fill holes with a network; one session serves all threads.

    Args:
        session: A network that maps `masked` uint8 [N, S, S, 3] and `hole` uint8 [N, S, S] (1 = fill) to
            `restored` uint8 [N, S, S, 3]; N any, or 1; S 256, or any: then the wide window's crops come too.

    Raises:
        WeightsError: The network has other inputs or outputs, or other sizes.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session, inputs=(MASKED, HOLE), what="restorer")

    def _feed(self, masked: ImageU8, hole: Hole) -> dict[str, AnyArray]:
        # What lies under the hole must not matter; blank it here too, in case a foreign graph does not.
        blanked = np.where(hole[..., None], np.uint8(0), masked)
        return {MASKED: blanked, HOLE: hole.astype(np.uint8)}


class TranslatorRestorer(_Network):
    """Translate masked faces to bare ones without being told the hole, as both studies' systems do.

    Args:
        session: A network that maps `masked` uint8 [N, 256, 256, 3] to `restored`, the same shape; N any, or 1.

    Raises:
        WeightsError: The network has other inputs or outputs, or other sizes.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session, inputs=(MASKED,), what="translator")

    def _feed(self, masked: ImageU8, hole: Hole) -> dict[str, AnyArray]:
        return {MASKED: np.ascontiguousarray(masked)}


def network_restorer(session: Session) -> NetworkRestorer | TranslatorRestorer:
    """The restorer that a network's inputs call for.

    Raises:
        WeightsError: It is neither.
    """
    blind = [node.name for node in session.get_inputs()] == [MASKED]
    return TranslatorRestorer(session) if blind else NetworkRestorer(session)


ABOUT = About(
    name="network",
    version=1,
    what="The shipped network: a U-Net that draws the whole face from the blanked crop and its hole.",
    licence="research and personal use, as part of its training photographs: docs/model-card.md",
    invents=True,
    windows=("tight", "wide"),
    paper="no paper; demask's own, described in docs/model-card.md",
)
