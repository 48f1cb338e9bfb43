"""What generator and critic play for: hinge losses, feature matching, conditional GAN losses, Wasserstein.

Conditional GAN losses of generator and critic on patch logits; in each mode, pure functions.
The condition sits in the logits: the critic saw the masked picture beside the face (Isola et al. 2017,
arXiv:1611.07004, eq. 1). Modes:

- `bce`: eq. 1, with the generator's side turned around so that it does not fade (Goodfellow et al. 2014,
  arXiv:1406.2661, sec. 3).
- `least_squares`: Mao et al. 2017 (arXiv:1611.04076, eq. 9), drawn = 0 and photographed = 1.
- `hinge`: Lim & Ye 2017 (arXiv:1705.02894); Miyato et al. 2018 (arXiv:1802.05957, eq. 16 and 17).

The Wasserstein game with a gradient penalty, as DeepFill v1 plays it.
Arjovsky et al. 2017 (arXiv:1701.07875), Gulrajani et al. 2017 (arXiv:1704.00028, eq. 3), and Yu et al. 2018
(arXiv:1801.07892), who let only the hole's gradient count.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from demask.errors import ConfigError

MODES = ("bce", "least_squares", "hinge")
_TINY = 1e-12  # The root of 0 has no gradient.


def critic_hinge(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """The critic's hinge loss (Miyato et al. 2018, arXiv:1802.05957, eq. 16); a scalar >= 0."""
    return F.relu(1 - real_logits).mean() + F.relu(1 + fake_logits).mean()


def generator_hinge(fake_logits: Tensor) -> Tensor:
    """The generator's side (ibid., eq. 17): minus the critic's mean opinion; any sign."""
    return -fake_logits.mean()


def feature_matching(real_features: Sequence[Tensor], fake_features: Sequence[Tensor]) -> Tensor:
    """Mean L1 between the critic's features of real and drawn (Wang et al. 2018, arXiv:1711.11585, eq. 4).

    Args:
        real_features: The critic's hidden maps for the photograph; treated as constants.
        fake_features: The same for the drawn face.
    """
    pairs = zip(real_features, fake_features, strict=True)
    return torch.stack([(real.detach() - fake).abs().mean() for real, fake in pairs]).mean()


def check_mode(mode: str) -> None:
    """Refuse a mode that does not exist.

    Raises:
        ConfigError: The name is not one of MODES; the nearest is named.
    """
    if mode not in MODES:
        near = difflib.get_close_matches(mode, MODES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(MODES)}"
        raise ConfigError(f"no adversarial loss {mode!r}; {hint}")


def critic_loss(real_logits: Tensor, fake_logits: Tensor, *, mode: str = "bce", halved: bool = True) -> Tensor:
    """The critic's loss over all patches; a float32 scalar >= 0.

    Args:
        real_logits: Of photographed faces, any shape and float type.
        fake_logits: Of drawn faces, detached from the generator.
        mode: One of MODES.
        halved: Divide the sum of both sides by 2, so that the critic learns slower than the generator
            (Isola et al. 2017, sec. 3.3). Least squares is then eq. 9 to the letter; hinge is half of
            eq. 16. Adam, which the paper uses, takes nearly the same steps either way, since it divides
            gradients by their own size; plain gradient descent and gradient clipping do not.

    Raises:
        ConfigError: An unknown mode.
    """
    check_mode(mode)
    real, fake = real_logits.float(), fake_logits.float()
    if mode == "bce":
        loss = -F.logsigmoid(real).mean() - F.logsigmoid(-fake).mean()  # log(1 - D) = logsigmoid(-logit)
    elif mode == "least_squares":
        loss = (real - 1).square().mean() + fake.square().mean()
    else:
        loss = critic_hinge(real, fake)
    return loss / 2 if halved else loss


def generator_loss(fake_logits: Tensor, *, mode: str = "bce") -> Tensor:
    """The generator's loss over all patches; a float32 scalar, >= 0 except for hinge.

    Never halved, but for least squares, whose eq. 9 has the half itself; code that leaves it out weighs
    the adversarial term twice as much against the pixel terms.

    Args:
        fake_logits: Of drawn faces, any shape and float type, with their way back to the generator.
        mode: One of MODES.

    Raises:
        ConfigError: An unknown mode.
    """
    check_mode(mode)
    fake = fake_logits.float()
    if mode == "bce":
        return -F.logsigmoid(fake).mean()
    if mode == "least_squares":
        return (fake - 1).square().mean() / 2
    return generator_hinge(fake)


def critic_wasserstein(real: Tensor, fake: Tensor) -> Tensor:
    """How much better the critic likes what is drawn than what is photographed; a scalar of any sign."""
    return fake.mean() - real.mean()


def generator_wasserstein(fake: Tensor) -> Tensor:
    """The generator's side: minus the critic's mean opinion; a scalar of any sign."""
    return -fake.mean()


def random_between(real: Tensor, fake: Tensor) -> Tensor:
    """Pictures on the straight lines from photographed to drawn ones, each at its own random place.

    Draws from torch's global generator, which the trainer seeds at every step.
    """
    fraction = torch.rand(len(real), 1, 1, 1, device=real.device, dtype=real.dtype)
    return real.detach().lerp(fake.detach(), fraction)


def gradient_penalty(critic: Callable[[Tensor], Tensor], pictures: Tensor, hole: Tensor) -> Tensor:
    """Mean squared difference from 1 of the length of the critic's gradient in the hole; a scalar >= 0.

    Args:
        critic: From pictures to one number each, [B, 1]; each number must depend on its own picture alone.
        pictures: Where the gradient is taken, [B, C, H, W].
        hole: 1 = counts, [B, 1, H, W].
    """
    pictures = pictures.detach().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(critic(pictures).sum(), pictures, create_graph=True)
    length = (gradient.square() * hole).sum((1, 2, 3)).clamp_min(_TINY).sqrt()
    return (length - 1).square().mean()
