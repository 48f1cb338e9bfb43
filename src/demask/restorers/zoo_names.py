"""What `demask-zoo` adds where it is installed: names and a line each, for those who have not installed it."""

from __future__ import annotations

from collections.abc import Mapping

ZOO: Mapping[str, str] = {
    "pix2pix": "Isola et al. 2017 on faces: a conditional GAN that redraws the whole crop, blind.",
    "pix2pix-pixel": "pix2pix with the mean squared error in the hole besides.",
    "pix2pix-landmark": "pix2pix with the error of the landmarks besides.",
    "pix2pix-pixel-landmark": "pix2pix with both, the whole of the second study's loss.",
    "deepfill-v1": "Yu et al. 2018: coarse to fine, contextual attention, two Wasserstein critics.",
    "deepfill-v2": "Yu et al. 2019: gated convolutions, contextual attention, SN-PatchGAN.",
    "denoising-autoencoder": "Xie et al. 2012 on the whole face, shrunk to 32 x 32 px, blind.",
    "denoising-autoencoder-patches": "Xie et al. 2012 as published, patches of 12 x 12 px, blind.",
}
"""A name that no network is kept for yet says so itself."""
