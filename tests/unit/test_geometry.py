"""Affine maps: what they move where, and that their helpers agree with each other."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from demask.geometry import (
    apply,
    box_around,
    compose,
    corners_under,
    crop_to_frame,
    from_shrunk,
    from_window,
    invert,
    is_invertible,
    scale_of,
    shrink,
    warp_back,
)
from demask.types import Matrix

TURNED: Matrix = np.array([[0.6, -0.8, 12.0], [0.8, 0.6, -30.0]]) * np.array([[1.5], [1.5]])
POINTS = np.array([(0, 0), (10, -3), (200.5, 77.25)], np.float32)


def test_composing_moves_by_the_first_and_then_by_the_second() -> None:
    other: Matrix = np.array([[2.0, 0.1, 5.0], [-0.3, 0.5, 1.0]])
    np.testing.assert_allclose(
        apply(compose(other, TURNED), POINTS), apply(other, apply(TURNED, POINTS)), rtol=1e-5
    )


def test_a_map_and_its_inverse_cancel_out() -> None:
    np.testing.assert_allclose(compose(TURNED, invert(TURNED)), [[1, 0, 0], [0, 1, 0]], atol=1e-12)


def test_depth_is_scaled_like_the_picture() -> None:
    moved = apply(TURNED, np.array([(0, 0, 4.0)], np.float32))
    assert moved[0, 2] == pytest.approx(4 * scale_of(TURNED))
    assert scale_of(TURNED) == pytest.approx(1.5)


def test_a_window_and_a_shrunk_source_are_mapped_to_the_same_place() -> None:
    in_window = POINTS - np.array([7, 5], np.float32)
    np.testing.assert_allclose(apply(from_window(TURNED, 7, 5), in_window), apply(TURNED, POINTS), rtol=1e-5)
    small, ratio = shrink(np.zeros((90, 121, 3), np.uint8), 3)
    assert small.shape[:2] == (30, 40)
    in_small = ((POINTS + 0.5) / ratio - 0.5).astype(np.float32)
    np.testing.assert_allclose(
        apply(from_shrunk(TURNED, ratio), in_small), apply(TURNED, POINTS), rtol=1e-4, atol=1e-3
    )


def test_corners_under_a_rectangle_map_back_onto_it() -> None:
    corners = corners_under(TURNED, 0, 0, 256, 128)
    np.testing.assert_allclose(
        apply(TURNED, corners.astype(np.float32)), [(0, 0), (256, 0), (256, 128), (0, 128)], atol=1e-3
    )


def test_a_box_is_cut_off_at_the_picture_and_none_outside_it() -> None:
    points = np.array([(-5.5, 2.2), (12.1, 90.0)])
    assert box_around(points, (40, 30), margin_px=1) == (0, 1, 15, 40)
    assert box_around(points + 100, (40, 30), margin_px=1) is None


def test_a_crop_warped_back_shows_the_photo_again() -> None:
    rng = np.random.default_rng(0)
    photo = cv2.GaussianBlur(rng.integers(0, 256, (300, 280, 3), np.uint8), (0, 0), 4).astype(np.uint8)
    matrix: Matrix = np.array([[0.9, -0.2, 10.0], [0.2, 0.9, -5.0]])
    crop, valid = crop_to_frame(photo, matrix)
    assert valid.mean() > 0.5
    back = warp_back(crop, matrix, (80, 90, 160, 150), how=cv2.INTER_LINEAR, border=cv2.BORDER_REPLICATE)
    assert np.abs(back.astype(int) - photo[90:150, 80:160]).max() <= 6


def test_flat_and_endless_maps_have_no_inverse() -> None:
    assert is_invertible(TURNED)
    assert not is_invertible(np.array([[1.0, 2.0, 0], [2.0, 4.0, 0]]))
    assert not is_invertible(np.array([[np.nan, 0, 0], [0, 1.0, 0]]))
