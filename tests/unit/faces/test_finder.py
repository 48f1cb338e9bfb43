from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from demask.errors import ConfigError, InputError, WeightsError
from demask.faces.finder import GRID_PX, Finder, FinderSettings, suppress, without_features
from demask.types import AnyArray, ImageU8
from demask.weights.sessions import open_session
from tiny_networks import BLUE, make_photo


class Watching:
    """A session that notes what it is shown."""

    def __init__(self, session: object) -> None:
        self.session, self.shown, self.options = session, [], []

    def run(self, outputs: list[str], feed: dict[str, AnyArray], *options: object) -> list[AnyArray]:
        self.shown.append(feed["photo"].copy())
        self.options.append(options)
        return self.session.run(outputs, feed, *options)

    def __getattr__(self, name: str) -> object:
        return getattr(self.session, name)


@pytest.fixture
def session(tiny_weights: Path) -> Watching:
    return Watching(open_session(tiny_weights / "finder.onnx", device="cpu", threads=1))


def marked(size: tuple[int, int], box: tuple[int, int, int, int]) -> ImageU8:
    """Grey but for one blue rectangle from (x0, y0) to, not including, (x1, y1)."""
    photo = np.full((*size, 3), 128, np.uint8)
    x0, y0, x1, y1 = box
    photo[y0:y1, x0:x1] = BLUE
    return photo


def span_of(points: AnyArray) -> AnyArray:
    """The rectangle that the tiny finder saw: it puts its points at fixed shares of it."""
    # Eyes and mouth corners of the frame lie 62 and 76 px apart, mouth and eyes 84 px; the square is 100.
    return np.array([points[1, 0] - points[0, 0], points[3, 1] - points[0, 1]]) / (0.76, 0.84)


@pytest.mark.parametrize(
    ("size", "box"),
    [
        ((200, 200), (50, 80, 150, 180)),  # Small: with a margin, in its own size.
        ((310, 250), (40, 100, 140, 210)),
        ((480, 640), (200, 150, 420, 400)),  # Scaled down, one look.
        ((900, 1400), (300, 200, 900, 700)),  # Scaled down, two looks.
    ],
)
def test_points_come_back_in_pixels_of_the_photo(session: Watching, size, box) -> None:
    faces = Finder(session)(marked(size, box))
    assert len(faces) == 1
    # The network sees whole small pixels: the truth is known to one of them.
    tolerance = 1.5 * max(1.0, max(size) / 320)
    x0, y0, x1, y1 = box
    assert np.abs(span_of(faces[0].points) - (x1 - x0, y1 - y0)).max() < tolerance
    # The left eye lies at (0.12, -0.26) of the marked square.
    eye = (x0 + 0.12 * (x1 - x0), y0 - 0.26 * (y1 - y0))
    assert np.abs(faces[0].points[0] - eye).max() < tolerance
    assert faces[0].points.dtype == np.float32
    assert faces[0].score == pytest.approx(0.9)


def test_the_network_sees_multiples_of_the_grid(session: Watching) -> None:
    for size in ((1, 1), (31, 33), (256, 256), (333, 500), (1000, 1500)):
        Finder(session)(np.zeros((*size, 3), np.uint8))
    assert all(photo.shape[1] % GRID_PX == 0 and photo.shape[2] % GRID_PX == 0 for photo in session.shown)
    assert all(photo.dtype == np.uint8 and photo.shape[0] == 1 for photo in session.shown)


def test_a_large_photo_is_looked_at_twice(session: Watching) -> None:
    finder = Finder(session)
    finder(make_photo(size=(600, 780)))
    assert len(session.shown) == 1
    session.shown.clear()
    finder(make_photo(size=(1000, 1500)))
    shapes = sorted(photo.shape[1:3] for photo in session.shown)
    assert shapes == [(224, 320), (416, 608)]  # 213 and 400 px high, rounded up to the grid.


def test_the_second_look_is_bounded(session: Watching) -> None:
    settings = FinderSettings(closeup_px=640)
    Finder(session, settings)(np.zeros((500, 4000, 3), np.uint8))
    assert max(max(photo.shape) for photo in session.shown) == 640


def test_a_face_seen_by_both_looks_is_one_face(session: Watching) -> None:
    assert len(Finder(session)(marked((900, 1400), (300, 200, 900, 700)))) == 1
    assert len(session.shown) == 2


def test_a_small_photo_has_air_around_it(session: Watching) -> None:
    photo = np.full((200, 200, 3), 255, np.uint8)
    Finder(session)(photo)
    canvas = session.shown[0][0]
    inside = (canvas == 255).all(-1)
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    assert inside.sum() == 200 * 200
    assert min(rows[0], columns[0]) >= 20
    assert min(canvas.shape[0] - 1 - rows[-1], canvas.shape[1] - 1 - columns[-1]) >= 20


def test_nothing_is_found_where_nothing_is(session: Watching) -> None:
    assert Finder(session)(make_photo(None)) == []


def test_weak_answers_are_dropped(session: Watching) -> None:
    photo = make_photo()
    assert len(Finder(session, FinderSettings(min_score=0.89))(photo)) == 1
    assert Finder(session, FinderSettings(min_score=0.91))(photo) == []


@pytest.mark.parametrize(
    "photo",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
        np.zeros((0, 10, 3), np.uint8),
    ],
)
def test_what_is_no_photo_is_refused(session: Watching, photo: AnyArray) -> None:
    with pytest.raises(InputError, match="needs uint8 RGB"):
        Finder(session)(photo)


def test_another_network_is_refused(tiny_weights: Path) -> None:
    with pytest.raises(WeightsError, match="not a face finder"):
        Finder(open_session(tiny_weights / "hole.onnx", device="cpu", threads=1))


@pytest.mark.parametrize(
    "wrong", [{"min_score": 0.0}, {"max_overlap": 1.5}, {"overview_px": 8}, {"margin": -1}]
)
def test_impossible_settings_are_refused(wrong) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        FinderSettings(**wrong)


def test_the_shipped_finder_is_looked_up_by_name(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMASK_WEIGHTS", str(tiny_weights))
    assert len(Finder.shipped("cpu", threads=1)(make_photo())) == 1


def test_suppression_keeps_the_best_of_each_heap() -> None:
    boxes = np.array([(0, 0, 10, 10), (1, 1, 11, 11), (100, 0, 110, 10), (0, 0, 40, 40)], np.float32)
    assert suppress(boxes, np.array([0.6, 0.9, 0.7, 0.8], np.float32), max_overlap=0.4) == [1, 3, 2]
    assert suppress(boxes[:0], np.zeros(0, np.float32), max_overlap=0.4) == []


corners = arrays(np.float32, (12, 2), elements=st.integers(0, 60).map(float))
sides = arrays(np.float32, (12, 2), elements=st.integers(1, 40).map(float))


@given(corners, sides, arrays(np.float32, 12, elements=st.floats(0, 1, width=16)))
def test_what_stays_does_not_overlap_and_what_goes_is_explained(
    low: AnyArray, side: AnyArray, scores: AnyArray
) -> None:
    boxes = np.hstack([low, low + side])
    kept = suppress(boxes, scores, max_overlap=0.4)

    def overlap(i: int, j: int) -> float:
        common = np.prod(
            np.maximum(np.minimum(boxes[i, 2:], boxes[j, 2:]) - np.maximum(boxes[i, :2], boxes[j, :2]), 0)
        )
        return float(common / (np.prod(side[i]) + np.prod(side[j]) - common))

    assert all(overlap(i, j) <= 0.4 + 1e-6 for i in kept for j in kept if i != j)
    for gone in set(range(12)) - set(kept):
        assert any(overlap(gone, i) > 0.4 - 1e-6 and scores[i] >= scores[gone] for i in kept)


def test_the_memory_of_a_large_look_is_given_back(session: Watching) -> None:
    """Of the two looks at a large photo, the close-up's; small ones keep theirs for the next photo."""
    Finder(session)(marked((3000, 3000), (900, 900, 1500, 1500)))
    close_up, overview = session.options
    assert close_up[0].get_run_config_entry("memory.enable_memory_arena_shrinkage") == "cpu:0"
    assert overview == ()


def test_an_eye_is_no_face_of_its_own() -> None:
    face, eye, neighbour, child = (0, 0, 100, 120), (20, 30, 50, 50), (90, 30, 120, 60), (10, 10, 70, 90)
    boxes = np.array([eye, face, neighbour, child], np.float32)
    assert without_features(boxes, [0, 1, 2, 3]) == [1, 2, 3]
