"""LPIPS and identity on the real networks: order, symmetry, pictures without texture."""

import cv2
import numpy as np
import pytest

from demask.errors import InputError
from demask.evaluation.metrics.comparison import FIGURES, Comparison
from demask.evaluation.metrics.likeness import Identity
from demask.geometry import FRAME_POINTS


@pytest.mark.shared
def test_lpips_grows_with_the_damage(comparison: Comparison, drawn_face: np.ndarray) -> None:
    scores = [
        comparison.networks.distances["lpips"](cv2.GaussianBlur(drawn_face, (0, 0), sigma), drawn_face)
        for sigma in (0.8, 2, 6)
    ]
    assert comparison.networks.distances["lpips"](drawn_face, drawn_face) == 0
    assert 0 < scores[0] < scores[1] < scores[2]


@pytest.mark.shared
@pytest.mark.parametrize(("level", "other"), [(0, 255), (0, 1), (128, 127), (255, 0), (1, 0)])
def test_lpips_of_flat_pictures_is_a_number(comparison: Comparison, level: int, other: int) -> None:
    one, two = np.full((256, 256, 3), level, np.uint8), np.full((256, 256, 3), other, np.uint8)
    assert comparison.networks.distances["lpips"](one, two) > 0
    assert comparison.networks.distances["lpips"](one, one) == 0


@pytest.mark.shared
def test_lpips_refuses_pictures_of_two_sizes(comparison: Comparison) -> None:
    with pytest.raises(InputError, match="one size"):
        comparison.networks.distances["lpips"](np.zeros((64, 64, 3), np.uint8), np.zeros((64, 65, 3), np.uint8))


@pytest.mark.shared
def test_identity_is_one_for_itself_and_ignores_the_frame(
    comparison: Comparison, drawn_face: np.ndarray
) -> None:
    identity = comparison.networks.by_points["identity"]
    assert isinstance(identity, Identity)
    assert identity(drawn_face, drawn_face, FRAME_POINTS) == pytest.approx(1, abs=1e-5)
    matrix = np.array([[0.9, -0.2, 30.0], [0.2, 0.9, 5.0]])
    turned = cv2.warpAffine(drawn_face, matrix, (300, 300), borderMode=cv2.BORDER_REPLICATE)
    points = (FRAME_POINTS @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    cosine = identity.embed(turned, points) @ identity.embed(drawn_face, FRAME_POINTS)
    assert cosine > 0.95
    covered = drawn_face.copy()
    covered[140:] = (90, 160, 200)
    assert identity(covered, drawn_face, FRAME_POINTS) < 0.9


@pytest.mark.shared
@pytest.mark.parametrize("kind", ["identical", "black", "one pixel", "no valid hole"])
def test_the_comparison_stays_finite(comparison: Comparison, drawn_face: np.ndarray, kind: str) -> None:
    hole = np.zeros((256, 256), bool)
    hole[140:240, 50:200] = True
    picture, valid = drawn_face.copy(), np.ones((256, 256), bool)
    if kind == "black":
        picture[:] = 0
    if kind == "one pixel":
        hole[:] = False
        hole[255, 0] = True
        picture[255, 0] ^= 255
    if kind == "no valid hole":
        valid = ~hole
    figures = comparison(picture, drawn_face, hole=hole, valid=valid, points=FRAME_POINTS).figures
    assert set(figures) == set(FIGURES)
    in_hole = {name for name in FIGURES if name.startswith("hole_")}
    lost = {name for name, value in figures.items() if not np.isfinite(value)}
    assert lost == (in_hole if kind == "no valid hole" else set())
    if kind == "identical":
        assert figures["hole_lpips"] == figures["lpips"] == 0
        assert figures["ssim"] == pytest.approx(1)


@pytest.mark.shared
def test_what_lies_outside_the_hole_does_not_enter_its_figures(
    comparison: Comparison, drawn_face: np.ndarray
) -> None:
    hole = np.zeros((256, 256), bool)
    hole[140:240, 50:200] = True
    spoilt = drawn_face.copy()
    spoilt[~hole] = 255 - spoilt[~hole]
    figures = comparison(
        spoilt, drawn_face, hole=hole, valid=np.ones((256, 256), bool), points=FRAME_POINTS
    ).figures
    assert figures["hole_lpips"] == figures["hole_mse"] == 0
    assert figures["lpips"] > 0.1
