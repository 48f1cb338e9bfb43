"""Training denoising auto-encoders, layer by layer and then as a whole, to tell bare patches from masked ones.

Xie, Xu & Chen 2012 ("Image denoising and inpainting with deep neural networks"), from memory: each auto-encoder
is trained alone first, with sparse hidden units, the second one from the first one's view of the corrupted
picture to its view of the clean one; then the whole stack without the sparsity, by L-BFGS. The real corruption,
here a covering, takes the place of random masking. Ours: Adam for the first part, large batches in both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from demask.errors import ConfigError
from demask.training.data.loading import fixed_batch
from demask.training.data.varied_faces import FacesConfig
from demask.training.engine.task import Batch, Losses
from demask.training.engine.trainer_config import TrainerConfig
from demask.training.export.graphs import export_translator
from demask.training.losses.pixel import half_squared_error, half_squared_weights, sparsity
from demask.training.models.auto_encoder import (
    AutoEncoderConfig,
    AutoEncoderNet,
    Denoised,
    DenoisingLayer,
    random_patches,
)
from demask.training.tasks.faces_task import FacesTask, Tensors, num_shown, psnr_each, wide_grid
from demask.training.tasks.register import Recipe, Training, register
from demask.types import ImageU8

_AT_ONCE = 4  # Pictures judged together: a crop has 20,667 patches of 12 px.


@dataclass(frozen=True, kw_only=True, slots=True)
class AutoEncoderTaskConfig:
    """Everything about the training but how long it lasts; rho, beta, lambda are the paper's, from memory."""

    faces: FacesConfig
    model: AutoEncoderConfig = field(default_factory=AutoEncoderConfig)
    batch_size: int = 32  # Faces a step,
    patches: int = 100  # and random patches of each and each colour channel; 1 where a patch is the picture.
    pretrained_until: float = 0.5  # Fraction of the run in which the layers are trained one by one, evenly.
    learning_rate: float = 1e-3  # Of Adam.
    iterations: int = 20  # Of L-BFGS on each batch.
    history: int = 10  # Of L-BFGS; each pair takes twice the memory of the weights.
    rho: float = 0.05  # Mean activation that hidden units are drawn to,
    sparsity_weight: float = 1e-2  # and how strongly ("beta").
    decay_weight: float = 1e-4  # Of half the squared weights ("lambda").
    validation_faces: int = 64

    def __post_init__(self) -> None:
        if not 0 <= self.pretrained_until < 1 or not 0 < self.rho < 1:
            raise ConfigError(
                f"pretrained_until is {self.pretrained_until} and rho {self.rho}; both are shares below 1, "
                "and rho is above 0"
            )
        if min(self.patches, self.iterations, self.history) < 1:
            raise ConfigError(
                f"patches is {self.patches}, iterations {self.iterations} and history {self.history}; "
                "each must be at least 1"
            )


class Patches(NamedTuple):
    """Pairs of patches in [0, 1], [N, D]."""

    masked: Tensor
    face: Tensor


class AutoEncoderTask(FacesTask):
    """See the module. `layer1`, `layer2` are the network's own parts, each with an optimizer of its own."""

    name = "denoising-autoencoder"
    clip_norm = float("inf")  # A clipped gradient would mislead the search for a step length.

    def __init__(self, config: AutoEncoderTaskConfig) -> None:
        super().__init__(config.faces, batch_size=config.batch_size)
        self.config = config
        network = config.model.build()
        self.parts = {f"layer{number}": layer for number, layer in enumerate(network.stack, start=1)}
        self.networks = {"network": network, **self.parts}
        whole = BatchLbfgs(network.parameters(), rate=1.0, iterations=config.iterations, history=config.history)
        self.optimizers = {
            "network": whole,
            **{
                name: torch.optim.Adam(part.parameters(), config.learning_rate, fused=True)
                for name, part in self.parts.items()
            },
        }

    def attach(self, fabric: Fabric, *, compiled: bool = False) -> None:
        """As every task's, but in one process.

        Raises:
            ConfigError: There are several.
        """
        if fabric.world_size > 1:
            raise ConfigError(
                f"L-BFGS searches by the loss of the whole batch, and {fabric.world_size} processes would each "
                "search by their own; train this network in one"
            )
        super().attach(fabric, compiled=compiled)

    def plan(self, progress: float, *, step: int) -> tuple[str, ...]:
        """The layers one after the other, then the whole."""
        if progress >= self.config.pretrained_until:
            return ("network",)
        number = int(progress / self.config.pretrained_until * len(self.parts))
        return (list(self.parts)[number],)

    def draw(self, batch: Batch, *, progress: float) -> Patches:
        """Cut random patches; the network runs in `losses`, which L-BFGS asks again and again."""
        network, tensors = self.networks["network"], Tensors.of(batch, self.device)
        assert isinstance(network, AutoEncoderNet)
        masked, face = (network.small(picture) / 2 + 0.5 for picture in (tensors.masked, tensors.face))
        return Patches(
            *random_patches(masked, face, count=self.config.patches, side_px=self.config.model.patch_px)
        )

    def losses(self, of: str, batch: Batch, drawn: Patches, *, progress: float) -> Losses:
        """Error and size of the weights; sparsity while layers are trained alone."""
        config = self.config
        if of == "network":
            network = self.networks["network"]
            assert isinstance(network, AutoEncoderNet)
            terms = {"error": half_squared_error(network.restore(drawn.masked), drawn.face)}
            weights = {"error": 1.0}
            layers = network.stack
        else:
            corrupted, clean = drawn
            with torch.no_grad():
                for name, before in self.parts.items():
                    if name == of:
                        break
                    corrupted, clean = before.encode(corrupted), before.encode(clean)
            denoised: Denoised = self.live[of](corrupted)
            terms = {
                f"error_{of}": half_squared_error(denoised.output, clean),
                f"sparsity_{of}": sparsity(denoised.hidden, rho=config.rho),
            }
            weights = {f"error_{of}": 1.0, f"sparsity_{of}": config.sparsity_weight}
            layers = [self.parts[of]]
        terms["decay"] = half_squared_weights(_matrices(layers))
        return Losses(terms, weights | {"decay": config.decay_weight})

    @torch.no_grad()
    def validate(self, network: nn.Module) -> dict[str, float]:
        """PSNR of the crop and in the hole (dB); the crop's chooses. While layers train it says little."""
        everything = Tensors.of(fixed_batch(self.val_faces, self.config.validation_faces), self.device)
        crop, hole = [], []
        for start in range(0, len(everything.face), _AT_ONCE):
            part = Tensors(*(x[start : start + _AT_ONCE] for x in everything))
            restored = network(part.masked)
            crop.append(psnr_each(restored, part.face, part.valid))
            hole.append(psnr_each(restored, part.face, part.hole * part.valid))
        psnr = float(torch.cat(crop).mean())
        return {"psnr": psnr, "hole_psnr": float(torch.cat(hole).mean()), "score": psnr}

    @torch.no_grad()
    def samples(self, network: nn.Module) -> ImageU8:
        """Masked, restored, truth."""
        tensors = Tensors.of(fixed_batch(self.val_faces, num_shown(self.config.validation_faces)), self.device)
        restored = torch.cat([network(part) for part in tensors.masked.split(_AT_ONCE)])
        return wide_grid([tensors.masked, restored, tensors.face])

    def export(self, network: nn.Module, path: Path) -> None:
        """ONNX: masked uint8 in, restored uint8 out, patches and their averaging included; no hole goes in."""
        export_translator(network, path)


def _matrices(layers: list[DenoisingLayer]) -> list[Tensor]:
    return [part.weight for layer in layers for part in (layer.encoder, layer.decoder)]


def _recipe(data: Path, run: Path, backgrounds: Path | None, **settings: object) -> Recipe:
    # Coverings as they are drawn: what is told apart must not be degraded on the way.
    faces = FacesConfig(data=data, textures=backgrounds, widen_px=(0, 0))
    task = AutoEncoderTaskConfig(faces=faces, **settings)  # type: ignore[arg-type]
    # No length is known to be published. Adam and L-BFGS at a constant rate, and no average of weights.
    trainer = TrainerConfig(
        run=run, steps=2000, warmup_steps=1, decay_from=1.0, ema_decay=0.0, validate_every=200
    )
    return Recipe(task=task, trainer=trainer)


def whole_face(data: Path, run: Path, backgrounds: Path | None) -> Recipe:
    """The same on the whole face, 32 x 32 px in one patch, drawn up to 256 px: ours."""
    # Five times a patch would be 63 million weights; twice is 12.6 million.
    model = AutoEncoderConfig(patch_px=32, stride_px=32, picture_px=32, hidden_factor=2.0)
    return _recipe(data, run, backgrounds, model=model, batch_size=128, patches=1)


def patches(data: Path, run: Path, backgrounds: Path | None) -> Recipe:
    """As published: patches of 12 x 12 px; one wholly inside a covering sees no skin, so expect little."""
    return _recipe(data, run, backgrounds)


register(
    Training(
        task=AutoEncoderTask,
        config=AutoEncoderTaskConfig,
        recipes={"denoising-autoencoder": whole_face, "denoising-autoencoder-patches": patches},
        does="restores an aligned crop of a masked face patch by patch, without being told the hole",
        invents=True,
    )
)


class BatchLbfgs(torch.optim.LBFGS):
    """L-BFGS that takes several iterations on each batch and forgets them before the next.

    What it knows of the curvature comes from differences of gradients, and between two batches these are mostly
    the batches' own. Large batches and several iterations on each: Le et al. 2011 (ICML, "On optimization
    methods for deep learning"), from memory. Step lengths are searched for (strong Wolfe conditions).

    Args:
        params: Weights.
        rate: First step length that is tried, 1 by the method.
        iterations: On each batch, at most.
        history: Pairs of differences that are kept, each twice as large as the weights.
    """

    def __init__(self, params: Iterable[Tensor], *, rate: float, iterations: int, history: int) -> None:
        super().__init__(
            params, lr=rate, max_iter=iterations, history_size=history, line_search_fn="strong_wolfe"
        )

    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Search from where the weights are, on the batch that `closure` evaluates; returns its first loss."""
        loss = super().step(closure)  # type: ignore[no-untyped-call]
        self.state.clear()
        return loss
