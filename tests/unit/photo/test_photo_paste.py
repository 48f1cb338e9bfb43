"""Paste-back on drawn skin: nothing outside the hole moves, tone and grain meet at its edge."""

from __future__ import annotations

import tracemalloc
from typing import Any

import cv2
import numpy as np
import pytest

from demask.errors import InputError, ShapeMismatch
from demask.geometry import Framed
from demask.photo.grain import Grain, draw, measure, missing
from demask.photo.paste import PasteConfig, Pasted, paste_back

ALL_VALID = np.ones((256, 256), bool)


def skin(height: int, width: int, *, grain: float = 0.0, seed: int = 0) -> np.ndarray[Any, Any]:
    """A softly shaded surface of a skin-like colour."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    shade = 25 * np.sin(columns / width * 3) - 20 * (rows / height)
    picture = np.array([190, 150, 130], np.float32) + shade[..., None]
    noise = np.random.default_rng(seed).normal(0, 1, (height, width)) * grain
    return np.clip(np.rint(picture + noise[..., None]), 0, 255).astype(np.uint8)


def lower_face(radius: float = 60) -> np.ndarray[Any, Any]:
    rows, columns = np.mgrid[:256, :256]
    return ((columns - 128) ** 2 + (rows - 150) ** 2 < radius**2).astype(np.float32)


def frame_at(x: float, y: float, *, scale: float = 1.0, angle: float = 0.0) -> np.ndarray[Any, Any]:
    """Map from photo to frame: the frame's corner lies at (x, y), one photo pixel is `scale` frame px."""
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([linear, -linear @ np.array([x, y])])


def crop_of(photo: np.ndarray[Any, Any], matrix: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return cv2.warpAffine(photo, matrix, (256, 256), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)


def framed(
    photo: np.ndarray[Any, Any], matrix: np.ndarray[Any, Any], valid: np.ndarray[Any, Any] = ALL_VALID
) -> Framed:
    return Framed(matrix=matrix, crop=crop_of(photo, matrix), valid=valid)


@pytest.mark.parametrize(("scale", "angle"), [(0.35, 0.0), (1.0, 0.4), (2.5, -2.0), (1.0, 0.0)])
def test_the_true_crop_comes_back_almost_as_it_was(scale: float, angle: float) -> None:
    photo = skin(800, 900)
    matrix = frame_at(20, 20, scale=scale, angle=angle)
    matrix[:, 2] = np.array([128, 128]) - matrix[:, :2] @ np.array([450, 400])  # The middle of the photo.
    pasted = paste_back(photo, crop_of(photo, matrix), lower_face(), framed(photo, matrix))
    assert np.array_equal(pasted.pixels[~pasted.hole], photo[~pasted.hole])
    assert np.abs(pasted.pixels.astype(int) - photo).max() <= 4
    # The disc of radius 60 in the frame, at the photo's scale.
    assert pasted.hole.sum() == pytest.approx(np.pi * 60**2 / scale**2, rel=0.05)


def test_the_photo_itself_is_not_touched() -> None:
    photo = skin(300, 300)
    before = photo.copy()
    paste_back(photo, np.zeros((256, 256, 3), np.uint8), lower_face(), framed(photo, frame_at(20, 20)))
    assert np.array_equal(photo, before)


@pytest.mark.parametrize("everywhere", [True, False])
def test_a_tone_error_is_taken_out(everywhere: bool) -> None:
    photo, matrix = skin(400, 400), frame_at(70, 60)
    error = np.array([14, -9, 6])
    wrong = np.clip(crop_of(photo, matrix).astype(int) + error, 0, 255).astype(np.uint8)
    if not everywhere:  # A network that copies what it was shown and errs only inside.
        wrong = np.where(lower_face()[..., None] > 0, wrong, crop_of(photo, matrix))
    raw = PasteConfig(match_tone=False, match_grain=False)
    unmatched = paste_back(photo, wrong, lower_face(), framed(photo, matrix), config=raw)
    matched = paste_back(photo, wrong, lower_face(), framed(photo, matrix))
    hole = matched.hole
    error_before = np.abs(unmatched.pixels[hole].astype(int) - photo[hole]).mean()
    error_after = np.abs(matched.pixels[hole].astype(int) - photo[hole]).mean()
    assert error_before > 8
    assert error_after < 2


def test_hair_in_the_ring_does_not_tint_the_skin() -> None:
    photo, matrix = skin(400, 400), frame_at(70, 60)
    predicted = crop_of(photo, matrix)
    photo[:, :145] = (25, 20, 18)  # Dark hair that the network did not expect, left of the hole.
    pasted = paste_back(photo, predicted, lower_face(), framed(photo, matrix))
    centre = pasted.pixels[190:230, 190:230].astype(int)
    assert np.abs(centre - skin(400, 400)[190:230, 190:230]).mean() < 3


def test_a_grey_photo_gets_a_grey_face() -> None:
    grey = np.repeat(skin(400, 400)[..., :1], 3, axis=2)
    coloured = skin(256, 256)
    pasted = paste_back(grey, coloured, lower_face(), framed(grey, frame_at(70, 60)))
    assert np.ptp(pasted.pixels, axis=2).max() == 0
    assert pasted.hole.any()


def test_a_toned_photo_gets_a_toned_face() -> None:
    ramp = skin(400, 400)[..., :1].astype(np.float32)
    sepia = np.clip(ramp * np.array([1.0, 0.85, 0.65]), 0, 255).astype(np.uint8)
    blue = np.full((256, 256, 3), (90, 120, 200), np.uint8)
    pasted = paste_back(sepia, blue, lower_face(), framed(sepia, frame_at(70, 60)))
    inside = pasted.pixels[pasted.hole].astype(float)
    assert (inside[:, 0] > inside[:, 1]).all()
    assert (inside[:, 1] > inside[:, 2]).all()


def test_a_colour_photo_keeps_its_colours() -> None:
    photo, matrix = skin(400, 400), frame_at(70, 60)
    photo[::16] = (60, 90, 160)
    crop = crop_of(photo, matrix)
    crop[140:160, 110:146] = (170, 60, 70)
    pasted = paste_back(photo, crop, lower_face(), framed(photo, matrix))
    lips = pasted.pixels[205:215, 185:210].astype(int)
    assert (lips[..., 0] - lips[..., 1] > 70).all()


@pytest.mark.parametrize("sigma", [3.0, 6.0])
def test_a_smooth_face_gets_the_grain_of_its_photo(sigma: float) -> None:
    photo, matrix = skin(500, 500, grain=sigma), frame_at(100, 100)
    smooth = crop_of(skin(500, 500), matrix)
    pasted = paste_back(photo, smooth, lower_face(), framed(photo, matrix))
    box = (slice(215, 285), slice(193, 263))
    grain = measure(cv2.cvtColor(pasted.pixels[box], cv2.COLOR_RGB2GRAY), np.ones((70, 70), bool))
    assert grain is not None
    assert grain.fine == pytest.approx(sigma, rel=0.25)


def test_coarse_grain_is_added_in_the_share_asked_for() -> None:
    matrix, rng = frame_at(100, 100), np.random.default_rng(0)
    smooth = skin(500, 500)
    noise = draw(Grain(fine=0.0, coarse=6.0), (500, 500), rng)
    photo = np.clip(np.rint(smooth + noise[..., None]), 0, 255).astype(np.uint8)
    box = (slice(200, 300), slice(178, 278))

    def coarse(share: float) -> float:
        config = PasteConfig(coarse_grain=share)
        pasted = paste_back(photo, crop_of(smooth, matrix), lower_face(), framed(photo, matrix), config=config)
        grain = measure(cv2.cvtColor(pasted.pixels[box], cv2.COLOR_RGB2GRAY), np.ones((100, 100), bool))
        assert grain is not None
        return grain.coarse

    none, half, full = coarse(0.0), coarse(0.5), coarse(1.0)
    around = measure(cv2.cvtColor(photo[:90], cv2.COLOR_RGB2GRAY), np.ones((90, 500), bool))
    assert around is not None
    assert 0.5 * around.coarse < full < 1.3 * around.coarse
    assert half == pytest.approx(full / 2, rel=0.3)
    assert none < half / 2


def test_a_clean_photo_gets_no_grain() -> None:
    photo, matrix = skin(500, 500), frame_at(100, 100)
    pasted = paste_back(photo, crop_of(photo, matrix), lower_face(), framed(photo, matrix))
    grain = measure(cv2.cvtColor(pasted.pixels[215:285, 193:263], cv2.COLOR_RGB2GRAY), np.ones((70, 70), bool))
    assert grain is not None
    assert grain.fine < 0.7


def test_equal_inputs_give_equal_bytes_and_the_seed_matters() -> None:
    photo, matrix = skin(400, 400, grain=5), frame_at(70, 60)
    crop = crop_of(skin(400, 400), matrix)

    def paste(seed: int) -> bytes:
        config = PasteConfig(seed=seed)
        return paste_back(photo, crop, lower_face(), framed(photo, matrix), config=config).pixels.tobytes()

    assert paste(0) == paste(0)
    assert paste(0) != paste(1)


def test_the_edge_of_a_large_face_is_smooth() -> None:
    photo = skin(1100, 1100)
    matrix = frame_at(-80, -180, scale=0.2)
    pasted = paste_back(photo, crop_of(photo, matrix), lower_face(), framed(photo, matrix))
    outline = max(
        cv2.findContours(pasted.hole.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=len
    )
    centre = np.array([128, 150]) / 0.2 + np.array([-80, -180])
    radius = np.linalg.norm(outline[:, 0] - centre, axis=1)
    # A binary disc in the frame has stairs of one frame pixel: five pixels here.
    assert np.ptp(radius) < 5
    assert radius.std() < 1.2


def test_a_face_at_the_border_of_the_photo() -> None:
    photo, matrix = skin(300, 300), frame_at(160, 140)
    rows, columns = np.mgrid[:256, :256]
    valid = (columns + 160 < 300) & (rows + 140 < 300)
    pasted = paste_back(photo, crop_of(photo, matrix), lower_face(), framed(photo, matrix, valid))
    # Up to the outermost pixel: a strip left there would still show the face mask.
    assert pasted.hole[-1].any()
    assert pasted.hole[:, -1].any()


def test_a_face_beside_the_photo_or_an_empty_hole_changes_nothing() -> None:
    photo, crop = skin(100, 100), np.zeros((256, 256, 3), np.uint8)
    for coverage, matrix in [(lower_face(), frame_at(500, 500)), (lower_face() * 0.4, frame_at(-50, -50))]:
        pasted = paste_back(photo, crop, coverage, framed(photo, matrix))
        assert np.array_equal(pasted.pixels, photo)
        assert not pasted.hole.any()


def test_several_faces_add_up() -> None:
    photo = skin(400, 800)
    crop = np.full((256, 256, 3), 100, np.uint8)
    into: Pasted | None = None
    for x in (40, 420):
        into = paste_back(photo, crop, lower_face(), framed(photo, frame_at(x, 60)), into=into)
    assert into is not None
    assert into.hole[210, 168]
    assert into.hole[210, 548]
    assert np.array_equal(into.pixels[~into.hole], photo[~into.hole])


def test_memory_stays_near_the_face() -> None:
    photo = np.full((2000, 4000, 3), 140, np.uint8)
    crop = np.full((256, 256, 3), 140, np.uint8)
    tracemalloc.start()
    into: Pasted | None = None
    for x in range(100, 3600, 350):
        into = paste_back(photo, crop, lower_face(), framed(photo, frame_at(x, 900)), into=into)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The result (24 MB of pixels, 8 MB of hole), made once, and little more.
    assert peak < photo.nbytes * 4 / 3 + 20e6


def test_bad_inputs_are_refused() -> None:
    photo, crop = skin(100, 100), np.zeros((256, 256, 3), np.uint8)
    with pytest.raises(ShapeMismatch):
        paste_back(photo, crop, lower_face()[:-1], framed(photo, frame_at(0, 0)))
    with pytest.raises(ShapeMismatch):
        paste_back(photo, crop, lower_face(), framed(photo, frame_at(0, 0), ALL_VALID[:5]))
    with pytest.raises(InputError, match="inverted"):
        paste_back(photo, crop, lower_face(), framed(photo, np.zeros((2, 3))))
    other = Pasted(pixels=skin(50, 50), hole=np.zeros((50, 50), bool))
    with pytest.raises(ShapeMismatch):
        paste_back(photo, crop, lower_face(), framed(photo, frame_at(0, 0)), into=other)


@pytest.mark.parametrize(("fine", "coarse"), [(4.0, 0.0), (0.0, 6.0), (3.0, 5.0)])
def test_drawn_grain_is_what_was_missing(fine: float, coarse: float) -> None:
    target = Grain(fine=fine, coarse=coarse)
    rng = np.random.default_rng(0)
    everywhere = np.ones((500, 500), bool)
    shown = measure(np.clip(np.rint(128 + draw(target, (500, 500), rng)), 0, 255).astype(np.uint8), everywhere)
    flat = measure(np.full((500, 500), 128, np.uint8), everywhere)
    assert shown is not None
    assert flat == Grain(fine=0.0, coarse=0.0)
    estimated = missing(shown, flat)
    assert estimated.fine == pytest.approx(fine, abs=0.6)
    assert estimated.coarse == pytest.approx(coarse, abs=1.0)


def test_texture_on_a_quarter_of_the_pixels_is_not_grain() -> None:
    picture = skin(200, 200, grain=3)
    picture[:100, :100] = np.random.default_rng(0).integers(0, 256, (100, 100, 3))
    grain = measure(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.ones((200, 200), bool))
    assert grain is not None
    assert grain.fine < 6


def test_too_few_pixels_tell_nothing() -> None:
    assert measure(np.zeros((20, 20), np.uint8), np.zeros((20, 20), bool)) is None
