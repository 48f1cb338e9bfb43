import pickle

import cv2
import numpy as np
import pytest

from demask.errors import ConfigError, DatasetError
from demask.faces.landmarks import landmarks_from_points
from demask.rng import rng_for
from demask.training.data.finder_pictures import LabelledPicture
from demask.training.data.portraits import FaceBank, Portrait
from demask.training.data.scene_labels import Stage, moved_box
from demask.training.data.scenes import Composer, ScenesConfig
from demask.types import AnyArray, ImageU8

DOTS = np.array([(70, 70), (130, 70), (100, 105), (78, 140), (122, 140)], np.float32)
RED, BLUE = (250, 20, 20), (20, 20, 250)


def portrait(name: str) -> Portrait:
    """A green picture whose left eye is a red dot and whose right mouth corner is a blue one."""
    photo = np.full((200, 180, 3), (60, 140, 60), np.uint8)
    cv2.circle(photo, (70, 70), 9, RED, -1)
    cv2.circle(photo, (122, 140), 9, BLUE, -1)
    return Portrait(
        name=name,
        photo=photo,
        box=np.array([50.0, 40, 150, 160]),
        points=DOTS,
        landmarks=landmarks_from_points(DOTS),
    )


@pytest.fixture(scope="module")
def bank() -> FaceBank:
    return FaceBank([portrait("one"), portrait("two")], seed=5, variants=2)


def backgrounds() -> list[ImageU8]:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (3, 20, 30, 3), dtype=np.uint8)
    return [cv2.resize(picture, (300, 200), interpolation=cv2.INTER_CUBIC) for picture in coarse]


def only(kind: str, **settings: float) -> ScenesConfig:
    shares = {
        f"{name}_fraction": 0.0 for name in ("empty", "alone", "chip", "crowd", "people", "pad", "covered")
    }
    return ScenesConfig(**{**shares, **({f"{kind}_fraction": 1.0} if kind else {}), **settings})


def centre_of(photo: ImageU8, near: AnyArray, channel: int) -> AnyArray:
    """Where the red (0) or blue (2) dot nearest to a place is."""
    values = photo.astype(int)
    others = [c for c in range(3) if c != channel]
    strong = (values[..., channel] > values[..., others].max(-1) + 40).astype(np.uint8)
    count, _, _, centres = cv2.connectedComponentsWithStats(strong)
    assert count > 1
    return centres[1 + np.linalg.norm(centres[1:] - near, axis=1).argmin()]


def test_a_scene_depends_on_its_generator_alone(bank: FaceBank) -> None:
    composer = Composer(bank, backgrounds())
    for number in range(12):
        first, second = (composer(rng_for(1, "scene", str(number))) for _ in range(2))
        assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_scenes_are_well_formed(bank: FaceBank) -> None:
    composer = Composer(bank, backgrounds())
    scenes = [composer(rng_for(2, "scene", str(number))) for number in range(60)]
    for scene in scenes:
        assert scene.photo.shape == (320, 320, 3)
        assert scene.photo.dtype == np.uint8
        assert len(scene.boxes) == len(scene.points) == len(scene.covered)
        assert (scene.boxes[:, 2:] > scene.boxes[:, :2]).all()
        # Most of every face that is asked for is in view.
        seen = np.minimum(scene.boxes[:, 2:], 320) - np.maximum(scene.boxes[:, :2], 0)
        assert (seen.prod(1) >= 0.7 * (scene.boxes[:, 2:] - scene.boxes[:, :2]).prod(1)).all()
    sizes = np.concatenate([np.sqrt((s.boxes[:, 2:] - s.boxes[:, :2]).prod(1)) for s in scenes])
    assert sizes.min() < 20
    assert sizes.max() > 150
    covered = np.concatenate([scene.covered for scene in scenes])
    assert 0.3 < covered.mean() < 0.7
    assert any(len(scene.boxes) == 0 for scene in scenes)


@pytest.mark.parametrize("kind", ["alone", "chip"])
def test_labels_lie_on_the_face_turned_mirrored_or_scaled(bank: FaceBank, kind: str) -> None:
    # Light changes the dots' colours, so those of the labels' places are compared to their surroundings.
    composer = Composer(bank, (), only(kind))
    hits = 0
    for number in range(25):
        scene = composer(rng_for(3, kind, str(number)))
        if len(scene.boxes) != 1 or np.ptp(scene.photo.astype(int), axis=2).max() < 60:
            continue  # Cut off, or grey.
        size = float(np.sqrt((scene.boxes[0, 2:] - scene.boxes[0, :2]).prod()))
        red, blue = scene.points[0, [0, 1]], scene.points[0, [4, 3]]
        # Mirrored, the red dot is the right eye and the blue one the left mouth corner.
        mirrored = min((0, 1), key=lambda i: np.linalg.norm(centre_of(scene.photo, red[i], 0) - red[i]))
        assert np.linalg.norm(centre_of(scene.photo, red[mirrored], 0) - red[mirrored]) < 0.05 * size
        assert np.linalg.norm(centre_of(scene.photo, blue[mirrored], 2) - blue[mirrored]) < 0.05 * size
        # Always in picture order: the first eye is the left one unless the head is turned right over.
        across = scene.points[0, 1] - scene.points[0, 0]
        assert across[0] > 0.4 * np.linalg.norm(across)
        hits += 1
    assert hits >= 10


def test_scenes_meant_to_be_empty_are(bank: FaceBank) -> None:
    composer = Composer(bank, backgrounds(), only("empty"))
    for number in range(8):
        scene = composer(rng_for(4, "scene", str(number)))
        assert len(scene.boxes) == len(scene.ignored) == 0


def test_the_border_is_the_runtimes_grey(bank: FaceBank) -> None:
    composer = Composer(bank, backgrounds(), only("chip"))
    scene = composer(rng_for(5, "scene", "0"))
    assert (scene.photo[0, 0] == 128).all()
    assert (scene.photo[-1, -1] == 128).all()


def test_people_are_labelled_and_doubts_left_open(bank: FaceBank) -> None:
    source = portrait("three")
    picture = LabelledPicture(
        photo=source.photo,
        boxes=source.box[None].astype(np.float32),
        points=DOTS[None],
        unclear=np.array([(5, 170, 30, 195)], np.float32),
    )
    composer = Composer(bank, backgrounds(), only("people"), people=[picture])
    scenes = [composer(rng_for(6, "scene", str(number))) for number in range(20)]
    assert all(len(scene.ignored) >= 1 for scene in scenes)
    assert sum(len(scene.boxes) for scene in scenes) > 10
    assert not any(len(scene.ignored) for scene in (Composer(bank, (), only("people"))(rng_for(6, "s", "0")),))


def test_no_tile_hides_a_labelled_face() -> None:
    stage = Stage(np.zeros((100, 100, 3), np.uint8), (0, 0, 100, 100))
    still = np.array([[1.0, 0, 0], [0, 1, 0]])
    stage.label(np.array([20.0, 20, 50, 60]), DOTS, still, covered=False)
    assert stage.hides(45, 10, 30, 30)
    assert not stage.hides(50, 10, 30, 30)


def test_faces_cut_off_are_expected_undecided_or_forgotten() -> None:
    still = np.array([[1.0, 0, 0], [0, 1, 0]])
    for left, expected, undecided in ((0, 1, 0), (-10, 1, 0), (-25, 0, 1), (-38, 0, 0)):
        stage = Stage(np.zeros((100, 100, 3), np.uint8), (0, 0, 100, 100))
        stage.label(np.array([left, 20.0, left + 40, 60]), DOTS, still, covered=True)
        assert (len(stage.boxes), len(stage.ignored)) == (expected, undecided)
    stage.label(np.array([0.0, 0, 8, 8]), DOTS, still, covered=True, smallest_px=10)
    assert len(stage.ignored) == 1


def test_a_turned_box_is_that_of_the_head_inside() -> None:
    box = np.array([-10.0, -20, 10, 20])
    quarter = np.array([[0.0, -1, 5], [1, 0, 0]])
    assert np.allclose(moved_box(box, quarter), (-15, -10, 25, 10))
    eighth = np.array([[1.0, -1, 0], [1, 1, 0]]) / np.sqrt(2)
    half = np.sqrt((10**2 + 20**2) / 2)
    assert np.allclose(moved_box(box, eighth), (-half, -half, half, half))


def test_views_are_drawn_once_and_the_same_everywhere(bank: FaceBank) -> None:
    first = bank.covered(0, 1).photo
    assert not np.array_equal(first, bank.portraits[0].photo)
    assert np.array_equal(bank.covered(0, 1).photo, first)
    assert np.shares_memory(bank.covered(0, 1).photo, first)
    elsewhere = pickle.loads(pickle.dumps(bank))
    assert np.array_equal(elsewhere.covered(0, 1).photo, first)
    assert not np.array_equal(bank.covered(0, 0).photo, first)


def test_labels_follow_a_turned_head_and_stay_without_a_turn(bank: FaceBank) -> None:
    for view in (bank.untouched(0), bank.bare(0), bank.covered(0, 0)):
        assert np.array_equal(view.box, bank.portraits[0].box)
        assert np.array_equal(view.points, DOTS)
    turning = FaceBank([portrait("one")], seed=1, variants=1, turn_fraction=1.0)
    view = turning.bare(0)
    assert np.abs(view.points - DOTS).max() > 4
    # The painted dots went where the labels say.
    assert np.linalg.norm(centre_of(view.photo, view.points[0], 0) - view.points[0]) < 3
    assert np.linalg.norm(centre_of(view.photo, view.points[4], 2) - view.points[4]) < 3


def test_a_dressed_head_keeps_its_labels(bank: FaceBank) -> None:
    dressing = FaceBank([portrait("one")], seed=1, variants=1, dress_fraction=1.0)
    view = dressing.bare(0)
    assert not np.array_equal(view.photo, dressing.portraits[0].photo)
    assert np.array_equal(view.points, DOTS)


def test_an_empty_bank_is_refused() -> None:
    with pytest.raises(DatasetError, match="no face to train"):
        FaceBank([], seed=0)
    with pytest.raises(ConfigError, match="variants is 0"):
        FaceBank([portrait("one")], seed=0, variants=0)


@pytest.mark.parametrize("wrong", [{"size_px": 100}, {"smallest_px": 300.0}])
def test_impossible_scenes_are_refused(wrong) -> None:
    with pytest.raises(ConfigError):
        ScenesConfig(**wrong)
