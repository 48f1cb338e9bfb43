"""The parts a covering is made of: seeds, colours, noise, outlines, light."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from demask.coverings import noise
from demask.coverings.head import head_frame
from demask.coverings.look import HELD_OUT_HUES_DEG, PALETTES, VIVID, is_held_out, pick_colour
from demask.coverings.outline import closed_spline
from demask.coverings.shading import read_scene
from demask.rng import rng_for


def test_rng_for_is_the_digest_of_its_names():
    # blake2b("7/covering/face-1", 8 bytes) read little-endian, fed to numpy's default generator.
    expected = np.random.default_rng(int.from_bytes(bytes.fromhex("934541e2821fbab3"), "little"))
    assert (
        rng_for(7, "covering", "face-1").integers(0, 2**63, 4).tolist()
        == expected.integers(0, 2**63, 4).tolist()
    )
    assert rng_for(7, "covering", "face-2").random() != rng_for(7, "covering", "face-1").random()


@pytest.mark.parametrize("palette", list(PALETTES))
def test_training_never_picks_a_held_out_hue(palette):
    rng = np.random.default_rng(0)
    for _ in range(800):
        hue, saturation, _ = colorsys.rgb_to_hsv(*(float(c) for c in pick_colour(rng, palette, "training")))
        vivid = saturation > VIVID + 1e-3
        assert not (vivid and any(low < 360 * hue < high for low, high in HELD_OUT_HUES_DEG))
        held = pick_colour(rng, palette, "held_out")
        hue, saturation, _ = colorsys.rgb_to_hsv(*(float(c) for c in held))
        assert is_held_out(round(360 * hue, 1), saturation)


def test_noise_is_shared_and_cannot_be_written():
    field = noise.field(4.0)
    assert abs(float(field.mean())) < 1e-3
    assert float(field.std()) == pytest.approx(1.0, abs=1e-3)
    assert noise.field(4.0) is field
    with pytest.raises(ValueError, match="read-only"):
        field[0, 0] = 1


@pytest.mark.parametrize("size", [(30, 40), (512, 512), (700, 900)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_noise_piece_has_the_size_asked_for(size, channels):
    piece = noise.cut(np.random.default_rng(0), size, 0.5, stretch=(1.5, 2.0), channels=channels)
    assert piece.shape == (size if channels == 1 else (*size, channels))
    assert 0.5 < float(piece.std()) < 1.2


def test_the_spline_goes_through_its_control_points():
    control = np.random.default_rng(0).normal(size=(7, 2))
    curve = closed_spline(control)
    for point in control:
        assert np.abs(curve - point).sum(1).min() < 1e-9
    # Without tension every sample lies on a straight side.
    sides = closed_spline(control, 0.0)[:6]
    along, across = control[1] - control[0], sides - control[0]
    assert np.abs(along[0] * across[:, 1] - along[1] * across[:, 0]).max() < 1e-9


def test_the_head_frame_finds_the_turn(head_at):
    for yaw, roll in ((0, 0), (35, 0), (-50, 20)):
        frame = head_frame(head_at(yaw_deg=yaw, roll_deg=roll))
        assert np.allclose(frame.axes @ frame.axes.T, np.eye(3), atol=1e-9)
        assert np.rad2deg(np.arcsin(np.hypot(*frame.axes[2, :2]))) == pytest.approx(abs(yaw), abs=1)
        assert frame.width_px == pytest.approx(160, abs=1)
        assert np.allclose(frame.to_picture(frame.points), head_at(yaw_deg=yaw, roll_deg=roll), atol=1e-2)


def test_the_scene_is_read_from_the_face(head_at, face_like):
    frame = head_frame(head_at())
    left = read_scene(face_like(light=(-1, 0)), frame, np.random.default_rng(0))
    right = read_scene(face_like(light=(1, 0)), frame, np.random.default_rng(0))
    assert left.light[0] < -0.05 < 0.05 < right.light[0]
    quiet = read_scene(face_like(grain=0.5), frame, np.random.default_rng(0))
    noisy = read_scene(face_like(grain=6.0), frame, np.random.default_rng(0))
    assert noisy.grain == pytest.approx(6.0, rel=0.3)
    assert quiet.grain < 1.5
    assert quiet.tint is None
    grey = np.repeat(face_like()[..., :1], 3, axis=2)
    assert read_scene(grey, frame, np.random.default_rng(0)).tint is not None
