"""ComfyUI nodes: find face masks, remove them (with a hole of one's own), and try several restorers.

A ComfyUI IMAGE is a float tensor [B, H, W, C] in [0, 1], a MASK one [B, H, W]; both are converted here and
nowhere else. The lower face that comes out is invented; it is not the person's.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import demask

Node = dict[str, Any]
_RESTORERS = ("network", "telea", "navier-stokes", "nothing")
_SAYS = "The lower face is invented. It is not the person's. Never use it to identify anyone."


@functools.lru_cache(maxsize=4)
def remover(restorer: str) -> demask.Remover:
    """One remover per restorer, kept for the next run of the graph."""
    return demask.Remover(restorer=restorer)


def photos_of(image: torch.Tensor) -> list[np.ndarray]:
    """Frames uint8 RGB [H, W, 3] of an IMAGE; a fourth channel is left out."""
    values = (image[..., :3].detach().cpu().float() * 255).round().clamp(0, 255).to(torch.uint8).numpy()
    return [np.ascontiguousarray(photo) for photo in values]


def image_of(photos: list[np.ndarray]) -> torch.Tensor:
    """IMAGE of frames of one size."""
    return torch.from_numpy(np.stack(photos).astype(np.float32) / 255)


def mask_of(holes: list[np.ndarray | None], like: list[np.ndarray]) -> torch.Tensor:
    """MASK of holes; None is an empty one."""
    filled = [
        np.zeros(photo.shape[:2], bool) if hole is None else hole
        for hole, photo in zip(holes, like, strict=True)
    ]
    return torch.from_numpy(np.stack(filled).astype(np.float32))


def holes_of(mask: torch.Tensor | None, photos: list[np.ndarray]) -> list[np.ndarray | None]:
    """Holes, bool [H, W], of a MASK; one MASK serves a whole batch, and an empty one means none.

    Raises:
        ValueError: It fits neither the size nor the number of the photos.
    """
    if mask is None:
        return [None] * len(photos)
    maps = (mask.detach().cpu().float() > 0.5).numpy()
    maps = maps[None] if maps.ndim == 2 else maps
    if len(maps) == 1:
        maps = np.repeat(maps, len(photos), axis=0)
    if len(maps) != len(photos) or maps.shape[1:] != photos[0].shape[:2]:
        raise ValueError(
            f"the hole is {maps.shape} but the images are {len(photos)} of {photos[0].shape[:2]}, height first"
        )
    return [one if one.any() else None for one in maps]


class DemaskFind:
    """Where the face masks are: a MASK to correct, and what was found as JSON."""

    CATEGORY, FUNCTION, DESCRIPTION = "demask", "find", "Find face masks; change nothing."
    RETURN_TYPES, RETURN_NAMES = ("MASK", "STRING"), ("hole", "found")

    @classmethod
    def INPUT_TYPES(cls) -> Node:  # noqa: N802 - ComfyUI's name.
        """What the node takes."""
        return {"required": {"image": ("IMAGE",)}}

    def find(self, image: torch.Tensor) -> tuple[torch.Tensor, str]:
        """Run the node."""
        photos = photos_of(image)
        results = [remover("network").find(photo) for photo in photos]
        told = [[face.as_json() for face in result.faces] for result in results]
        return mask_of([result.hole for result in results], photos), json.dumps(told)


class DemaskRemove:
    """The same image without face masks."""

    CATEGORY, FUNCTION, DESCRIPTION = "demask", "remove", f"Remove face masks. {_SAYS}"
    RETURN_TYPES, RETURN_NAMES = ("IMAGE", "MASK", "STRING"), ("image", "changed", "status")

    @classmethod
    def INPUT_TYPES(cls) -> Node:  # noqa: N802 - ComfyUI's name.
        """What the node takes."""
        return {
            "required": {
                "image": ("IMAGE",),
                "restorer": (list(_RESTORERS), {"default": "network"}),
                "faces": ("STRING", {"default": "all", "tooltip": "all, largest, or numbers such as 0,2"}),
            },
            "optional": {"hole": ("MASK",)},
        }

    def remove(
        self, image: torch.Tensor, restorer: str, faces: str, hole: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, str]:
        """Run the node."""
        from demask.faces.choice import faces_from_text

        photos = photos_of(image)
        chosen = faces_from_text(faces, name="faces")
        results = [
            remover(restorer)(photo, faces=chosen, hole=own)
            for photo, own in zip(photos, holes_of(hole, photos), strict=True)
        ]
        # Outside the hole the tensor's own floats stay, not their rounding to 8 bits.
        changed = mask_of([result.hole for result in results], photos)
        drawn = image_of([result.photo for result in results]).to(image.device, image.dtype)
        where = changed.to(image.device)[..., None] > 0.5
        out = image.clone()
        out[..., :3] = torch.where(where, drawn, image[..., :3])
        return out, changed, "\n".join(result.status for result in results)


class DemaskSamples:
    """The first image restored in several ways, as a batch: one restorer each."""

    CATEGORY, FUNCTION, DESCRIPTION = "demask", "samples", f"Several fillings of one image. {_SAYS}"
    RETURN_TYPES, RETURN_NAMES = ("IMAGE", "STRING"), ("images", "names")

    @classmethod
    def INPUT_TYPES(cls) -> Node:  # noqa: N802 - ComfyUI's name.
        """What the node takes."""
        names = ("STRING", {"default": "network,telea", "tooltip": "as `demask restorers` lists them"})
        return {"required": {"image": ("IMAGE",), "restorers": names}, "optional": {"hole": ("MASK",)}}

    def samples(
        self, image: torch.Tensor, restorers: str, hole: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, str]:
        """Run the node; the photo is looked at once."""
        names = [name.strip() for name in restorers.split(",") if name.strip()]
        photo = photos_of(image)[:1]
        own = holes_of(hole, photo)[0]
        looked = remover("network").looker(photo[0], hole=own)
        drawn = [remover(name).restore(photo[0], looked).photo for name in names]
        return image_of(drawn), ",".join(names)


NODE_CLASS_MAPPINGS: dict[str, Callable[[], Any]] = {
    "DemaskFind": DemaskFind,
    "DemaskRemove": DemaskRemove,
    "DemaskSamples": DemaskSamples,
}
NODE_DISPLAY_NAME_MAPPINGS: dict[str, str] = {
    "DemaskFind": "Find face masks (demask)",
    "DemaskRemove": "Remove face masks (demask)",
    "DemaskSamples": "Face mask removal: samples (demask)",
}
__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
