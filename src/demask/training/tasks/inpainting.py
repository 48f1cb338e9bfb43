"""What DeepFill v1 and v2 share as trainings: a hole is filled in two stages, and judged where it is."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from demask.training.data.faces_config import FacesConfig
from demask.training.data.loading import fixed_batch
from demask.training.engine.task import Batch
from demask.training.export.graphs import export_restorer
from demask.training.losses.pixel import l1
from demask.training.tasks.faces_task import FacesTask, Tensors
from demask.training.tasks.validation_pictures import blanked, psnr_each, wide_grid
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
        tensors = Tensors.of(fixed_batch(self.val_faces, 16), self.device).resized(self.side_px)
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


def _composed(prediction: Tensor, tensors: Tensors) -> Tensor:
    return torch.where(tensors.hole * tensors.valid > 0.5, prediction, tensors.face)
