"""Systems 1 and 2: generator, discriminator and losses of pix2pix, against the paper's own numbers."""

import itertools
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from demask.errors import ConfigError
from demask.training.export.onnx_writer import write_onnx
from demask.training.losses.adversarial import MODES, critic_loss, generator_loss
from demask.training.losses.pixel import hole_mse, l1
from demask.training.models.critics import PatchGan, PatchGanConfig
from demask.training.models.unet256 import NORMS, Unet256, Unet256Config


def small(**settings: object) -> Unet256:
    """The generator at an eighth of its width."""
    torch.manual_seed(0)
    return Unet256Config(width=8, **settings).build()


def picture(batch: int = 1, side: int = 256) -> Tensor:
    return torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(1)) * 2 - 1


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


# --- The generator ---------------------------------------------------------------------------------------


def test_the_generator_has_as_many_parameters_as_the_published_one() -> None:
    network = Unet256Config().build()
    encoder = [3, 64, 128, 256, 512, 512, 512, 512, 512]
    into_decoder = [512, 1024, 1024, 1024, 1024, 512, 256, 128]
    out_of_decoder = [512, 512, 512, 512, 256, 128, 64, 3]
    kernels = sum(16 * a * b for a, b in itertools.pairwise(encoder))
    kernels += sum(16 * a * b for a, b in zip(into_decoder, out_of_decoder, strict=True))
    norms = sum(2 * channels for channels in encoder[2:-1] + out_of_decoder[:-1])
    bias_of_the_picture = 3
    assert count(network) == kernels + norms + bias_of_the_picture == 54_413_955


def test_every_stage_has_the_published_shape() -> None:
    network = small().eval()
    shapes: dict[str, list[tuple[int, ...]]] = {"encoders": [], "decoders": []}
    for name, seen in shapes.items():
        for stage in getattr(network, name):
            stage.register_forward_hook(lambda _m, _i, out, seen=seen: seen.append(tuple(out.shape[1:])))
    with torch.no_grad():
        out = network(picture(2))
    assert out.shape == (2, 3, 256, 256)
    sides = [128, 64, 32, 16, 8, 4, 2, 1]
    widths = [8, 16, 32, 64, 64, 64, 64, 64]
    assert shapes["encoders"] == [(w, s, s) for w, s in zip(widths, sides, strict=True)]
    widths = [64, 64, 64, 64, 32, 16, 8, 3]
    assert shapes["decoders"] == [(w, 2 * s, 2 * s) for w, s in zip(widths, reversed(sides), strict=True)]


def test_convolutions_norms_and_activations_are_the_published_ones() -> None:
    network = small()
    for conv in (m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)):
        assert (conv.kernel_size, conv.stride, conv.padding) == ((4, 4), (2, 2), (1, 1))
    normed = [any(isinstance(m, nn.BatchNorm2d) for m in stage.modules()) for stage in network.encoders]
    assert normed == [False, True, True, True, True, True, True, False]
    normed = [any(isinstance(m, nn.BatchNorm2d) for m in stage.modules()) for stage in network.decoders]
    assert normed == [True] * 7 + [False]
    slopes = [m.negative_slope for m in network.encoders.modules() if isinstance(m, nn.LeakyReLU)]
    assert slopes == [0.2] * 7
    assert not any(isinstance(m, nn.LeakyReLU) for m in network.decoders.modules())


def test_skips_join_the_stages_that_mirror_each_other() -> None:
    network = small().eval()
    encoded: list[Tensor] = []
    entering: list[Tensor] = []
    for encoder in network.encoders:
        encoder.register_forward_hook(lambda _m, _i, out: encoded.append(out.clone()))
    for decoder in network.decoders:
        decoder.register_forward_pre_hook(lambda _m, args: entering.append(args[0].clone()))
    with torch.no_grad():
        network(picture())
    for number, arriving in enumerate(entering[1:], start=1):
        skip = encoded[7 - number]
        assert torch.equal(arriving[:, -skip.shape[1] :].relu(), skip.relu())


def test_the_picture_stays_in_range_whatever_the_weights() -> None:
    network = small(norm="none")
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=1.0)
    with torch.no_grad():
        out = network.eval()(picture())
    assert out.abs().max() <= 1
    assert out.abs().max() > 0.99


def test_dropout_stays_on_in_eval_only_where_asked() -> None:
    network = small().eval()
    with torch.no_grad():
        assert torch.equal(network(picture()), network(picture()))
        network.dropout_at_test = True
        torch.manual_seed(5)
        first, second = network(picture()), network(picture())
        torch.manual_seed(5)
        again = network(picture())
    assert not torch.equal(first, second)
    assert torch.equal(first, again)
    assert small(dropout_at_test=True).dropout_at_test


def test_dropout_halves_the_first_three_decoder_blocks_and_no_other() -> None:
    network = small(dropout_at_test=True).eval()
    zeros: list[float] = []

    def look(stage: nn.Module, args: tuple[Tensor, ...]) -> None:
        from_below = args[0][:, : args[0].shape[1] // 2]
        zeros.append((from_below == 0).float().mean().item())

    for decoder in list(network.decoders)[1:]:
        decoder.register_forward_pre_hook(look)
    with torch.no_grad():
        network(picture(8))
    assert zeros[:3] == pytest.approx([0.5] * 3, abs=0.05)
    assert zeros[3:] == [0.0] * 4


def test_batch_norm_on_one_picture_is_instance_norm() -> None:
    batch, instance = small(norm="batch", dropout=0.0), small(norm="instance", dropout=0.0)
    weights = {k: v for k, v in batch.state_dict().items() if k in instance.state_dict()}
    instance.load_state_dict(weights)
    assert count(batch) == count(instance)
    with torch.no_grad():
        torch.testing.assert_close(batch(picture()), instance.eval()(picture()), atol=1e-5, rtol=0)


def test_eval_can_use_the_statistics_of_its_own_batch() -> None:
    published, running = small(batch_statistics_at_test=True, dropout=0.0), small(dropout=0.0)
    with torch.no_grad():
        torch.testing.assert_close(published.eval()(picture()), running.train()(picture()))
        assert not torch.equal(published(picture()), running.eval()(picture()))


@pytest.mark.parametrize("norm", NORMS)
def test_one_picture_trains_every_weight_down_to_the_bottleneck(norm: str) -> None:
    network = small(norm=norm, dropout=0.0)
    (network(picture()) * torch.linspace(-1, 1, 256)).sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or p.grad.abs().max() == 0] == []


@pytest.mark.parametrize("build", [lambda: Unet256Config(width=16).build(), lambda: PatchGanConfig().build()])
def test_weights_start_as_published(build) -> None:
    torch.manual_seed(0)
    network = build()
    scales = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.weight.numel() > 10_000:
            assert module.weight.mean().item() == pytest.approx(0, abs=1e-3)
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.05)
        if isinstance(module, nn.BatchNorm2d):
            scales.append(module.weight.detach())
        if getattr(module, "bias", None) is not None:
            assert not module.bias.any()
    assert torch.cat(scales).mean().item() == pytest.approx(1, abs=5e-3)
    assert torch.cat(scales).std().item() == pytest.approx(0.02, rel=0.15)


@pytest.mark.parametrize("norm", NORMS)
def test_channels_last_and_bfloat16_say_the_same(norm: str) -> None:
    network = small(norm=norm, dropout=0.0)
    with torch.no_grad():
        wanted = network(picture(2))
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        given = picture(2).contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(network(given), wanted, atol=1e-4, rtol=0)
        with torch.autocast("cpu", torch.bfloat16):
            half = network(given)
    assert half.dtype == torch.bfloat16
    assert (half.float() - wanted).abs().mean() < 0.1 * wanted.abs().mean()


@pytest.mark.parametrize(
    "norm",
    ["instance", pytest.param("batch", marks=pytest.mark.slow), pytest.param("none", marks=pytest.mark.slow)],
)
def test_the_generator_can_be_exported(tmp_path: Path, norm: str) -> None:
    network = small(norm=norm)
    write_onnx(
        network,
        {"masked_BCHW": picture(2)},
        ["face"],
        tmp_path / "pix2pix.onnx",
        network=network,
        tolerance=0.02,
    )
    assert (tmp_path / "pix2pix.onnx").stat().st_size > 1_000_000


def test_a_side_that_cannot_be_halved_eight_times_is_refused() -> None:
    with pytest.raises(ValueError, match="286x256 px"):
        small()(torch.zeros(1, 3, 256, 286))
    with torch.no_grad():
        assert small()(torch.zeros(1, 3, 256, 512)).shape == (1, 3, 256, 512)


@pytest.mark.parametrize(
    ("config", "settings", "message"),
    [
        (Unet256Config, {"norm": "layer"}, "'layer' but must be one of batch, instance, none"),
        (Unet256Config, {"width": 0}, "width is 0"),
        (Unet256Config, {"dropout": 1.0}, "dropout is 1"),
        (PatchGanConfig, {"norm": "layer"}, "layer"),
        (PatchGanConfig, {"in_channels": 0}, "in_channels 0"),
    ],
)
def test_settings_that_make_no_network_are_refused(config, settings, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config(**settings)


# --- The discriminator -----------------------------------------------------------------------------------


def critic(**settings: object) -> PatchGan:
    torch.manual_seed(0)
    return PatchGanConfig(width=8, **settings).build()


def test_the_critic_has_as_many_parameters_as_the_published_one() -> None:
    network = PatchGanConfig().build()
    channels = [6, 64, 128, 256, 512, 1]
    kernels = sum(16 * a * b for a, b in itertools.pairwise(channels))
    assert count(network) == kernels + 2 * (128 + 256 + 512) + (64 + 1) == 2_768_705


def test_the_critic_is_built_as_published() -> None:
    network = PatchGanConfig().build()
    convs = [m for m in network.layers if isinstance(m, nn.Conv2d)]
    assert [(c.out_channels, c.stride[0]) for c in convs] == [(64, 2), (128, 2), (256, 2), (512, 1), (1, 1)]
    kinds = [type(m).__name__ for m in network.layers]
    block = ["Conv2d", "BatchNorm2d", "LeakyReLU"]
    assert kinds == ["Conv2d", "LeakyReLU", *block, *block, *block, "Conv2d"]
    assert {m.negative_slope for m in network.layers if isinstance(m, nn.LeakyReLU)} == {0.2}


@pytest.mark.parametrize("norm", NORMS)
def test_the_critic_draws_a_map_of_30_by_30_logits(norm: str) -> None:
    logits = critic(norm=norm)(picture(2), -picture(2))
    assert logits.shape == (2, 1, 30, 30)
    assert logits.min() < 0  # A sigmoid would not go there.


def test_each_logit_sees_70_by_70_px_and_its_neighbour_8_px_further() -> None:
    network = critic(norm="none").double()
    masked, face = (picture().double().requires_grad_() for _ in range(2))
    logits = network(masked, face)
    corners = []
    for place in ((14, 15), (14, 16), (15, 16)):
        for seen in torch.autograd.grad(logits[0, 0, *place], (masked, face), retain_graph=True):
            felt = seen[0].abs().amax(0) > 0
            rows, columns = felt.any(1).nonzero().flatten(), felt.any(0).nonzero().flatten()
            assert len(rows) == len(columns) == 70
            assert felt.sum() == 70 * 70
            corners.append((rows[0].item(), columns[0].item()))
    (top, left), (_, right), (down, _) = corners[::2]
    assert corners[::2] == corners[1::2]
    assert (down - top, right - left) == (8, 8)


def test_the_critic_judges_the_pair_not_the_face_alone() -> None:
    network = critic().eval()
    masked, other, face = picture(), -picture(), picture().flip(3)
    with torch.no_grad():
        assert not torch.equal(network(masked, face), network(other, face))
        assert not torch.equal(network(masked, face), network(masked, -face))


# --- The adversarial losses ------------------------------------------------------------------------------

REAL, FAKE = torch.tensor([[2.0, -1.0]]), torch.tensor([[0.5, -3.0]])


def test_cross_entropy_is_the_paper_s_equation_and_torch_s_own() -> None:
    real, fake = REAL.sigmoid(), FAKE.sigmoid()
    by_hand = -(real.log().mean() + (1 - fake).log().mean())
    torch.testing.assert_close(critic_loss(REAL, FAKE, mode="bce", halved=False), by_hand)
    by_torch = F.binary_cross_entropy_with_logits(REAL, torch.ones_like(REAL))
    by_torch = by_torch + F.binary_cross_entropy_with_logits(FAKE, torch.zeros_like(FAKE))
    torch.testing.assert_close(critic_loss(REAL, FAKE), by_torch / 2)
    by_torch = F.binary_cross_entropy_with_logits(FAKE, torch.ones_like(FAKE))
    torch.testing.assert_close(generator_loss(FAKE), by_torch)


def test_no_opinion_costs_log_two() -> None:
    none = torch.zeros(2, 1, 30, 30)
    assert critic_loss(none, none).item() == pytest.approx(math.log(2))
    assert generator_loss(none).item() == pytest.approx(math.log(2))


def test_least_squares_and_hinge_by_hand() -> None:
    # (1 + 4) / 2 photographed, (0.25 + 9) / 2 drawn.
    assert critic_loss(REAL, FAKE, mode="least_squares").item() == pytest.approx((2.5 + 4.625) / 2)
    assert generator_loss(FAKE, mode="least_squares").item() == pytest.approx((0.25 + 16) / 2 / 2)
    # (0 + 2) / 2 photographed, (1.5 + 0) / 2 drawn.
    assert critic_loss(REAL, FAKE, mode="hinge").item() == pytest.approx((1 + 0.75) / 2)
    assert generator_loss(FAKE, mode="hinge").item() == pytest.approx(1.25)


@pytest.mark.parametrize("mode", MODES)
def test_the_critic_s_objective_is_divided_by_two(mode: str) -> None:
    whole = critic_loss(REAL, FAKE, mode=mode, halved=False)
    assert critic_loss(REAL, FAKE, mode=mode).item() == pytest.approx(whole.item() / 2)


@pytest.mark.parametrize("mode", MODES)
def test_each_side_pulls_its_own_way(mode: str) -> None:
    real, fake = torch.zeros(4, requires_grad=True), torch.zeros(4, requires_grad=True)
    critic_loss(real, fake, mode=mode).backward()
    pull = fake.grad.clone()
    fake.grad = None
    generator_loss(fake, mode=mode).backward()
    assert (real.grad < 0).all()
    assert (fake.grad < 0).all()
    assert (pull >= 0).all()
    assert (pull > 0).all() or mode == "least_squares"  # Its target for a drawing is 0 itself.


def test_cross_entropy_stays_finite_and_steep_where_the_critic_is_sure() -> None:
    sure = torch.tensor([-200.0], dtype=torch.bfloat16, requires_grad=True)
    loss = generator_loss(sure)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == 200
    assert sure.grad.item() == -1  # Eq. 1 unturned, log(1 - D), would pull with 0 here.
    assert critic_loss(-sure, sure).item() == 0


def test_an_unknown_mode_is_refused_and_the_nearest_named() -> None:
    with pytest.raises(ConfigError, match="did you mean 'least_squares'"):
        critic_loss(REAL, FAKE, mode="leastsquares")
    with pytest.raises(ConfigError, match="there are bce, least_squares, hinge"):
        generator_loss(FAKE, mode="wasserstein")


# --- The pixel terms -------------------------------------------------------------------------------------


def two_pictures() -> tuple[Tensor, Tensor, Tensor]:
    """Face and prediction of two 2 x 2 pictures, and which pixels are valid.

    The first is wrong by 0.5 everywhere; the second by 1, 0, 0 in its top left pixel, by 7 where invalid.
    """
    face, valid = torch.zeros(2, 3, 2, 2), torch.ones(2, 1, 2, 2)
    prediction = torch.zeros(2, 3, 2, 2)
    prediction[0] = -0.5
    prediction[1, 0, 0, 0] = 1.0
    prediction[1, :, 1, 1] = 7.0
    valid[1, 0, 1, 1] = 0
    return prediction, face, valid


def test_l1_over_valid_pixels() -> None:
    prediction, face, valid = two_pictures()
    assert l1(prediction, face, valid).item() == pytest.approx((0.5 + (1 / 3) / 3) / 2)
    assert l1(prediction, face, 0 * valid).item() == 0
    whole = l1(prediction, face, torch.ones_like(valid))
    torch.testing.assert_close(whole, F.l1_loss(prediction, face))


def test_parts_of_a_batch_add_up_to_its_l1() -> None:
    prediction, face, valid = two_pictures()
    parts = [l1(prediction[i : i + 1], face[i : i + 1], valid[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(torch.stack(parts).mean(), l1(prediction, face, valid))


def test_squared_error_in_the_hole_alone() -> None:
    prediction, face, valid = two_pictures()
    hole = torch.zeros(2, 1, 2, 2)
    hole[0, 0, 0] = 1  # The top row: 0.25 in both pixels.
    hole[1, 0, :, :] = 1  # All of it, one pixel invalid: 1 / 3 in one of three.
    assert hole_mse(prediction, face, hole, valid).item() == pytest.approx((0.25 + 1 / 9) / 2)
    hole[1] = 0
    assert hole_mse(prediction, face, hole, valid).item() == pytest.approx(0.25)


def test_a_batch_without_a_hole_costs_nothing_and_still_differentiates() -> None:
    prediction, face, valid = two_pictures()
    prediction.requires_grad_()
    loss = hole_mse(prediction, face, 0 * valid, valid)
    loss.backward()
    assert loss.item() == 0
    assert not prediction.grad.any()


def test_black_for_white_is_the_largest_squared_error() -> None:
    everywhere = torch.ones(1, 1, 2, 2)
    white = torch.ones(1, 3, 2, 2)
    worst = hole_mse(-white, white, everywhere, everywhere).item()
    assert worst == 4
    assert worst * 127.5**2 == 255**2
