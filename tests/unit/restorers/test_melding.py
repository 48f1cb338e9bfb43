"""Image melding: turned and re-lit sources where plain ones fail, and what it must never do."""

from __future__ import annotations

import dataclasses
import re
import sys

import numpy as np
import numpy.typing as npt
import pytest

from demask.errors import ConfigError, InputError, ShapeMismatch, UsageError
from demask.extras import install_command
from demask.restorers.by_name import describe, get_restorer
from demask.restorers.cielab import to_lab, to_rgb
from demask.restorers.criminisi import Criminisi
from demask.restorers.melding import Melding, MeldingConfig
from demask.types import Hole, ImageU8

pytest.importorskip("numba")
pytest.importorskip("scipy")

PLAIN = MeldingConfig(
    most_turn_deg=0.0,
    least_scale=1.0,
    most_scale=1.0,
    least_aspect=1.0,
    most_aspect=1.0,
    mirrored=False,
    least_gain=1.0,
    most_gain=1.0,
    most_bias=0.0,
)
QUICK = MeldingConfig(num_levels=3, first_iterations=6, fewer_iterations=2, least_iterations=2, sweeps=2)


def round_hole(side: int, radius: float) -> Hole:
    y, x = np.mgrid[0:side, 0:side] - side // 2
    inside: Hole = y**2 + x**2 < radius**2
    return inside


def psnr(restored: ImageU8, truth: ImageU8, hole: Hole) -> float:
    """Decibels, in the hole."""
    apart = restored[hole].astype(float) - truth[hole]
    return float(10 * np.log10(255**2 / np.mean(apart**2)))


def stripes(turn_deg: float) -> npt.NDArray[np.float64]:
    """Stripes of two widths about the middle, CIE Lab [80, 80, 3]."""
    y, x = np.mgrid[0:80, 0:80] - 40.0
    turn = np.radians(turn_deg)
    along = np.cos(turn) * x + np.sin(turn) * y
    wave = np.sin(2 * np.pi * along / 12) + 0.5 * np.sin(2 * np.pi * along / 6 + 1)
    return np.stack([55 + 16 * wave, 12 - 8 * wave, 20 + 6 * wave], axis=2)


def quick(picture: ImageU8, hole: Hole) -> ImageU8:
    return Melding(QUICK)(picture, hole)


def test_turned_and_relit_stripes_go_on_where_plain_patches_cannot() -> None:
    """Upright stripes hold a disc of turned and re-lit ones; the hole leaves 8 px of it, less than a patch."""
    lab = stripes(0)
    disc = round_hole(80, 22)
    lab[disc] = (1.04 * stripes(30) + [4, -3, 4])[disc]
    truth, hole = to_rgb(lab), round_hole(80, 14)
    masked = np.where(hole[..., None], np.uint8(0), truth)

    def filled(config: MeldingConfig) -> float:
        # Fewer rounds than by default do for a small picture.
        fewer = dataclasses.replace(config, num_levels=5, first_iterations=14, least_iterations=4)
        return psnr(Melding(fewer)(masked, hole), truth, hole)

    melded = filled(MeldingConfig())
    assert melded > 30
    assert (
        melded > filled(dataclasses.replace(MeldingConfig(), least_gain=1.0, most_gain=1.0, most_bias=0.0)) + 6
    )
    assert melded > filled(PLAIN) + 12
    assert melded > psnr(Criminisi()(masked, hole), truth, hole) + 12


def test_a_constant_picture_stays_constant() -> None:
    picture = np.full((48, 40, 3), (90, 140, 30), np.uint8)
    hole = np.zeros((48, 40), bool)
    hole[10:34, 8:30] = True
    assert np.array_equal(quick(np.where(hole[..., None], np.uint8(0), picture), hole), picture)


def test_a_hole_of_one_pixel_is_filled_from_around_it() -> None:
    picture = to_rgb(stripes(0))
    masked, hole = picture.copy(), np.zeros((80, 80), bool)
    hole[33, 41] = True
    masked[33, 41] = 255
    restored = quick(masked, hole)
    assert np.array_equal(restored[~hole], picture[~hole])
    assert np.abs(restored[33, 41].astype(int) - picture[33, 41]).max() <= 6


@pytest.mark.parametrize("part", [np.s_[:, 45:], np.s_[50:, 50:], np.s_[:, :], np.s_[30:50]])
def test_a_hole_that_reaches_the_border(part: tuple[slice, ...]) -> None:
    picture = to_rgb(stripes(0))
    hole = np.zeros((80, 80), bool)
    hole[part] = True
    hole[:40, :40] = False
    restored = quick(np.where(hole[..., None], np.uint8(255), picture), hole)
    assert np.array_equal(restored[~hole], picture[~hole])
    assert psnr(restored, picture, hole) > 16  # The mean colour everywhere has less than 15.


def test_what_lies_in_the_hole_does_not_matter_and_runs_agree() -> None:
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 256, (40, 44, 3), np.uint8)
    hole = np.zeros((40, 44), bool)
    hole[14:29, 12:30] = True
    other = np.where(hole[..., None], rng.integers(0, 256, picture.shape, np.uint8), picture)
    before = picture.copy(), hole.copy()
    restorer = Melding(QUICK)
    restored = restorer(picture, hole)
    assert np.array_equal(restored, restorer(picture, hole))
    assert np.array_equal(restored, quick(other, hole))
    assert np.array_equal(restored, quick(picture, (hole.astype(np.uint8) * 255).view(np.bool_)))
    assert np.array_equal(restored[~hole], picture[~hole])
    assert np.array_equal(picture, before[0])
    assert np.array_equal(hole, before[1])
    assert not np.array_equal(restored, Melding(dataclasses.replace(QUICK, seed=1))(picture, hole))


@pytest.mark.parametrize("hole", [np.ones((40, 40), bool), np.indices((40, 40)).sum(axis=0) % 9 == 0])
def test_nothing_to_copy_is_said(hole: Hole) -> None:
    with pytest.raises(InputError, match="no whole 10x10 px patch of the 40x40 px picture"):
        Melding()(np.zeros((40, 40, 3), np.uint8), hole)


def test_a_picture_smaller_than_a_patch_no_hole_and_bad_sizes() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
    with pytest.raises(InputError, match="12x9 px"):
        Melding()(picture, np.eye(9, 12, dtype=bool))
    assert np.array_equal(Melding()(picture, np.zeros((9, 12), bool)), picture)
    with pytest.raises(ShapeMismatch):
        Melding()(picture, np.zeros((9, 13), bool))


@pytest.mark.parametrize(
    "wrong",
    [
        {"patch_px": 1},
        {"gradient_weight": -0.1},
        {"most_turn_deg": 200.0},
        {"least_scale": 1.1},
        {"most_gain": 0.9},
        {"most_bias": -1.0},
        {"sweeps": 0},
        {"fewer_iterations": -1},
    ],
)
def test_settings_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong)).split("_")[-1]):
        MeldingConfig(**wrong)  # type: ignore[arg-type]


def test_described_parameters_are_those_in_use() -> None:
    ours = {parameter.name: parameter.ours for parameter in describe("melding").parameters}
    assert ours == {name: getattr(MeldingConfig(), name) for name in MeldingConfig.__dataclass_fields__}


def test_without_numba_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("patch_match", "patch_kernels"):
        monkeypatch.delitem(sys.modules, f"demask.restorers.{name}", raising=False)
        monkeypatch.delattr(f"demask.restorers.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(UsageError, match=re.escape(install_command("classical"))):
        get_restorer("melding")


def test_lab_and_back_is_every_colour() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (4000, 3), np.uint8)
    colours[:8] = np.indices((2, 2, 2)).reshape(3, 8).T * 255
    assert np.array_equal(to_rgb(to_lab(colours)), colours)
