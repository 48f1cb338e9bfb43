"""The pix2pix generator: a U-Net of eight halvings, 256 px down to one and back. B batch, H x W pixels.

Isola, Zhu, Zhou & Efros 2017 (arXiv:1611.07004v3, sec. 3.2.1 and appendix 6.1.1; weights after 6.2).
Seven halvings fit pictures of 128 px.
Where the text leaves a choice, we take what made the paper's pictures, the authors' own code:

- The appendix lists the decoder as CD512-CD1024-CD1024-C1024-C1024-C512-C256-C128. Those are the channels
  that enter each block, skips included; blocks put out 512-512-512-512-256-128-64 and the picture.
- Every block starts with its activation, so the decoder rectifies the skips too, and the bottleneck meets
  a plain ReLU. Read by the letter (convolution, norm, ReLU), the skips would stay leaky.
- The text says nothing of biases. With a norm only the last convolution has one: elsewhere the norm's
  shift replaces it, and the authors' code sets biases to zero before every step anyway.
- The norm's scale starts from N(1, 0.02); the paper gives N(0, 0.02) for weights alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from demask.errors import ConfigError

NORMS = ("batch", "instance", "none")
WIDENING = (1, 2, 4, 8, 8, 8, 8, 8)  # C64-C128-C256-C512x5 at width 64.
NUM_DROPOUTS = 3  # Decoder blocks with dropout, from the bottleneck up.


@dataclass(frozen=True, kw_only=True, slots=True)
class Unet256Config:
    """The generator as published; 54,413,955 parameters with these defaults.

    Raises:
        ConfigError: An unknown norm, no channels, too few levels, or a dropout outside [0, 1).
    """

    width: int = 64  # Channels of the first encoder block.
    levels: int = 8  # Halvings; 7 for pictures of 128 px, as in the authors' own code.
    norm: str = "batch"  # One of NORMS.
    dropout: float = 0.5  # Fraction of values set to zero in the first three decoder blocks.
    in_channels: int = 3
    out_channels: int = 3
    # The paper runs its generator at test time as in training (sec. 3.3): with dropout, its only noise z,
    # and with the statistics of the test batch. Both make a picture depend on more than itself, so ask:
    # Keep dropout in eval mode; it draws from torch's own generator. Not for export: onnxruntime leaves
    # dropout out, so the file would differ from torch.
    dropout_at_test: bool = False
    batch_statistics_at_test: bool = False  # Batch norm keeps no running averages; eval uses the batch.

    def __post_init__(self) -> None:
        check_norm(self.norm)
        if min(self.width, self.in_channels, self.out_channels) < 1:
            raise ConfigError(
                f"width is {self.width}, in_channels {self.in_channels} and out_channels {self.out_channels}; "
                "each must be at least 1"
            )
        if not NUM_DROPOUTS <= self.levels <= len(WIDENING):
            raise ConfigError(f"levels is {self.levels} but must be from {NUM_DROPOUTS} to {len(WIDENING)}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout is {self.dropout:g} but must be at least 0 and below 1")

    def build(self) -> Unet256:
        """A fresh network, its weights drawn from torch's own generator."""
        return Unet256(self)


class Unet256(nn.Module):
    """Masked face in, whole face out; the module says where each choice comes from.

    Batch norm on a batch of one picture is instance norm (sec. 3.3): each map is normalised by its own
    mean and deviation. In eval mode it takes running averages instead, which fit a network trained on
    such small batches badly; train with `norm="instance"` or set `batch_statistics_at_test`. The 1x1
    bottleneck has no norm, since there a batch of one would come out as zeros (the paper's own erratum).
    """

    def __init__(self, config: Unet256Config) -> None:
        super().__init__()
        self.dropout, self.dropout_at_test = config.dropout, config.dropout_at_test
        widths = [config.width * factor for factor in WIDENING[: config.levels]]
        self.multiple = 2**config.levels
        deepest = len(widths) - 1
        bias = config.norm == "none"
        # Encoder: 256 px to 1. In place, also on the maps kept as skips: the decoder's ReLU makes the same
        # of a map and of its leaky self.
        self.encoders = nn.ModuleList([_down(config.in_channels, widths[0], bias=bias)])
        for depth in range(1, len(widths)):
            self.encoders.append(
                nn.Sequential(
                    nn.LeakyReLU(0.2, inplace=True),
                    _down(widths[depth - 1], widths[depth], bias=bias),
                    _norm(config, widths[depth]) if depth < deepest else nn.Identity(),
                )
            )
        # Decoder: 1 px to 128, each block but the first fed by a skip; then the picture.
        self.decoders = nn.ModuleList()
        for depth in range(deepest, 0, -1):
            arriving = widths[depth] if depth == deepest else 2 * widths[depth]
            self.decoders.append(
                nn.Sequential(
                    nn.ReLU(inplace=True),
                    _up(arriving, widths[depth - 1], bias=bias),
                    _norm(config, widths[depth - 1]),
                )
            )
        self.decoders.append(
            nn.Sequential(nn.ReLU(inplace=True), _up(2 * widths[0], config.out_channels, bias=True))
        )
        self.apply(draw_published_weights)

    def forward(self, masked_BCHW: Tensor) -> Tensor:
        """Draw the whole face, [B, out, H, W] in [-1, 1].

        Args:
            masked_BCHW: The covered picture in [-1, 1], [B, in, H, W]; H = W = 2**levels, or larger
                multiples of it (the bottleneck then has as many cells as the picture has such tiles).

        Raises:
            ValueError: A side that is no multiple of 2**levels.
        """
        height, width = masked_BCHW.shape[-2:]
        if height % self.multiple or width % self.multiple:
            raise ValueError(
                f"the picture is {width}x{height} px but both sides must be multiples of {self.multiple}; "
                "resize or crop it first"
            )
        x = masked_BCHW
        skips = []
        for encoder in self.encoders:
            x = encoder(x)
            skips.append(x)
        skips.pop()  # The bottleneck is no skip.
        noisy = self.training or self.dropout_at_test
        for index, decoder in enumerate(self.decoders):
            x = decoder(x)
            if index < NUM_DROPOUTS:
                x = F.dropout(x, self.dropout, training=noisy)
            if skips:
                x = torch.cat([x, skips.pop()], dim=1)
        return torch.tanh(x)


def check_norm(norm: str) -> None:
    """Refuse the name of a norm that does not exist.

    Raises:
        ConfigError: The name is not one of NORMS.
    """
    if norm not in NORMS:
        raise ConfigError(f"norm is {norm!r} but must be one of {', '.join(NORMS)}")


def norm_layer(norm: str, channels: int, *, running: bool = True) -> nn.Module:
    """Batch norm, instance norm or nothing, for [B, channels, H, W].

    Instance norm learns a scale and shift as batch norm does, so that both are the same function, with the
    same parameters, on a batch of one.

    Args:
        norm: One of NORMS.
        channels: Number of maps.
        running: Whether batch norm keeps running averages for eval mode.
    """
    if norm == "batch":
        return nn.BatchNorm2d(channels, track_running_stats=running)
    if norm == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    return nn.Identity()


def draw_published_weights(module: nn.Module) -> None:
    """Weights from N(0, 0.02), scales of norms from N(1, 0.02), biases and shifts zero (appendix 6.2).

    For `network.apply`; leaves other modules alone. 0.02 is the standard deviation.
    """
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d | nn.InstanceNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def _down(in_channels: int, out_channels: int, *, bias: bool) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 4, stride=2, padding=1, bias=bias)


def _up(in_channels: int, out_channels: int, *, bias: bool) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(in_channels, out_channels, 4, stride=2, padding=1, bias=bias)


def _norm(config: Unet256Config, channels: int) -> nn.Module:
    return norm_layer(config.norm, channels, running=not config.batch_statistics_at_test)
