"""What trainings that fill a hole share: windows about it, and two stages that are judged where it is."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from demask.training.data.loading import fixed_batch
from demask.training.data.varied_faces import FacesConfig
from demask.training.engine.task import Batch
from demask.training.export.graphs import export_restorer
from demask.training.losses.pixel import l1
from demask.training.tasks.faces_task import FacesTask, Tensors, blanked, num_shown, psnr_each, wide_grid
from demask.types import ImageU8

_AT_ONCE = 8


class Inpainted(NamedTuple):
    """A batch and what both stages draw of it."""

    tensors: Tensors
    coarse: Tensor  # [B, 3, H, W]
    prediction: Tensor  # [B, 3, H, W]
    composed: Tensor  # [B, 3, H, W]: the photo outside the hole, the prediction inside


class InpaintingTask(FacesTask):
    """A generator that fills holes (`models.deepfill_net`); who criticises it is each system's own affair.

    Args:
        faces: Which faces, and which holes.
        batch_size: Faces a step.
        side_px: Side of the pictures learnt from; the exported network takes 256 px whatever it is.
        validation_faces: How many to judge by.
    """

    clip_norm = float("inf")  # Neither paper clips.

    def __init__(self, faces: FacesConfig, *, batch_size: int, side_px: int, validation_faces: int) -> None:
        super().__init__(faces, batch_size=batch_size)
        self.side_px, self.validation_faces = side_px, validation_faces

    def draw(self, batch: Batch, *, progress: float) -> Inpainted:
        """Fill the holes."""
        tensors = Tensors.of(batch, self.device).resized(self.side_px)
        filled = self.live["network"](tensors.masked, tensors.hole)
        prediction = filled.prediction.float()
        return Inpainted(tensors, filled.coarse.float(), prediction, _composed(prediction, tensors))

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """L1 of the whole drawing, PSNR in the hole (dB); the latter chooses."""
        network.eval()
        everything = Tensors.of(fixed_batch(self.val_faces, self.validation_faces), self.device)
        everything = everything.resized(self.side_px)
        errors, psnrs = [], []
        for start in range(0, len(everything.face), _AT_ONCE):
            part = Tensors(*(x[start : start + _AT_ONCE] for x in everything))
            prediction = self._predicted(network, part)
            errors += [l1(prediction, part.face, part.valid)] * len(part.face)
            psnrs.append(psnr_each(_composed(prediction, part), part.face, part.hole * part.valid))
        psnr = float(torch.cat(psnrs).mean())
        return {"l1": float(torch.stack(errors).mean()), "hole_psnr": psnr, "score": psnr}

    @torch.no_grad()
    def samples(self, network: nn.Module) -> ImageU8:
        """Blanked, filled, truth."""
        tensors = Tensors.of(
            fixed_batch(self.val_faces, num_shown(self.validation_faces)), self.device
        ).resized(self.side_px)
        filled = _composed(self._predicted(network.eval(), tensors), tensors)
        return wide_grid([blanked(tensors.masked, tensors.hole), filled, tensors.face])

    def export(self, network: nn.Module, path: Path) -> None:
        """ONNX: masked and hole uint8 in, restored uint8 out."""
        export_restorer(network, path)

    def _predicted(self, network: nn.Module, tensors: Tensors) -> Tensor:
        with self.fabric.autocast():
            prediction: Tensor = network(tensors.masked, tensors.hole).prediction
        return prediction.float()


def adam(network: nn.Module, rate: float, betas: tuple[float, float]) -> torch.optim.Optimizer:
    """Adam as both papers use it, without decay of the weights."""
    return torch.optim.Adam(network.parameters(), rate, betas=betas, fused=True)


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
    y, x = (centre - window_px // 2).unbind(1)
    return torch.stack([y.clamp(0, H - window_px), x.clamp(0, W - window_px)], dim=1)


def cut(picture: Tensor, corners: Tensor, window_px: int) -> Tensor:
    """Cut one square window out of each picture, without asking the device where it lies.

    Args:
        picture: [B, C, H, W].
        corners: (y, x) of each window's upper left corner, int64 [B, 2], inside the picture.
        window_px: Side of the windows.

    Returns:
        [B, C, window_px, window_px], channels last.
    """
    B, C, _, W = picture.shape
    along = torch.arange(window_px, device=corners.device)
    rows, columns = (corners[:, axis, None] + along for axis in (0, 1))
    strip = picture.gather(2, rows[:, None, :, None].expand(B, C, window_px, W))
    window = strip.gather(3, columns[:, None, None, :].expand(B, C, window_px, window_px))
    return window.contiguous(memory_format=torch.channels_last)


def middle_corners(hole: Tensor, window_px: int) -> Tensor:
    """Where each picture's window begins: about the middle of the hole's bounds, inside the picture.

    Args:
        hole: 1 = hole, [B, 1, H, W]; a picture without one has its window in the middle.
        window_px: Side of the window, at most H and W.

    Returns:
        (y, x) of the upper left corner, int64 [B, 2].
    """
    along = [_middle(hole[:, 0].amax(axis)) for axis in (2, 1)]
    corners = [
        (middle - window_px // 2).clamp(0, side - window_px)
        for middle, side in zip(along, hole.shape[-2:], strict=True)
    ]
    return torch.stack(corners, dim=1)


def _composed(prediction: Tensor, tensors: Tensors) -> Tensor:
    return torch.where(tensors.hole * tensors.valid > 0.5, prediction, tensors.face)


def _middle(there: Tensor) -> Tensor:
    """The middle between the first and the last cell that is 1, [B] of [B, N]; N // 2 where none is."""
    count = there.shape[1]
    first = there.argmax(1)
    last = count - there.flip(1).argmax(1)
    return torch.where(there.amax(1) > 0, (first + last) // 2, torch.full_like(first, count // 2))
