"""From coverage to covered or bare, on drawn coverages."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from demask.errors import ConfigError, InputError, WeightsError
from demask.faces.crop_networks import HoleFinder
from demask.faces.judge import LOWER_FACE, MOUTH, FoundHole, JudgeSettings, judge
from demask.types import Alpha, Hole
from demask.weights.sessions import open_session
from tiny_networks import BLUE

EVERYWHERE = np.ones((256, 256), bool)
GREY = np.full((256, 256, 3), 128, np.uint8)


def coverage_of(*boxes: tuple[int, int, int, int]) -> Alpha:
    """1 inside the boxes (x0, y0, x1, y1), 0 outside."""
    coverage = np.zeros((256, 256), np.float32)
    for x0, y0, x1, y1 in boxes:
        coverage[y0:y1, x0:x1] = 1
    return coverage


MASK = (75, 118, 181, 222)


def look(*boxes: tuple[int, int, int, int], config: JudgeSettings | None = None) -> FoundHole:
    return judge(coverage_of(*boxes), GREY, EVERYWHERE, config)


def test_the_regions_lie_where_nose_and_mouth_are() -> None:
    assert MOUTH[176, 97:160].all()  # The line between the mouth corners.
    assert LOWER_FACE[136, 128]
    assert not LOWER_FACE[92].any()  # The eyes.
    assert (MOUTH & ~LOWER_FACE).sum() == 0


def test_a_covering_is_found_and_widened() -> None:
    found = look(MASK, config=JudgeSettings(widen_px=4))
    assert found.covered
    assert found.confidence == pytest.approx(1)
    covering = coverage_of(MASK) > 0
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    assert np.array_equal(found.hole, cv2.dilate(covering.astype(np.uint8), disc) > 0)
    assert np.array_equal(found.coverage > 0.5, found.hole)
    assert np.array_equal(look(MASK, config=JudgeSettings(widen_px=0)).hole, covering)
    assert look(MASK).hole.sum() > covering.sum()


@pytest.mark.parametrize(
    ("what", "boxes"),
    [
        ("nothing", []),
        ("straps alone", [(20, 120, 80, 126), (176, 120, 236, 126)]),
        ("under the chin", [(70, 212, 186, 250)]),
        ("a microphone", [(105, 185, 150, 256)]),
        ("sunglasses", [(60, 75, 196, 112)]),
        ("a scarf at the neck", [(40, 225, 216, 256)]),
        ("a hand on the cheek", [(40, 100, 95, 230)]),
    ],
)
def test_a_bare_face_stays_bare(what: str, boxes: list[tuple[int, int, int, int]]) -> None:
    found = look(*boxes)
    assert not found.covered, what
    assert not found.hole.any()
    assert not found.coverage.any()
    assert 0 <= found.confidence <= 1


@pytest.mark.parametrize(
    ("what", "box"),
    [
        ("below the nose", (75, 150, 181, 222)),
        ("a half mask", (95, 112, 161, 215)),
        ("up to the eyes", (60, 100, 196, 256)),
    ],
)
def test_other_coverings_are_found(what: str, box: tuple[int, int, int, int]) -> None:
    assert look(box).covered, what


def test_parts_that_reach_the_covering_belong_to_it() -> None:
    strap_near, strap_far = (15, 150, 72, 156), (15, 40, 60, 46)
    found = look(MASK, strap_near, strap_far)
    assert found.hole[150:156, 20:70].all()
    assert not found.hole[:100].any()
    # The rim of what is left out must not come in either.
    assert not found.coverage[:100].any()


def test_prints_are_filled_but_the_loop_of_a_strap_is_not() -> None:
    coverage = coverage_of(MASK)
    coverage[150:160, 120:135] = 0  # A print that the network missed.
    coverage[170:195, 105:150] = 0  # A window over the mouth.
    ring = coverage_of((10, 110, 80, 180))
    ring[114:176, 14:76] = 0
    found = judge(np.maximum(coverage, ring), GREY, EVERYWHERE, JudgeSettings(widen_px=0))
    assert found.hole[150:160, 120:135].all()
    assert found.hole[170:195, 105:150].all()
    assert not found.hole[120:170, 20:70].any()


def test_soft_edges_stay_soft() -> None:
    soft = cv2.GaussianBlur(coverage_of(MASK), (0, 0), 2)
    found = judge(soft, GREY, EVERYWHERE)
    rim = (found.coverage > 0.05) & (found.coverage < 0.95)
    assert rim.sum() > 500
    assert np.array_equal(found.coverage > 0.5, found.hole)


def test_what_is_pasted_ends_where_the_hole_does_at_any_threshold() -> None:
    soft = cv2.GaussianBlur(coverage_of(MASK), (0, 0), 3)
    holes = [judge(soft, GREY, EVERYWHERE, JudgeSettings(threshold=at, widen_px=0)) for at in (0.7, 0.5, 0.2)]
    for found in holes:
        assert np.array_equal(found.coverage > 0.5, found.hole)
    areas = [found.hole.sum() for found in holes]
    assert areas[0] < areas[1] < areas[2]
    assert np.array_equal(holes[2].hole, soft > 0.2)


def test_what_the_photo_does_not_show_counts_for_nothing() -> None:
    valid = EVERYWHERE.copy()
    valid[:, :128] = False
    found = judge(coverage_of(MASK), GREY, valid)
    assert found.covered
    assert not found.hole[:, :128].any()
    nothing: Hole = np.zeros((256, 256), bool)
    assert not judge(coverage_of(MASK), GREY, nothing).covered


def test_confidence_follows_the_coverage() -> None:
    sure, unsure = judge(coverage_of(MASK), GREY, EVERYWHERE), judge(0.6 * coverage_of(MASK), GREY, EVERYWHERE)
    assert sure.confidence > 0.95
    assert unsure.covered
    assert unsure.confidence == pytest.approx(0.6, abs=0.01)
    assert judge(0.3 * coverage_of(MASK), GREY, EVERYWHERE).confidence == pytest.approx(0.7, abs=0.06)


@pytest.mark.parametrize(
    "setting", [{"threshold": 1.0}, {"min_mouth": 0.0}, {"widen_px": -1}, {"colour_weight": 1.5}]
)
def test_settings_are_checked(setting: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(setting))):
        JudgeSettings(**setting)  # type: ignore[arg-type]


def test_the_finder_takes_any_number_of_crops(tiny_weights: Path) -> None:
    finder = HoleFinder(open_session(tiny_weights / "hole.onnx", device="cpu", threads=1))
    crops = np.full((19, 256, 256, 3), 120, np.uint8)
    for index in range(19):
        crops[index, :, : 2 * index] = BLUE
    coverage = finder(crops)
    assert coverage.dtype == np.float32
    assert coverage.sum(axis=(1, 2)).tolist() == [512 * index for index in range(19)]
    assert finder(crops[:0]).shape == (0, 256, 256)
    with pytest.raises(InputError, match="crop_to_frame"):
        finder(crops[:, :128])


def test_another_network_is_refused(tiny_weights: Path) -> None:
    with pytest.raises(WeightsError, match="not a hole finder"):
        HoleFinder(open_session(tiny_weights / "restorer.onnx", device="cpu"))


def test_a_mirrored_crop_gets_the_mirrored_coverage() -> None:
    crop = np.random.default_rng(0).integers(0, 256, (1, 256, 256, 3), np.uint8)
    crop[:, 100:240, 40:180] = (60, 90, 200)
    find, alone = HoleFinder.shipped(threads=1), HoleFinder(open_session("hole", threads=1), mirrored=False)
    assert np.allclose(find(crop[:, :, ::-1]), find(crop)[:, :, ::-1], atol=1e-5)
    assert not np.allclose(alone(crop[:, :, ::-1]), alone(crop)[:, :, ::-1], atol=1e-3)


def test_a_look_that_sees_no_covering_does_not_halve_the_other(tmp_path: Path) -> None:
    # Coverage is the blue of a pixel, but only where the crop's upper left corner is blue: in one look of two.
    nodes = [
        helper.make_node("Cast", ["crop"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["levels", "scale"], ["shares"]),
        helper.make_node("Gather", ["shares", "blue"], ["blues"], axis=3),
        helper.make_node("Slice", ["blues", "zeros", "ones", "rows_columns"], ["corner"]),
        helper.make_node("Mul", ["blues", "corner"], ["coverage"]),
    ]
    constants = {"scale": np.float32(1 / 255), "blue": np.array(2), "zeros": np.array([0, 0])}
    constants |= {"ones": np.array([1, 1]), "rows_columns": np.array([1, 2])}
    graph = helper.make_graph(
        nodes,
        "half blind",
        [helper.make_tensor_value_info("crop", TensorProto.UINT8, ["N", 256, 256, 3])],
        [helper.make_tensor_value_info("coverage", TensorProto.FLOAT, ["N", 256, 256])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    path = tmp_path / "hole.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)

    covered = np.zeros((2, 256, 256, 3), np.uint8)
    covered[:, 110:230, 70:190] = BLUE
    covered[0, 0, 0] = covered[1, 0, -1] = BLUE
    bare = np.zeros((1, 256, 256, 3), np.uint8)
    find = HoleFinder(open_session(path, threads=1))
    coverage = find(np.concatenate([covered, bare]))
    assert np.allclose(coverage[0, 110:230, 70:190], 1, atol=0.01)
    assert np.allclose(coverage[1, 110:230, 70:190], 1, atol=0.01)
    assert not coverage[2].any()
