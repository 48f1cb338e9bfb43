"""What the zoo's systems are, and what their authors trained them on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_PIX2PIX = (
    "P. Isola, J.-Y. Zhu, T. Zhou, A. A. Efros, Image-to-Image Translation with Conditional Adversarial "
    "Networks, CVPR 2017"
)
_XIE = "J. Xie, L. Xu, E. Chen, Image Denoising and Inpainting with Deep Neural Networks, NIPS 2012"
_STUDY_B = "300 epochs of 2,331 faces at 256 px"


@dataclass(frozen=True, kw_only=True, slots=True)
class System:
    """One system.

    Attributes:
        recipe: Of `demask train`.
        paper: Whose method it is.
        width: Published: channels of the first layer, or units of the hidden ones.
        budget: Published: what it was trained on, and how long.
        departures: Where every network of it that is kept differs from the paper.
    """

    recipe: str
    paper: str
    width: int
    budget: str
    departures: tuple[str, ...] = ()


def _pix2pix(terms: str, budget: str) -> System:
    return System(recipe=f"pix2pix{terms}", paper=_PIX2PIX, width=64, budget=budget)


SYSTEMS: Mapping[str, System] = {
    "pix2pix": _pix2pix("", "200 epochs of 400 to 3,000 pairs at 256 px, task by task"),
    "pix2pix-pixel": _pix2pix("+pixel", _STUDY_B),
    "pix2pix-landmark": _pix2pix("+landmark", _STUDY_B),
    "pix2pix-pixel-landmark": _pix2pix("+pixel+landmark", _STUDY_B),
    "deepfill-v1": System(
        recipe="deepfill-v1",
        paper="J. Yu et al., Generative Image Inpainting with Contextual Attention, CVPR 2018",
        width=32,
        budget="1,000,000 steps of 16 pictures at 256 px",
    ),
    "deepfill-v2": System(
        recipe="deepfill-v2",
        paper="J. Yu et al., Free-Form Image Inpainting with Gated Convolution, ICCV 2019",
        width=48,
        budget="1,000,000 steps of 16 pictures at 256 px",
    ),
    "denoising-autoencoder": System(
        recipe="denoising-autoencoder",
        paper=_XIE,
        width=5120,
        budget="not at hand",
        departures=("One patch, the face at 32 x 32 px, where the paper has small patches of a picture.",),
    ),
    "denoising-autoencoder-patches": System(
        recipe="denoising-autoencoder-patches", paper=_XIE, width=720, budget="not at hand"
    ),
}
