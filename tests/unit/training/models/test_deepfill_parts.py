"""Systems 10 and 11: networks, attention, losses and holes, against published numbers and plain loops."""

import itertools
import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from demask.errors import ConfigError
from demask.training.data.training_holes import box_hole, free_form_hole, random_strokes, stroke_hole
from demask.training.losses.adversarial import (
    critic_wasserstein,
    generator_wasserstein,
    gradient_penalty,
    random_between,
)
from demask.training.losses.pixel import hole_discount, known_l1, weighted_l1
from demask.training.models.critics import SpectralPatchConfig, WassersteinCriticsConfig
from demask.training.models.deepfill_layers import FillConv, SameConv2d, contextual_attention
from demask.training.models.deepfill_net import DeepFillConfig
from demask.training.tasks.inpainting import middle_corners

Floats = NDArray[np.float64]


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        (DeepFillConfig(width=32, gated=False), 3_601_542),
        (DeepFillConfig(width=48, gated=True), 4_052_478),
        (DeepFillConfig(width=24, gated=True), 1_017_954),
    ],
)
def test_generators_have_as_many_parameters_as_the_published_ones(config: DeepFillConfig, wanted: int) -> None:
    assert count(config.build()) == wanted


def test_critics_have_as_many_parameters_as_the_published_ones() -> None:
    critics = WassersteinCriticsConfig().build(side_px=256, window_px=128)
    assert (count(critics.whole), count(critics.local)) == (2_733_441, 4_339_329)
    assert count(SpectralPatchConfig().build()) == 5_946_816


@pytest.mark.parametrize("gated", [False, True])
def test_both_stages_draw_the_whole_picture_in_range(gated: bool) -> None:
    torch.manual_seed(0)
    network = DeepFillConfig(width=8, gated=gated).build()
    masked, hole = torch.rand(2, 3, 64, 48) * 2 - 1, (torch.rand(2, 1, 64, 48) > 0.8).float()
    with torch.no_grad():
        filled = network(masked, hole)
        elsewhere = network(torch.where(hole > 0.5, -masked, masked), hole)
        for parameter in network.parameters():
            parameter.mul_(5)
        far = network(masked, hole)
    assert filled.coarse.shape == filled.prediction.shape == (2, 3, 64, 48)
    assert torch.equal(filled.prediction, elsewhere.prediction)  # What the hole shows does not matter.
    assert max(far.coarse.abs().max(), far.prediction.abs().max()) <= 1
    assert far.coarse.abs().max() > 0.99


def test_gradients_reach_every_weight() -> None:
    torch.manual_seed(0)
    network = DeepFillConfig(width=8, gated=True).build()
    filled = network(torch.rand(1, 3, 64, 64) * 2 - 1, torch.zeros(1, 1, 64, 64))
    ((filled.coarse + filled.prediction) * torch.linspace(-1, 1, 64)).sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or p.grad.abs().max() == 0] == []


def test_critics_judge_pictures_one_by_one() -> None:
    critics = WassersteinCriticsConfig(width=4).build(side_px=64, window_px=32)
    whole, local = critics(torch.rand(3, 3, 64, 64), torch.rand(3, 3, 32, 32))
    assert whole.shape == local.shape == (3, 1)
    opinions = SpectralPatchConfig(width=4).build()(torch.rand(3, 3, 128, 64), torch.zeros(3, 1, 128, 64))
    assert opinions.shape == (3, 4 * 4 * 2 * 1)


def test_a_stride_of_two_looks_right_and_down_as_tensorflow_does() -> None:
    conv = SameConv2d(1, 1, 3, stride=2)
    nn.init.ones_(conv.weight)
    x = torch.zeros(1, 1, 4, 4)
    x[0, 0, 2, 2] = 1  # In the windows that begin at 0 and at 2; with one zero all around only in one of them.
    with torch.no_grad():
        assert conv(x).flatten().tolist() == [1, 1, 1, 1]
        x[0, 0, 2, 2], x[0, 0, 0, 0] = 0, 1
        assert conv(x).flatten().tolist() == [1, 0, 0, 0]
        wide = SameConv2d(1, 1, 3, dilation=2)
        assert wide(x).shape == x.shape


def test_a_gate_lets_through_what_it_says() -> None:
    torch.manual_seed(0)
    layer, x = FillConv(3, 8, gated=True), torch.randn(1, 3, 6, 6)
    both = F.conv2d(x, layer.conv.weight, layer.conv.bias, padding=1)
    wanted = F.elu(both[:, :4]) * torch.sigmoid(both[:, 4:])
    assert layer.out_channels == 4
    torch.testing.assert_close(layer(x), wanted)


def attended(x: Floats, hole: NDArray[np.bool_]) -> Floats:
    """Contextual attention as the authors' code describes it, cell by cell: [C, H, W] and bool [H, W]."""
    C, H, W = x.shape
    h, w = H // 2, W // 2
    small, gone = np.pad(x[:, ::2, ::2], ((0, 0), (1, 1), (1, 1))), np.pad(hole[::2, ::2], 1)
    cells = list(itertools.product(range(h), range(w)))
    patches = {(i, j): small[:, i : i + 3, j : j + 3] for i, j in cells}
    known = {(i, j): not gone[i : i + 3, j : j + 3].any() for i, j in cells}
    scores = np.zeros((h * w, h * w))
    for a, place in enumerate(cells):
        for b, patch in enumerate(cells):
            length = max(math.sqrt((patches[patch] ** 2).sum()), 1e-4)
            scores[a, b] = (patches[place] * patches[patch]).sum() / length

    def along_diagonal(matrix: Floats) -> Floats:
        out = np.zeros_like(matrix)
        for a, b in itertools.product(range(h * w), range(h * w)):
            for step in (-1, 0, 1):
                if 0 <= a + step < h * w and 0 <= b + step < h * w:
                    out[a, b] += matrix[a + step, b + step]
        return out

    scores = along_diagonal(scores)
    by_columns = [i * w + j for j in range(w) for i in range(h)]
    turned = along_diagonal(scores[np.ix_(by_columns, by_columns)])
    scores = np.empty_like(turned)
    scores[np.ix_(by_columns, by_columns)] = turned

    padded, out = np.pad(x, ((0, 0), (1, 1), (1, 1))), np.zeros((C, H + 2, W + 2))
    for a, (i, j) in enumerate(cells):
        masked = np.array([scores[a, b] if known[cell] else 0.0 for b, cell in enumerate(cells)])
        weights = np.exp(10 * (masked - masked.max()))
        weights /= weights.sum()
        for b, (k, m) in enumerate(cells):
            if known[k, m]:
                patch = padded[:, 2 * k : 2 * k + 4, 2 * m : 2 * m + 4]
                out[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += weights[b] * patch / 4
    return out[:, 1:-1, 1:-1]


@pytest.mark.parametrize("hole_part", ["none", "some", "all"])
def test_contextual_attention_is_the_plain_loop(hole_part: str) -> None:
    rng = np.random.default_rng(3)
    x = 0.3 * rng.normal(size=(2, 3, 8, 12))
    x[1, :, 4:7, 4:9] = 0  # Patches without any length.
    hole = np.zeros((2, 8, 12), bool)
    if hole_part == "some":
        hole[0, 2:5, 3:6], hole[1, 6:, 10:] = True, True
    elif hole_part == "all":
        hole[:] = True
    got = contextual_attention(torch.from_numpy(x), torch.from_numpy(hole[:, None].astype(np.float64)))
    wanted = np.stack([attended(one, gone) for one, gone in zip(x, hole, strict=True)])
    np.testing.assert_allclose(got.numpy(), wanted, atol=1e-12)
    assert (np.abs(wanted).max() == 0) == (hole_part == "all")


def test_the_gradient_penalty_is_what_finite_differences_say() -> None:
    torch.manual_seed(1)
    layers = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Softplus(), nn.Flatten(), nn.Linear(12, 1)).double()
    pictures, hole = torch.randn(2, 1, 4, 4).double(), (torch.rand(2, 1, 4, 4) > 0.4).double()

    def penalty_by_hand() -> float:
        lengths = []
        with torch.no_grad():
            for number in range(2):
                squares = 0.0
                for y, x in itertools.product(range(4), range(4)):
                    step = torch.zeros_like(pictures)
                    step[number, 0, y, x] = 1e-5
                    slope = (layers(pictures + step) - layers(pictures - step))[number].item() / 2e-5
                    squares += slope**2 * hole[number, 0, y, x].item()
                lengths.append(math.sqrt(squares))
        return sum((length - 1) ** 2 for length in lengths) / 2

    penalty = gradient_penalty(layers, pictures, hole)
    assert penalty.item() == pytest.approx(penalty_by_hand(), rel=1e-7)

    # And its own gradient, by which the critic learns.
    penalty.backward()
    weight = layers[0].weight
    with torch.no_grad():
        weight[0, 0, 1, 1] += 1e-4
        above = penalty_by_hand()
        weight[0, 0, 1, 1] -= 2e-4
        below = penalty_by_hand()
    assert weight.grad is not None
    assert weight.grad[0, 0, 1, 1].item() == pytest.approx((above - below) / 2e-4, rel=1e-4)


def test_a_flat_critic_is_penalised_without_a_nan() -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(16, 1))
    nn.init.zeros_(flat[1].weight)
    penalty = gradient_penalty(flat, torch.rand(2, 1, 4, 4), torch.zeros(2, 1, 4, 4))
    penalty.backward()
    assert penalty.item() == pytest.approx(1, abs=1e-5)
    assert torch.isfinite(flat[1].weight.grad).all()


def test_the_wasserstein_game_and_the_places_between() -> None:
    real, fake = torch.tensor([[3.0], [1.0]]), torch.tensor([[0.0], [1.0]])
    assert critic_wasserstein(real, fake).item() == pytest.approx(-1.5)
    assert generator_wasserstein(fake).item() == pytest.approx(-0.5)
    torch.manual_seed(0)
    between = random_between(torch.zeros(64, 3, 2, 2), torch.ones(64, 3, 2, 2))
    assert torch.equal(between.amin((1, 2, 3)), between.amax((1, 2, 3)))  # One place a picture,
    assert between.std() > 0.2  # each its own.


def test_depth_counts_less() -> None:
    hole = torch.zeros(3, 1, 7, 7)
    hole[0, 0, 1:6, 1:6], hole[2] = 1, 1
    discount = hole_discount(hole, gamma=0.9)
    assert discount[0, 0, 3].tolist() == pytest.approx([1, 0.9, 0.81, 0.729, 0.81, 0.9, 1])
    assert (discount[1:] == 1).all()  # No hole, and nothing but hole.


def test_errors_are_counted_where_they_should_be() -> None:
    face, hole, valid = torch.zeros(1, 3, 2, 2), torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    hole[0, 0, 0, 0], valid[0, 0, 1, 1] = 1, 0
    drawn = torch.tensor([[8.0, 1.0], [3.0, 8.0]]).expand(1, 3, 2, 2)
    assert known_l1(drawn, face, hole, valid).item() == pytest.approx(2)
    assert known_l1(drawn, face, torch.ones_like(hole), valid).item() == 0
    assert weighted_l1(drawn, face, 0.5 * valid, torch.ones_like(valid)).item() == pytest.approx(12 / 2 / 4)


def test_windows_lie_about_the_middle_of_the_hole() -> None:
    hole = torch.zeros(4, 1, 64, 64)
    hole[0, 0, 20:30, 30:41] = 1
    hole[1, 0, :4, 60:] = 1
    hole[2, 0, 10, 10], hole[2, 0, 50, 30] = 1, 1  # In two parts.
    assert middle_corners(hole, 32).tolist() == [[9, 19], [0, 32], [14, 4], [16, 16]]


def test_spectral_norm_is_the_librarys_and_holds() -> None:
    torch.manual_seed(0)
    critic = SpectralPatchConfig(width=8).build()
    picture, hole = torch.rand(2, 3, 64, 64), torch.zeros(2, 1, 64, 64)
    for _ in range(30):
        critic.train()(picture, hole)
    for layer in critic.layers:
        if isinstance(layer, nn.Conv2d):
            original = layer.parametrizations.weight.original
            largest = torch.linalg.matrix_norm(original.flatten(1), ord=2)
            torch.testing.assert_close(layer.weight, original / largest, rtol=0.02, atol=1e-4)


def test_a_width_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="width is 6"):
        DeepFillConfig(width=6, gated=True)


# --- Holes -----------------------------------------------------------------------------------------------


def test_holes_are_a_function_of_their_generator() -> None:
    for make in (box_hole, stroke_hole, free_form_hole):
        first, again, other = (make(np.random.default_rng(seed), 256) for seed in (4, 4, 5))
        assert first.shape == (256, 256)
        assert first.dtype == bool
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)


def test_boxes_have_the_published_sizes() -> None:
    for seed in range(50):
        hole = box_hole(np.random.default_rng(seed), 256)
        rows, columns = hole.any(1).nonzero()[0], hole.any(0).nonzero()[0]
        high, wide = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert 96 <= high <= 128
        assert 96 <= wide <= 128
        assert hole.sum() == high * wide


def test_strokes_have_the_published_widths_and_grow_with_the_picture() -> None:
    shares = {side: [] for side in (128, 256)}
    for side, seen in shares.items():
        for seed in range(60):
            hole = stroke_hole(np.random.default_rng(seed), side)
            seen.append(hole.mean())
            # Nothing is thinner than the thinnest pen, whose round tip fits in everywhere.
            depth = torch.from_numpy(hole.astype(np.float32))[None, None]
            inner = -F.max_pool2d(-depth, side // 32 - 1, stride=1)
            assert inner.max() == 1
    assert np.mean(shares[128]) == pytest.approx(np.mean(shares[256]), rel=0.1)
    assert 0.08 < np.mean(shares[256]) < 0.35
    assert np.std(shares[256]) > 0.03


def test_strokes_wander_to_and_fro() -> None:
    holes = [random_strokes(np.random.default_rng(seed), 256) for seed in range(200)]
    strokes_each = [len(strokes) for strokes in holes]
    drawn = list(itertools.chain.from_iterable(holes))
    assert set(strokes_each) == {1, 2, 3}
    assert {len(corners) - 1 for corners, _ in drawn} == set(range(4, 12))
    widths = [width for _, width in drawn]
    assert (min(widths), max(widths)) == (12, 39)
    for corners, _ in drawn:
        steps = np.diff(corners, axis=0).astype(float)
        lengths = np.hypot(*steps.T)
        assert lengths.max() <= 2 * math.hypot(256, 256) / 8 + 2
        inside = ((corners > 0) & (corners < 256)).all(1)
        for number, step in enumerate(steps):
            if inside[number + 1] and lengths[number] > 20:  # Neither clipped nor lost in rounding.
                angle = math.atan2(step[1], step[0]) * (-1 if number % 2 == 0 else 1)
                assert abs(angle - 2 * math.pi / 5) < 2 * math.pi / 15 + 0.1
