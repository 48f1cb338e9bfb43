"""Faces through time: tracks, gaps, cuts, holes and remembered faces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from demask.faces.judge import FoundHole
from demask.geometry import FRAME_POINTS, similarity
from demask.remover import Remover
from demask.types import Hole, ImageU8, Matrix
from demask.video.bright import Transfer, display_rgb, scene_rgb
from demask.video.face_memory import FaceMemory, FaceMemorySettings, HoleMemory
from demask.video.motion import OneEuroSettings, SteadyPlace, motion_between
from demask.video.overlap import Behind, ahead
from demask.video.planes import Orientation
from demask.video.video_remover import VideoRemover
from tiny_networks import BLUE, GREEN, make_photo


@pytest.fixture
def remover(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> VideoRemover:
    monkeypatch.setenv("DEMASK_WEIGHTS", str(tiny_weights))
    return VideoRemover(Remover(device="cpu", threads=1))


def test_only_the_hole_changes_and_one_track_is_kept(remover: VideoRemover) -> None:
    for index in range(9):
        photo = np.roll(make_photo(BLUE), 2 * index, axis=1)
        result = remover.frame(photo, index / 25)
        assert result.status == "restored"
        assert result.hole is not None
        assert np.array_equal(result.photo[~result.hole], photo[~result.hole])
        assert int(((result.photo[..., 2] > 200) & (result.photo[..., 0] < 60)).sum()) == 0
    (track,) = remover.tracks()
    assert (track["frames"], track["restored"]) == (9, 9)
    assert track["faces_drawn"] < 9


def test_a_covering_taken_off_ends_the_restoring_and_put_on_begins_it(remover: VideoRemover) -> None:
    colours = [BLUE] * 5 + [GREEN] * 6 + [BLUE] * 5
    statuses = [remover.frame(make_photo(colour), index / 25).status for index, colour in enumerate(colours)]
    # At most three frames pass until a look sees the change.
    assert statuses[:5] == ["restored"] * 5
    assert statuses[7:11] == ["no_covering"] * 4
    assert statuses[13:] == ["restored"] * 3


def test_a_cut_begins_new_tracks(remover: VideoRemover) -> None:
    for index in range(3):
        remover.frame(make_photo(BLUE), index / 25)
    other = 255 - make_photo(None)
    other[40:110, 30:100] = BLUE
    assert remover.frame(other, 3 / 25).status == "restored"
    assert [track["frames"] for track in remover.tracks()] == [3, 1]


def test_going_on_from_a_state_gives_the_same_frames(remover: VideoRemover) -> None:
    photos = [np.roll(make_photo(BLUE), index, axis=1) for index in range(6)]
    for index in range(3):
        remover.frame(photos[index], index / 25)
    state = remover.state()
    straight = [remover.frame(photos[index], index / 25).photo for index in range(3, 6)]
    other = VideoRemover(remover.remover)
    other.set_state(state)
    resumed = [other.frame(photos[index], index / 25).photo for index in range(3, 6)]
    assert all(np.array_equal(one, two) for one, two in zip(straight, resumed, strict=True))
    assert other.tracks() == remover.tracks()


def place(x: float, y: float, scale: float = 1.0) -> Matrix:
    return similarity((FRAME_POINTS * scale + (x, y)).astype(np.float32), FRAME_POINTS)


def test_smoothing_shrinks_trembling_and_does_not_lag() -> None:
    rng = np.random.default_rng(0)
    steady = SteadyPlace(place(0, 0), 0.0, OneEuroSettings())
    off = []
    for index in range(1, 60):
        # Still first, then steadily moving; motion is followed exactly, the finder trembles by a pixel.
        x = 0.0 if index < 30 else 3.0 * (index - 29)
        before = 0.0 if index < 31 else 3.0 * (index - 30)
        moved = np.array([[1, 0, x - before], [0, 1, 0]], np.float64)
        steady.follow(moved)
        steady.correct(place(x + rng.normal(0, 1), rng.normal(0, 1)), index / 30)
        here = np.linalg.inv(steady.matrix[:, :2]) @ (FRAME_POINTS[2] - steady.matrix[:, 2])
        off.append(here - (FRAME_POINTS[2] + (x, 0)))
    still, moving = np.std(off[5:29], axis=0), np.mean(off[35:], axis=0)
    assert still.max() < 0.6
    assert abs(moving[0]) < 0.5


def test_motion_is_measured_to_a_fraction_of_a_pixel() -> None:
    rng = np.random.default_rng(0)
    picture = np.kron(rng.integers(0, 255, (64, 64)), np.ones((8, 8))).astype(np.uint8)
    before, now = picture[100:356, 100:356], picture[97:353, 105:361]
    motion = motion_between(before, now)
    assert motion.sure
    assert np.allclose(motion.matrix[:, 2], (-5, 3), atol=0.3)
    assert not motion_between(before, np.zeros_like(before)).sure


def found(hole: Hole) -> FoundHole:
    return FoundHole(hole=hole, coverage=hole.astype(np.float32), covered=True, confidence=0.9)


def test_the_hole_keeps_every_pixel_that_the_last_look_calls_covered() -> None:
    grey = np.zeros((256, 256), np.uint8)
    memory, hole = HoleMemory(), np.zeros((256, 256), bool)
    hole[120:200, 80:180] = True
    for _ in range(3):
        memory.take(found(hole), grey)
    assert memory.may_wait(grey)
    assert not memory.may_wait(np.full_like(grey, 90))
    wider, narrower = hole.copy(), hole.copy()
    wider[118:120, 80:180] = True
    narrower[198:200, 80:180] = False
    memory.take(found(wider), grey)
    assert (memory.found().hole & wider).sum() == wider.sum()
    memory.take(found(narrower), grey)
    assert memory.found().hole[199, 100]  # One look alone takes nothing away.
    memory.take(FoundHole.none(confidence=0.5), grey)
    assert memory.covered
    memory.take(FoundHole.none(confidence=0.5), grey)
    assert not memory.covered


def test_a_face_is_drawn_once_until_the_head_turns() -> None:
    calls = []

    def restorer(masked: ImageU8, hole: Hole) -> ImageU8:
        calls.append(hole)
        return np.full_like(masked, 40 * len(calls))

    crop, grey = np.zeros((256, 256, 3), np.uint8), np.zeros((256, 256), np.uint8)
    hole = np.zeros((256, 256), bool)
    hole[120:200, 80:180] = True
    memory = FaceMemory(FaceMemorySettings(turn_step=0.1, fade_s=0.2))
    values = []
    for index in range(12):
        turn = 0.0 if index < 5 else 0.3
        face = memory.face(crop, hole, grey=grey, turn=turn, time_s=index / 20, restorer=restorer)
        values.append(int(face[150, 128, 0]))
    assert len(calls) == 2
    assert values[:5] == [40] * 5
    assert 40 < values[5] < 80  # It fades over: nothing jumps.
    assert values[-1] == 80


@pytest.mark.parametrize("transfer", [Transfer.PQ, Transfer.HLG])
def test_hdr_goes_to_the_networks_and_back(transfer: Transfer) -> None:
    levels = np.linspace(0.1, 0.58, 20)
    coded = np.rint(levels * 65535).astype(np.uint16)[:, None, None].repeat(3, axis=2)
    shown = display_rgb(coded, transfer)
    assert (np.diff(shown[:, 0, 0].astype(int)) > 0).all()
    back = scene_rgb(shown.astype(np.float32) / 255, transfer)
    assert np.abs(back[:, 0] - levels[:, None]).max() < 0.01


def test_every_orientation_comes_back() -> None:
    picture = np.arange(24).reshape(4, 6)
    for turns in range(4):
        for mirrored in (False, True):
            orientation = Orientation(quarter_turns=turns, mirrored=mirrored)
            assert np.array_equal(orientation.stored(orientation.upright(picture)), picture)


def test_stages_pass_on_items_and_errors_in_order() -> None:
    def broken() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("three")

    items = ahead(broken(), depth=1)
    assert [next(items), next(items)] == [1, 2]
    with pytest.raises(ValueError, match="three"):
        next(items)

    def refuse(item: int) -> None:
        if item == 3:
            raise RuntimeError("no more")

    def hand_over() -> None:
        with Behind(refuse, depth=1) as behind:
            for item in range(100):
                behind(item)

    with pytest.raises(RuntimeError, match="no more"):
        hand_over()
