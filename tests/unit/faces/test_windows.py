"""Coverings that run on beyond the tight window: looked at again, restored and pasted in the wide one."""

from __future__ import annotations

import numpy as np
import pytest

from demask.faces.judge import FoundHole, runs_on
from demask.faces.looker import Looked, Looker
from demask.geometry import FRAME_POINTS, TIGHT, WIDE, Framed, Window, apply, crop_to_frame, to_frame
from demask.remover import Remover
from demask.types import Alpha, Face, Hole, ImageU8

POINTS = np.add(FRAME_POINTS, (140, 110), dtype=np.float32)
BLUE = np.array((0, 0, 255), np.uint8)


class Blue:
    """A hole finder that takes blue for covered, in any of its windows."""

    def __init__(self, *windows: Window) -> None:
        self.windows = windows
        self.sides: list[int] = []

    def __call__(self, crops: ImageU8) -> Alpha:
        self.sides.append(crops.shape[1])
        return np.asarray((crops == BLUE).all(axis=-1), np.float32)


class Skin:
    """A restorer that paints one tone and notes what it was shown."""

    def __init__(self, *windows: Window) -> None:
        self.windows = windows
        self.sides: list[int] = []

    def __call__(self, masked: ImageU8, hole: Hole) -> ImageU8:
        self.sides.append(len(masked))
        return np.full_like(masked, 150)


def photo(bottom: int) -> ImageU8:
    """A grey photo, a face in it covered by blue from the nose down to a row of the frame."""
    picture = np.full((480, 480, 3), 150, np.uint8)
    picture[110 + 110 : 110 + bottom, 140 + 60 : 140 + 196] = BLUE
    return picture


def remover(find: Blue, fill: Skin) -> Remover:
    face = Face(box=(180, 130, 350, 350), points=POINTS, score=0.9)
    return Remover(finder=lambda _: [face], hole_finder=find, restorer=fill)


def blue_left(picture: ImageU8) -> int:
    return int((picture == BLUE).all(axis=-1).sum())


def test_windows_show_the_same_pixels() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    picture = np.kron(noise, np.ones((4, 4, 1), np.uint8))
    matrix = to_frame(POINTS)
    wide = Framed.cut(picture, matrix, WIDE)
    tight = wide.part(TIGHT)
    assert (wide.crop.shape, tight.crop.shape) == ((384, 384, 3), (256, 256, 3))
    crop, valid = crop_to_frame(picture, matrix)
    assert np.array_equal(tight.crop, crop)
    assert np.array_equal(tight.valid, valid)
    assert np.allclose(apply(tight.matrix, POINTS), FRAME_POINTS, atol=1e-3)
    assert np.allclose(apply(wide.matrix, POINTS), FRAME_POINTS - [WIDE.x0, WIDE.y0], atol=1e-3)
    assert np.array_equal(tight.again(picture).crop, tight.crop)


def test_a_covering_that_ends_at_the_chin_is_looked_at_once() -> None:
    find, fill = Blue(TIGHT, WIDE), Skin(TIGHT, WIDE)
    result = remover(find, fill)(photo(230))
    assert (find.sides, fill.sides) == ([256], [256])
    assert blue_left(result.photo) == 0


def test_a_covering_that_runs_on_goes_to_its_end() -> None:
    find, fill = Blue(TIGHT, WIDE), Skin(TIGHT, WIDE)
    covered = photo(320)
    result = remover(find, fill)(covered)
    assert (find.sides, fill.sides) == ([256, 384], [384])
    assert blue_left(result.photo) == 0
    assert result.hole is not None
    assert np.array_equal(result.photo[~result.hole], covered[~result.hole])


@pytest.mark.parametrize("windows", [(), (TIGHT,)])
def test_who_knows_the_tight_window_only_is_shown_no_other(windows: tuple[Window, ...]) -> None:
    find, fill = Blue(TIGHT, WIDE), Skin(*windows)
    result = remover(find, fill)(photo(320))
    assert fill.sides == [256]
    # What lies below the tight window stays.
    assert 0 < blue_left(result.photo) < blue_left(photo(320)) / 2
    find, fill = Blue(*windows), Skin(TIGHT, WIDE)
    assert remover(find, fill)(photo(320)).status == "restored"
    assert (find.sides, fill.sides) == ([256], [256])


def test_where_the_photo_ends_nothing_runs_on() -> None:
    find, fill = Blue(TIGHT, WIDE), Skin(TIGHT, WIDE)
    cut = np.ascontiguousarray(photo(320)[: 110 + 256, 140 : 140 + 256])
    face = Face(box=(40, 20, 210, 240), points=FRAME_POINTS, score=0.9)
    cut = np.ascontiguousarray(cut[110:])
    Remover(finder=lambda _: [face], hole_finder=find, restorer=fill)(cut)
    assert find.sides == [256]


def test_a_hole_painted_beyond_the_tight_window_is_filled_whole() -> None:
    find, fill = Blue(TIGHT, WIDE), Skin(TIGHT, WIDE)
    covered = photo(330)
    own = np.asarray((covered == BLUE).all(axis=-1))
    result = remover(find, fill)(covered, hole=own)
    assert (find.sides, fill.sides) == ([], [384])
    assert blue_left(result.photo) == 0


def test_a_look_can_be_shown_as_the_tight_window_has_it() -> None:
    face = Face(box=(180, 130, 350, 350), points=POINTS, score=0.9)
    looked = Looker(lambda _: [face], Blue(TIGHT, WIDE))(photo(320))
    assert isinstance(looked, Looked)
    (wide,) = looked.faces
    tight = wide.in_tight()
    assert wide.framed is not None
    assert tight.framed is not None
    assert wide.found is not None
    assert tight.found is not None
    assert (wide.framed.window, tight.framed.window) == (WIDE, TIGHT)
    assert np.array_equal(tight.found.hole, wide.found.hole[TIGHT.within(WIDE)])
    assert tight.in_tight() is tight


def test_a_corner_of_the_rim_does_not_run_on() -> None:
    hole = np.zeros((256, 256), bool)
    hole[120:256, 100:102] = True
    valid = np.ones((384, 384), bool)
    found = FoundHole(hole=hole, coverage=hole.astype(np.float32), covered=True, confidence=1.0)
    assert not runs_on(found, valid)
    hole[120:256, 90:140] = True
    assert runs_on(found, valid)
    valid[TIGHT.within(WIDE)[0].stop :] = False
    assert not runs_on(found, valid)
