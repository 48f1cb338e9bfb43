import dataclasses
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import save_file

from demask.geometry import WINDOWS
from demask.training.engine.start import begin_with
from demask.training.export import graphs
from demask.training.export.onnx_writer import write_onnx
from demask.training.models.critics import PatchCritic
from demask.training.models.layers import TokenMixer
from demask.training.models.ranges import to_model_range, to_pixels
from demask.training.models.unet import HoleConfig, RestorerConfig, UNetConfig

TINY = UNetConfig(widths=(8, 8, 16), encoder_blocks=(1, 1), decoder_blocks=(1, 1), mixer_blocks=1, num_heads=2)


def shaken(network: torch.nn.Module) -> torch.nn.Module:
    """Fresh blocks pass their input on; give every weight a value so that a wrong export shows."""
    torch.manual_seed(0)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()


def test_every_pixel_value_survives_the_round_trip() -> None:
    pixels = torch.arange(256, dtype=torch.uint8)
    values = to_model_range(pixels)
    assert values.min() == -1
    assert values.max() == 1
    assert torch.equal(to_pixels(values), pixels)


def test_the_restorer_never_sees_what_the_hole_shows() -> None:
    network = shaken(RestorerConfig(body=TINY).build())
    masked = torch.rand(1, 3, 256, 256) * 2 - 1
    hole = torch.zeros(1, 1, 256, 256)
    hole[..., 100:200, 80:180] = 1
    other = torch.where(hole > 0.5, torch.rand_like(masked), masked)
    with torch.no_grad():
        first, second = network(masked, hole), network(other, hole)
    assert torch.equal(first.prediction, second.prediction)
    assert first.prediction.shape == masked.shape
    assert first.coarse.shape == (1, 3, 128, 128)


def test_gradients_reach_every_weight() -> None:
    network = shaken(RestorerConfig(body=TINY).build()).train()
    out = network(torch.randn(1, 3, 256, 256), torch.ones(1, 1, 256, 256))
    (out.prediction.mean() + out.coarse.mean()).backward()
    without = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert without == []


def test_the_critic_judges_patches() -> None:
    critic = PatchCritic(base_channels=8)
    opinion = critic(torch.randn(2, 3, 64, 64), torch.ones(2, 1, 64, 64))
    assert opinion.logits.shape == (2, 1, 8, 8)
    assert len(opinion.features) == 4


@pytest.mark.parametrize("batch", [1, 3])
def test_exported_networks_say_what_torch_says(tmp_path: Path, batch: int) -> None:
    rng = np.random.default_rng(3)
    crop = rng.integers(0, 256, (batch, 256, 256, 3), dtype=np.uint8)
    hole = rng.integers(0, 2, (batch, 256, 256), dtype=np.uint8)

    restorer = shaken(RestorerConfig(body=TINY).build())
    graphs.export_restorer(restorer, tmp_path / "restorer.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "restorer.onnx"))
    (restored,) = session.run(None, {"masked": crop, "hole": hole})
    with torch.no_grad():
        picture = to_model_range(torch.from_numpy(crop).permute(0, 3, 1, 2))
        wanted = to_pixels(restorer(picture, torch.from_numpy(hole)[:, None].float()).prediction)
    assert restored.dtype == np.uint8
    assert np.abs(restored.astype(int) - wanted.permute(0, 2, 3, 1).numpy()).max() <= 2

    segmenter = shaken(HoleConfig(body=TINY).build())
    graphs.export_hole(segmenter, tmp_path / "hole.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "hole.onnx"))
    (coverage,) = session.run(None, {"crop": crop})
    with torch.no_grad():
        wanted = torch.sigmoid(segmenter(picture))[:, 0]
    np.testing.assert_allclose(coverage, wanted.numpy(), atol=0.01)


def test_a_graph_that_differs_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from demask.errors import TrainingError

    network = shaken(HoleConfig(body=TINY).build())
    crop = torch.zeros(2, 256, 256, 3, dtype=torch.uint8)
    with pytest.raises(TrainingError, match="differs from torch"):
        write_onnx(
            graphs.hole_graph(network),
            {"crop": crop},
            ["coverage"],
            tmp_path / "x.onnx",
            network=network,
            tolerance=-1,
        )
    assert list(tmp_path.iterdir()) == []


def test_places_of_the_tight_window_lie_in_the_wide_one() -> None:
    mixer = TokenMixer(8, side=24, num_blocks=1, num_heads=2)
    grid = mixer.place.reshape(24, 24, 8)
    assert torch.equal(mixer.places(24, 24), mixer.place)
    # geometry.TIGHT begins 64 px, four cells, to the right of geometry.WIDE and 32 px, two cells, below.
    assert torch.equal(mixer.places(16, 16).reshape(16, 16, 8), grid[2:18, 4:20])


def test_places_learnt_for_the_tight_window_serve_the_wide_one() -> None:
    known, wide = (TokenMixer(8, side=side, num_blocks=1, num_heads=2) for side in (16, 24))
    spread = wide.spread(known.place.detach())
    wide.place.data = spread
    assert torch.equal(wide.places(16, 16), known.place)
    grid, inner = spread.reshape(24, 24, 8), known.place.reshape(16, 16, 8)
    assert torch.equal(grid[0, 0], inner[0, 0])
    assert torch.equal(grid[23, 12], inner[15, 8])


def test_an_export_takes_crops_of_both_windows(tmp_path: Path) -> None:
    network = shaken(HoleConfig(body=TINY).build())
    graphs.export_hole(network, tmp_path / "hole.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "hole.onnx"))
    for window in WINDOWS:
        crop = np.random.default_rng(1).integers(0, 256, (1, window.side_px, window.side_px, 3), dtype=np.uint8)
        (coverage,) = session.run(None, {"crop": crop})
        with torch.no_grad():
            picture = to_model_range(torch.from_numpy(crop).permute(0, 3, 1, 2))
            wanted = torch.sigmoid(network(picture))[:, 0]
        np.testing.assert_allclose(coverage, wanted.numpy(), atol=0.01)


def test_weights_of_the_tight_window_can_be_begun_with(tmp_path: Path) -> None:
    tight = shaken(HoleConfig(body=dataclasses.replace(TINY, picture_px=256)).build())
    save_file(tight.state_dict(), tmp_path / "tight.safetensors")
    wide = HoleConfig(body=TINY).build().eval()
    begin_with(wide, tmp_path / "tight.safetensors", export=graphs.export_hole)
    crop = torch.rand(1, 3, 256, 256) * 2 - 1
    with torch.no_grad():
        assert torch.equal(wide(crop), tight(crop))
        assert wide(torch.rand(1, 3, 384, 384)).shape == (1, 1, 384, 384)
