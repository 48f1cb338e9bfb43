"""Square windows about holes: where they lie, and cutting them out."""

from __future__ import annotations

import torch
from torch import Tensor


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


def _middle(there: Tensor) -> Tensor:
    """The middle between the first and the last cell that is 1, [B] of [B, N]; N // 2 where none is."""
    count = there.shape[1]
    first = there.argmax(1)
    last = count - there.flip(1).argmax(1)
    return torch.where(there.amax(1) > 0, (first + last) // 2, torch.full_like(first, count // 2))
