"""Coverage corrected by the picture's own colours, on drawn pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from demask.evaluation.metrics.pixels import hole_iou
from demask.faces.colours import NEAR_PX, by_colour
from demask.faces.judge import JudgeSettings, judge
from demask.types import Alpha, Hole, ImageU8

EVERYWHERE = np.ones((256, 256), bool)


def covering() -> Hole:
    drawn = np.zeros((256, 256), np.uint8)
    cv2.ellipse(drawn, (128, 170), (60, 50), 0, 0, 360, 1, -1)
    return drawn.astype(bool)


def picture(cloth: tuple[int, int, int], skin: tuple[int, int, int]) -> ImageU8:
    """Skin with a covering of cloth, both with noise."""
    drawn = np.where(covering()[..., None], cloth, skin).astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 6, (256, 256, 1)).astype(np.float32)
    return np.clip(drawn + noise, 0, 255).astype(np.uint8)


BLUE, SKIN = (90, 140, 190), (205, 160, 135)


def unsure(missed: float = 0.2, spilt: float = 0.5) -> Alpha:
    """The covering with a part that is missed and one that is spilt over the skin."""
    coverage = covering().astype(np.float32)
    coverage[150:200, 70:90] *= missed
    coverage[120:140, 60:80] = np.maximum(coverage[120:140, 60:80], spilt)
    return coverage


def test_colours_find_what_is_missed_and_drop_what_is_spilt() -> None:
    crop, coverage = picture(BLUE, SKIN), unsure()
    before = hole_iou(coverage > 0.35, covering())
    after = hole_iou(by_colour(coverage, crop, EVERYWHERE, weight=0.6) > 0.35, covering())
    assert before < 0.9
    assert after > 0.99


def test_the_heavier_the_colours_the_more_they_change() -> None:
    crop, coverage = picture(BLUE, SKIN), unsure(missed=0.02)
    changed = [np.abs(by_colour(coverage, crop, EVERYWHERE, weight=w) - coverage).sum() for w in (0, 0.2, 0.6)]
    assert changed[0] == 0
    assert changed[1] < changed[2]


def test_one_colour_on_both_sides_changes_nothing() -> None:
    crop, coverage = np.full((256, 256, 3), 128, np.uint8), unsure()
    assert by_colour(coverage, crop, EVERYWHERE, weight=1) == pytest.approx(coverage, abs=1e-3)


def test_what_is_far_from_the_covering_stays() -> None:
    crop, coverage = picture(BLUE, SKIN), unsure()
    crop[:40] = BLUE
    coverage[:40] = 0.3
    corrected = by_colour(coverage, crop, EVERYWHERE, weight=1)
    assert NEAR_PX < 120 - 40
    assert np.array_equal(corrected[:40], coverage[:40])


def test_too_few_pixels_tell_no_colours() -> None:
    crop = picture(BLUE, SKIN)
    speck = np.zeros((256, 256), np.float32)
    speck[100:110, 100:110] = 1
    for coverage in (speck, 1 - speck, 0.6 * unsure(), np.zeros_like(speck)):
        assert np.array_equal(by_colour(coverage, crop, EVERYWHERE, weight=1), coverage)


def test_what_the_photo_does_not_show_is_no_witness() -> None:
    """A black covering at the photo's edge, beyond which a crop is black as well."""
    crop, coverage = picture((6, 6, 6), SKIN), unsure(missed=0.3)
    valid = EVERYWHERE.copy()
    valid[:, :75] = valid[:, 181:] = False
    crop[~valid], coverage[~valid] = 0, 0
    corrected = by_colour(coverage, crop, valid, weight=0.6)
    assert hole_iou(corrected > 0.35, covering(), valid) > 0.99


def test_straps_of_another_colour_stay() -> None:
    """A white strap before a white wall: most of what is white is wall, but the strap is sure in part."""
    strap = np.zeros((256, 256), np.uint8)
    cv2.line(strap, (75, 150), (20, 100), 1, 5)
    thin = strap.astype(bool) & ~covering()
    crop, coverage = picture(BLUE, SKIN), unsure()
    crop[:, 200:] = crop[thin] = (235, 235, 235)
    coverage[thin] = 0.95
    coverage[:125, :45][thin[:125, :45]] = 0.5  # The far end is less sure.
    corrected = by_colour(coverage, crop, EVERYWHERE, weight=0.6)
    assert (corrected[thin] > 0.35).mean() > 0.95


def test_a_hole_ends_where_the_colours_do() -> None:
    crop, coverage = picture(BLUE, SKIN), unsure()
    by_network, by_both = (
        judge(coverage, crop, EVERYWHERE, JudgeSettings(widen_px=0, colour_weight=weight))
        for weight in (0, 0.6)
    )
    assert hole_iou(by_both.hole, covering()) > 0.99 > hole_iou(by_network.hole, covering())
    assert by_both.confidence == by_network.confidence


def test_colours_that_leave_no_covering_are_not_believed() -> None:
    coverage = 0.5 * covering().astype(np.float32)
    coverage[205:220, 105:150] = 1  # All that is blue.
    crop = picture(SKIN, SKIN)
    crop[205:220, 105:150] = BLUE
    found = judge(coverage, crop, EVERYWHERE, JudgeSettings(widen_px=0))
    assert found.covered
    assert hole_iou(found.hole, covering()) > 0.99
