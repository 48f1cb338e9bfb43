"""Drawing a covering: what is promised about the pixels, the hole and the recipe."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from demask.coverings import (
    HELD_OUT_KINDS,
    HELD_OUT_TEXTURES,
    KINDS,
    TEXTURES,
    TRAINING_KINDS,
    TRAINING_TEXTURES,
    draw,
    draw_hole,
)
from demask.coverings.head import head_frame
from demask.coverings.shape import plan_shape
from demask.errors import ConfigError, InputError
from demask.rng import rng_for


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_keeps_the_contract(kind, face, landmarks):
    for k in range(6):
        drawn = draw(face, landmarks, rng_for(k, "test", kind), kinds=[kind])
        assert drawn.masked.shape == face.shape
        assert drawn.masked.dtype == np.uint8
        assert drawn.alpha.dtype == np.float32
        assert drawn.hole.dtype == np.bool_
        assert np.array_equal(drawn.hole, drawn.alpha > 0)
        shown = drawn.alpha[drawn.hole]
        assert shown.size > 300
        assert shown.min() >= 0.05
        assert shown.max() <= 1.0
        assert drawn.recipe["kind"] == kind
        assert json.loads(json.dumps(drawn.recipe)) == drawn.recipe


@pytest.mark.parametrize("kind", KINDS)
def test_an_unusual_covering_keeps_the_contract_and_is_of_no_kind(kind, face, landmarks):
    for k in range(6):
        usual, unusual = (
            draw(face, landmarks, rng_for(k, "unusual", kind), kinds=[kind], unusual_fraction=share)
            for share in (0.0, 1.0)
        )
        assert "unusual" not in usual.recipe
        assert unusual.recipe["unusual"] is True
        assert np.array_equal(unusual.hole, unusual.alpha > 0)
        outside = ~unusual.hole
        assert (unusual.masked[outside] <= face[outside]).all()  # Nothing but shadow.
        assert json.loads(json.dumps(unusual.recipe)) == unusual.recipe


def test_the_parts_of_an_unusual_covering_belong_to_its_hole(face, landmarks):
    frame = head_frame(landmarks)
    num_parts = 0
    for k in range(20):
        shape = plan_shape(frame, "surgical", rng_for(k, "parts", "surgical"), unusual=True)
        cover, _ = shape.fill(face.shape[:2])
        assert (shape.strap_way == "none") == (not shape.straps)
        for part in shape.parts:
            num_parts += 1
            x, y = np.rint(part.mean(0)).astype(int)
            if 0 <= x < face.shape[1] and 0 <= y < face.shape[0]:
                assert cover[y, x] == 255
    assert num_parts > 10
    assert not any(plan_shape(frame, kind, rng_for(1, "parts", kind)).parts for kind in KINDS)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "random"])
def test_the_mouth_is_covered_unless_worn_low(kind, face, landmarks):
    covered = 0
    for k in range(12):
        drawn = draw(face, landmarks, rng_for(k, "mouth", kind), kinds=[kind])
        if not drawn.recipe["low_ride"]:
            x, y = np.rint(landmarks[13, :2]).astype(int)
            assert drawn.alpha[y - 6 : y + 7, x - 20 : x + 21].min() > 0.95
            covered += 1
        eyes = np.rint(landmarks[[145, 374], :2]).astype(int)
        assert not drawn.hole[eyes[:, 1] - 6, eyes[:, 0]].any()
    assert covered >= 6


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32), kind=st.sampled_from(KINDS), texture=st.sampled_from(TEXTURES),
    yaw=st.floats(-60, 60), roll=st.floats(-40, 40), size=st.sampled_from([96, 200, 256]),
    noisy=st.booleans(),
)  # fmt: skip
def test_pixels_without_covering_or_shadow_are_exactly_the_input(
    head_at, seed, kind, texture, yaw, roll, size, noisy
):
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (size, size, 3), dtype=np.uint8)
    if not noisy:
        picture = cv2.GaussianBlur(picture, (0, 0), 3)
    before = picture.copy()
    width = 0.62 * size
    points = head_at(yaw_deg=yaw, roll_deg=roll, width_px=width, mouth=(0.5 * size, 0.66 * size))
    drawn = draw(picture, points, rng, kinds=[kind], textures=[texture], patches=[picture], colours="any")
    assert np.array_equal(picture, before)
    bare = ~drawn.hole
    # Bare skin may lie in the shadow: never brighter than it was.
    assert (drawn.masked[bare] <= picture[bare]).all()
    if drawn.hole.any():
        far = cv2.distanceTransform(bare.astype(np.uint8), cv2.DIST_L2, 5) > 0.25 * width + 4
        assert np.array_equal(drawn.masked[far], picture[far])


def test_same_seed_same_bytes_and_other_seed_other_covering(face, landmarks):
    first, again, other = (draw(face, landmarks, rng_for(seed, "covering", "a")) for seed in (1, 1, 2))
    assert first.masked.tobytes() == again.masked.tobytes()
    assert first.alpha.tobytes() == again.alpha.tobytes()
    assert first.recipe == again.recipe
    assert first.masked.tobytes() != other.masked.tobytes()


def test_earlier_draws_leave_no_trace(face, landmarks, head_at):
    alone = draw(face, landmarks, rng_for(3, "covering", "a"))
    draw(face, head_at(yaw_deg=30), rng_for(4, "covering", "b"), kinds=["gas"])
    assert np.array_equal(alone.masked, draw(face, landmarks, rng_for(3, "covering", "a")).masked)


def test_hole_alone_is_the_drawn_hole(face, landmarks):
    for k in range(20):
        full = draw(face, landmarks, rng_for(k, "hole", "x")).hole
        quick = draw_hole(landmarks, (256, 256), rng_for(k, "hole", "x"))
        assert (full & quick).sum() / (full | quick).sum() > 0.88


def test_a_turned_head_shows_straps_on_the_near_side_only(face, head_at):
    points = head_at(yaw_deg=45)
    # The nose points to the picture's right: that cheek is the far one.
    assert points[4, 0] > points[13, 0]
    contour = points[:, 0].max()
    for k in range(10):
        drawn = draw(face, points, rng_for(k, "turned", "x"), kinds=["surgical"])
        columns = np.flatnonzero(drawn.hole.any(0))
        assert columns.max() <= contour + 0.08 * 160


def test_a_grey_photograph_gets_a_grey_covering(landmarks, face_like):
    grey = np.repeat(face_like().mean(2, keepdims=True).astype(np.uint8), 3, axis=2)
    for k in range(8):
        drawn = draw(grey, landmarks, rng_for(k, "grey", "x"), colours="any")
        spread = drawn.masked[drawn.hole].astype(int)
        assert np.ptp(spread, axis=1).max() <= 2


def test_the_covering_is_as_dark_as_the_photograph(landmarks, face_like):
    bright = face_like()
    dark = (bright * 0.3).astype(np.uint8)
    levels = []
    for picture in (bright, dark):
        drawn = [draw(picture, landmarks, rng_for(k, "dark", "x"), kinds=["ffp2"]) for k in range(8)]
        levels.append(np.mean([d.masked[d.alpha > 0.99].mean() for d in drawn]))
    assert levels[1] < 0.65 * levels[0]


def test_the_covering_is_lit_from_where_the_face_is(landmarks, face_like):
    lit = {}
    for side in (-1.0, 1.0):
        picture = face_like(light=(side, 0.0))
        gap = []
        for k in range(10):
            drawn = draw(picture, landmarks, rng_for(k, "lit", "x"), kinds=["surgical"], textures=["plain"])
            full = drawn.alpha > 0.99
            grey = drawn.masked.mean(2)
            gap.append(grey[:, 148:][full[:, 148:]].mean() - grey[:, :108][full[:, :108]].mean())
        lit[side] = np.mean(gap)
    assert lit[1.0] > lit[-1.0] + 8


def test_a_face_outside_the_picture_changes_nothing(face, head_at):
    drawn = draw(face, head_at(mouth=(128, 900)), rng_for(0, "outside", "x"), kinds=["cloth"])
    assert np.array_equal(drawn.masked, face)
    assert not drawn.hole.any()


@pytest.mark.parametrize(("size", "width"), [(48, 30.0), (64, 40.0), (700, 430.0)])
def test_any_size(size, width, head_at, face_like):
    points = head_at(width_px=width, mouth=(size / 2, 0.66 * size))
    for kind in KINDS:
        drawn = draw(face_like(size), points, rng_for(0, "size", kind), kinds=[kind])
        assert 0.01 < drawn.hole.mean() < 0.7


def test_defaults_are_what_training_may_see(face, landmarks):
    seen = [draw(face, landmarks, rng_for(k, "defaults", "x")).recipe for k in range(60)]
    assert {recipe["kind"] for recipe in seen} <= set(TRAINING_KINDS)
    assert {recipe["texture"] for recipe in seen} <= set(TRAINING_TEXTURES)
    assert not set(TRAINING_KINDS) & set(HELD_OUT_KINDS)
    assert len(HELD_OUT_KINDS) >= 2
    assert "random" in TRAINING_KINDS


@pytest.mark.parametrize("texture", TEXTURES)
def test_the_texture_asked_for_is_drawn(texture, face, landmarks):
    plain = draw(face, landmarks, rng_for(1, "texture", "x"), kinds=["cloth"], textures=["plain"])
    drawn = draw(face, landmarks, rng_for(1, "texture", "x"), kinds=["cloth"], textures=[texture])
    assert drawn.recipe["texture"] == texture
    assert (texture == "plain") == np.array_equal(plain.masked, drawn.masked)


def test_held_out_prints_and_colours_can_be_asked_for(face, landmarks):
    drawn = draw(
        face,
        landmarks,
        rng_for(1, "unseen", "x"),
        kinds=["cloth"],
        textures=HELD_OUT_TEXTURES,
        colours="held_out",
    )
    assert drawn.recipe["texture"] in HELD_OUT_TEXTURES
    assert drawn.recipe["colour_set"] == "held_out"


@pytest.mark.parametrize(
    "wrong", [{"kinds": ["poncho"]}, {"kinds": []}, {"textures": ["tartan"]}, {"colours": "red"}], ids=str
)
def test_unknown_names_are_refused(wrong, face, landmarks):
    with pytest.raises(ConfigError, match="choose from"):
        draw(face, landmarks, rng_for(0, "x", "x"), **wrong)


@pytest.mark.parametrize("shape", [(5, 2), (468, 2), (478, 3)])
def test_wrong_landmarks_are_refused(shape, face):
    with pytest.raises(InputError, match="468"):
        draw(face, np.ones(shape, np.float32), rng_for(0, "x", "x"))


def test_useless_landmarks_are_refused(face, landmarks):
    with pytest.raises(InputError, match="one place"):
        draw(face, np.zeros_like(landmarks), rng_for(0, "x", "x"))
    landmarks[7, 1] = np.nan
    with pytest.raises(InputError, match="finite"):
        draw_hole(landmarks, (256, 256), rng_for(0, "x", "x"))


def test_a_float_picture_is_refused(face, landmarks):
    with pytest.raises(InputError, match="uint8 RGB"):
        draw(face.astype(np.float32), landmarks, rng_for(0, "x", "x"))
