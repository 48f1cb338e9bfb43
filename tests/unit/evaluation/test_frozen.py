"""Measuring a frozen set: the path of a user's photo, four systems, tables."""

from __future__ import annotations

import json

import numpy as np
import pytest

from demask.coverings import draw
from demask.dataset.frozen_set import FrozenPicture
from demask.evaluation.frozen import SYSTEMS, Answers, Bench, Row, measure
from demask.evaluation.metrics.suite import FIGURES, Suite
from demask.evaluation.tables import markdown, summarise
from demask.faces.landmarks import landmarks_from_points
from demask.geometry import FRAME_POINTS
from demask.restorers.classical import navier_stokes
from demask.rng import rng_for
from demask.types import Face, ImageU8


def covered(face: ImageU8, name: str, slice: str, kinds: tuple[str, ...]) -> FrozenPicture:
    drawn = draw(face, landmarks_from_points(FRAME_POINTS), rng_for(0, "test", name), kinds=kinds)
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
def pictures(drawn_face: ImageU8) -> list[FrozenPicture]:
    slices = {"seen": ("surgical",), "unseen_types": ("gas",), "portrait": ("surgical",)}
    return [
        covered(drawn_face, f"face {number}", slice, kinds)
        for slice, kinds in slices.items()
        for number in range(2)
    ]


class KnownHoles:
    """Stands in for the trained hole network: answers with the true hole, or with nothing."""

    def __init__(self, pictures: list[FrozenPicture], *, blind: bool = False) -> None:
        self.holes = {picture.masked.tobytes(): picture.hole for picture in pictures}
        self.blind = blind

    def __call__(self, crops: ImageU8) -> np.ndarray:
        answer = np.stack([self.holes[crop.tobytes()] for crop in crops]).astype(np.float32)
        return answer * 0 if self.blind else answer


class Truth:
    """A restorer that knows the answer: the best any restorer can do."""

    def __init__(self, face: ImageU8) -> None:
        self.face = face

    def __call__(self, masked: ImageU8, hole: np.ndarray) -> ImageU8:
        return self.face


@pytest.mark.shared
def test_the_truth_scores_far_better_than_telea(
    suite: Suite, pictures: list[FrozenPicture], drawn_face: ImageU8
) -> None:
    bench = Bench(hole_finder=KnownHoles(pictures), restorer=Truth(drawn_face), suite=suite)
    for row in measure(pictures, bench):
        assert row.restored
        assert row.figures.keys() == set(SYSTEMS)
        assert row.figures["found"]["hole_psnr"] > row.figures["telea"]["hole_psnr"] + 3
        assert row.figures["oracle"]["lpips"] < row.figures["telea"]["lpips"] < row.figures["masked"]["lpips"]
        assert row.hole_reached > 0.99
        assert np.isnan(row.hole_iou) if row.slice == "portrait" else row.hole_iou > 0.999


@pytest.mark.shared
def test_a_hole_that_is_not_found_leaves_the_masked_picture(
    suite: Suite, pictures: list[FrozenPicture]
) -> None:
    bench = Bench(hole_finder=KnownHoles(pictures, blind=True), restorer=navier_stokes(), suite=suite)
    kept: list[Answers] = []
    rows = measure(pictures[:1], bench, each=lambda row, picture, answers: kept.append(answers))
    assert not rows[0].restored
    assert rows[0].hole_reached == rows[0].hole_iou == 0
    assert np.array_equal(kept[0].pictures["found"], pictures[0].masked)
    assert rows[0].figures["found"] == rows[0].figures["masked"]
    assert rows[0].figures["oracle"] != rows[0].figures["masked"]


@pytest.mark.shared
def test_portraits_need_the_finder_and_crops_do_not(suite: Suite, pictures: list[FrozenPicture]) -> None:
    def sees_nothing(photo: ImageU8) -> list[Face]:
        return []

    bench = Bench(hole_finder=KnownHoles(pictures), restorer=navier_stokes(), suite=suite, finder=sees_nothing)
    restored = {row.slice: row.restored for row in measure(pictures, bench)}
    assert restored == {"seen": True, "unseen_types": True, "portrait": False}


def row(slice: str, number: int, *, found: float, telea: float) -> Row:
    figures = {
        system: dict.fromkeys(FIGURES, value)
        for system, value in {"masked": 1.0, "telea": telea, "oracle": found, "found": found}.items()
    }
    return Row(
        slice=slice,
        face_id=str(number),
        source="drawn",
        kind="surgical",
        turn="frontal",
        skin="light" if number else "dark",
        restored=number > 0,
        hole_iou=0.9 if slice == "seen" else 0.45,
        hole_reached=1.0,
        figures=figures,
    )


def test_the_summary_says_what_the_rows_say() -> None:
    rows = [row("seen", n, found=10.0 + n, telea=5.0 + n) for n in range(4)]
    rows += [row("unseen_types", n, found=20.0 + 2 * n, telea=5.0) for n in range(4)]
    summary = summarise(rows)
    seen = summary["slices"]["seen"]
    assert seen["num"] == 4
    assert seen["restored"]["value"] == 0.75
    assert seen["figures"]["found"]["psnr"]["value"] == pytest.approx(11.5)
    gain = seen["against_telea"]["found"]["hole_psnr_difference"]
    assert (gain["value"], gain["low"], gain["high"]) == (5, 5, 5)
    assert seen["against_telea"]["found"]["lpips_ratio"]["value"] == pytest.approx(11.5 / 6.5, abs=1e-4)
    assert summary["relative"]["unseen_types"]["hole_psnr"]["value"] == 2
    assert summary["relative"]["unseen_types"]["hole_iou"]["value"] == 0.5
    assert summary["kinds"]["surgical"]["num"] == 8
    assert {name: facts["num"] for name, facts in summary["skins"].items()} == {"dark": 1, "light": 3}
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_the_markdown_holds_every_table() -> None:
    rows = [
        row(slice, n, found=10.0, telea=5.0) for slice in ("seen", "unseen_types", "portrait") for n in range(3)
    ]
    text = markdown(summarise(rows))
    for heading in ("Holes", "seen (aligned crop", "portrait (whole portrait", "Unseen over seen", "By kind"):
        assert heading in text
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    assert all(len({line.count("|") for line in table.splitlines()}) == 1 for table in tables)
