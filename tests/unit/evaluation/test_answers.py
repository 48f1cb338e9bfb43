"""The four settings of a picture: what each gives, which agree, what is looked at once."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from demask.coverings import draw
from demask.dataset.frozen_set import FrozenPicture
from demask.errors import InputError
from demask.evaluation.answers import SETTINGS, Answering, Measuring, covering_left, measure
from demask.evaluation.metrics.comparison import FIGURES, Comparison
from demask.evaluation.metrics.networks import Networks
from demask.faces.landmarks import landmarks_from_points
from demask.geometry import FRAME_POINTS
from demask.restorers.classical import navier_stokes
from demask.rng import rng_for
from demask.types import Face, Hole, ImageU8


def covered(face: ImageU8, name: str, slice: str) -> FrozenPicture:
    drawn = draw(face, landmarks_from_points(FRAME_POINTS), rng_for(0, "test", name), kinds=("surgical",))
    return FrozenPicture(
        slice=slice,
        face_id=name,
        source="drawn",
        masked=drawn.masked,
        face=face,
        hole=drawn.hole,
        valid=np.ones((256, 256), bool),
        points=FRAME_POINTS,
        recipe=drawn.recipe,
        labels={},
    )


@pytest.fixture
def crop(drawn_face: ImageU8) -> FrozenPicture:
    return covered(drawn_face, "face", "seen")


@pytest.fixture
def portrait(drawn_face: ImageU8) -> FrozenPicture:
    return covered(drawn_face, "face", "portrait")


class KnownHole:
    """Stands in for the trained hole network: answers with the true hole, or with nothing; counts."""

    def __init__(self, picture: FrozenPicture, *, blind: bool = False) -> None:
        self.answer = picture.hole[None].astype(np.float32) * (not blind)
        self.num_calls = 0

    def __call__(self, crops: ImageU8) -> np.ndarray:
        self.num_calls += 1
        return self.answer


def truth_of(picture: FrozenPicture):
    """A restorer that knows the answer: the best any restorer can do."""
    return lambda masked, hole: picture.face


def darker(masked: ImageU8, hole: Hole) -> ImageU8:
    """A restorer that is right in nothing but changes all of its crop."""
    return masked // 2


def test_raw_is_what_was_drawn_and_nothing_else(crop: FrozenPicture) -> None:
    answer = Answering()(crop, "raw", darker)
    assert np.array_equal(answer.picture[crop.hole], crop.masked[crop.hole] // 2)
    assert np.array_equal(answer.picture[~crop.hole], crop.masked[~crop.hole])
    assert np.array_equal(answer.filled, crop.hole)


def test_pasted_matches_tone_in_the_same_hole(crop: FrozenPicture) -> None:
    raw, pasted = (Answering(hole_finder=KnownHole(crop))(crop, name, darker) for name in ("raw", "pasted"))
    assert pasted.restored
    assert (pasted.filled & ~crop.hole).sum() == 0
    assert np.array_equal(pasted.picture[~crop.hole], crop.masked[~crop.hole])
    # Half as bright as the photo around it: the paste lifts it, raw does not.
    assert pasted.picture[crop.hole].mean() > raw.picture[crop.hole].mean() + 10


def test_whole_is_the_whole_answer_and_portraits_have_none(
    crop: FrozenPicture, portrait: FrozenPicture
) -> None:
    assert np.array_equal(Answering()(crop, "whole", darker).picture, crop.masked // 2)
    with pytest.raises(InputError, match="no whole answer"):
        Answering()(portrait, "whole", darker)


def test_a_hole_that_is_not_found_leaves_the_masked_picture(crop: FrozenPicture) -> None:
    answer = Answering(hole_finder=KnownHole(crop, blind=True))(crop, "found", navier_stokes())
    assert not answer.restored
    assert not answer.filled.any()
    assert answer.hole_iou == 0
    assert np.array_equal(answer.picture, crop.masked)


def test_portraits_need_the_finder_and_crops_do_not(crop: FrozenPicture, portrait: FrozenPicture) -> None:
    def sees_nothing(photo: ImageU8) -> list[Face]:
        return []

    for picture, restored in ((crop, True), (portrait, False)):
        answering = Answering(finder=sees_nothing, hole_finder=KnownHole(picture))
        assert answering(picture, "found", navier_stokes()).restored is restored
        assert answering(picture, "pasted", navier_stokes()).restored


def test_a_picture_is_looked_at_once_for_all_restorers(crop: FrozenPicture) -> None:
    finder = KnownHole(crop)
    answering = Answering(hole_finder=finder)
    answers = [answering(crop, "found", restorer) for restorer in (darker, navier_stokes(), truth_of(crop))]
    assert finder.num_calls == 1
    assert all(answer.restored and answer.hole_iou > 0.99 for answer in answers)
    assert len({answer.picture.tobytes() for answer in answers}) == 3


def test_the_truth_scores_best_in_every_setting(crop: FrozenPicture) -> None:
    measuring = Measuring(Comparison(["mse", "psnr", "ssim"], Networks(), holes=True))
    answering = Answering(hole_finder=KnownHole(crop))
    systems = {"truth": (answering, truth_of(crop)), "flow": (answering, navier_stokes())}
    for setting in SETTINGS:
        records = measure(crop, setting, systems, measuring)
        psnr = {name: record["figures"]["hole_psnr"] for name, record in records.items()}
        assert psnr["truth"] > psnr["flow"] + 3
        truth = records["truth"]
        assert set(truth["figures"]) == set(FIGURES)
        assert truth["figures"]["lpips"] is None
        assert truth["hole_reached"] > 0.99
        assert truth["traits"]["kind"] == "surgical"
        assert (truth["hole_iou"] is None) == (setting != "found")


def test_what_is_left_of_the_covering_is_counted(crop: FrozenPicture) -> None:
    assert covering_left(crop.face, crop) == 0
    assert covering_left(crop.masked, crop) == 1
    half = crop.face.copy()
    half[:, 128:] = crop.masked[:, 128:]
    left = covering_left(half, crop)
    assert left is not None
    assert 0.3 < left < 0.7
    assert covering_left(crop.face, dataclasses.replace(crop, masked=crop.face)) is None
