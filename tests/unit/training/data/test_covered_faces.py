import dataclasses
from pathlib import Path

import numpy as np
import pytest

from demask.coverings.head import Turn
from demask.dataset.shards import FaceShards
from demask.errors import ConfigError, DatasetError
from demask.geometry import TIGHT, WIDE
from demask.rng import rng_for
from demask.training.data import covered_crops as training_faces
from demask.training.data.covered_crops import CoveredFaces
from demask.training.data.loading import numbered_batches
from demask.training.data.training_holes import miss, widen
from demask.training.data.varied_faces import FacesConfig, shown, yaw_deg


def test_a_picture_depends_on_its_number_alone(shards: Path) -> None:
    first, second = (CoveredFaces(FacesConfig(data=shards), split="train") for _ in range(2))
    second[3]
    for number in (0, 7):
        for key, value in first[number].items():
            assert np.array_equal(value, second[number][key]), key


def test_outside_the_hole_the_covering_left_at_most_a_shadow(shards: Path) -> None:
    faces = CoveredFaces(FacesConfig(data=shards, widen_px=(0, 0)), split="train")
    for number in range(8):
        item = faces[number]
        assert item["hole"].any()
        outside = (item["hole"] == 0) & (item["valid"] == 1)
        brighter = item["masked"].astype(int) - item["face"].astype(int)
        assert brighter[outside].mean() < 1, "a shadow darkens, it does not add light"


def test_bare_faces_have_no_hole(shards: Path) -> None:
    faces = CoveredFaces(FacesConfig(data=shards, bare_fraction=1.0, widen_px=(0, 0)), split="train")
    for number in range(12):
        item = faces[number]
        assert not item["hole"].any()
        assert np.array_equal(item["masked"], item["face"])


def test_batches_go_on_where_a_run_stopped(shards: Path) -> None:
    faces = CoveredFaces(FacesConfig(data=shards, workers=0), split="train")
    whole = list(numbered_batches(faces, batch_size=2, numbers=range(6), workers=0))
    rest = list(numbered_batches(faces, batch_size=2, numbers=range(4, 6), workers=0))
    assert len(whole) == 3
    assert len(rest) == 1
    assert all((whole[2][key] == rest[0][key]).all() for key in whole[2])


@pytest.mark.parametrize("width", [1, 4])
def test_widening_only_adds_unless_the_outline_wavers(width: int) -> None:
    hole = np.zeros((256, 256), bool)
    hole[100:200, 80:180] = True
    for seed in range(10):
        wide = widen(hole, rng_for(0, "widen", str(seed)), (width, width))
        assert wide.sum() > 0.9 * hole.sum()
        assert wide[110:190, 90:170].all()


def test_what_is_missed_lies_at_the_outline_and_is_less_than_a_third() -> None:
    hole = np.zeros((256, 256), bool)
    hole[110:220, 70:190] = True
    hole[120:124, 20:70] = True  # A strap.
    inside = np.zeros_like(hole)
    inside[145:190, 105:155] = True
    kept = [miss(hole, rng_for(0, "miss", str(seed))) for seed in range(40)]
    assert not any((part & ~hole).any() for part in kept)
    assert all(part.sum() >= 0.7 * hole.sum() for part in kept)
    assert all(part[inside].all() for part in kept)
    assert sum((part != hole).any() for part in kept) >= 35
    without_strap = [part for part in kept if not part[120:124, 24:66].any()]
    assert 5 <= len(without_strap) <= 30
    nothing = np.zeros_like(hole)
    assert not miss(nothing, rng_for(0, "miss", "nothing")).any()


def test_wrong_settings_and_empty_splits_are_told(shards: Path) -> None:
    with pytest.raises(ConfigError, match="bare_fraction"):
        FacesConfig(data=shards, bare_fraction=2)
    with pytest.raises(ConfigError, match="smallest first"):
        FacesConfig(data=shards, widen_px=(4, 1))
    with pytest.raises(DatasetError, match="nothing-like-this"):
        CoveredFaces(FacesConfig(data=shards), split="nothing-like-this")


def test_turned_and_dressed_faces_stay_aligned_and_seeded(shards: Path) -> None:
    config = FacesConfig(
        data=shards, bare_fraction=1.0, turn_fraction=1.0, yaw_deg=30, dress_fraction=0.0, shift_px=0,
        rotation_deg=0, scale=0, degrade_fraction=0, grey_fraction=0, widen_px=(0, 0),
    )  # fmt: skip
    turned = CoveredFaces(config, split="train")
    plain = CoveredFaces(dataclasses.replace(config, turn_fraction=0.0), split="train")
    changed = [np.abs(turned[n]["face"].astype(int) - plain[n]["face"]).mean() for n in range(6)]
    assert max(changed) > 2
    for number in range(6):
        assert np.array_equal(turned[number]["face"], turned[number]["face"])
        assert turned[number]["valid"].mean() > 0.3


def test_heads_before_a_wall_keep_their_faces(shards: Path) -> None:
    config = FacesConfig(
        data=shards, bare_fraction=0.0, shift_px=0, rotation_deg=0, scale=0, degrade_fraction=0, light=False,
        grey_fraction=0, flip_fraction=0.0, widen_px=(0, 0),
    )  # fmt: skip
    plain, walled = (
        CoveredFaces(dataclasses.replace(config, wall_fraction=share), split="train") for share in (0.0, 1.0)
    )
    for number in range(4):
        before, after = plain[number], walled[number]
        assert np.array_equal(before["valid"], after["valid"])
        x, y = before["landmarks"][:, :2].mean(axis=0).astype(int)
        middle = np.s_[y - 10 : y + 10, x - 10 : x + 10]
        assert np.abs(after["face"][middle].astype(int) - before["face"][middle]).max() <= 3
        assert np.array_equal(after["face"], walled[number]["face"])


def test_turned_heads_are_turned_further_the_same_way(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    landmarks = FaceShards(shards, split="train")[0].landmarks
    for yaw in (-40, -20, 20, 40):
        turned = Turn.of(landmarks, yaw_deg=yaw, pitch_deg=0).landmarks(landmarks)
        assert np.sign(yaw_deg(turned)) == np.sign(yaw)

    config = FacesConfig(
        data=shards, bare_fraction=1.0, profile_fraction=1.0, shift_px=0, rotation_deg=0, scale=0,
        degrade_fraction=0, grey_fraction=0, light=False, flip_fraction=0.0, widen_px=(0, 0),
    )  # fmt: skip
    faces = CoveredFaces(config, split="train")
    before = [yaw_deg(faces[number]["landmarks"]) for number in range(8)]
    assert max(np.abs(before)) < 18, "the drawn heads look at the camera, so none is turned"
    monkeypatch.setattr(training_faces, "_PROFILE_FROM_DEG", 0.0)
    after = [yaw_deg(faces[number]["landmarks"]) for number in range(8)]
    assert min(np.abs(after)) > 5
    assert set(np.sign(after)) == set(np.sign(before))


def test_crops_of_nothing_have_no_hole(shards: Path, tmp_path: Path) -> None:
    faces = CoveredFaces(FacesConfig(data=shards, nothing_fraction=1.0), split="train")
    items = [faces[number] for number in range(6)]
    assert not any(item["hole"].any() for item in items)
    assert all(item["valid"].all() and item["masked"].shape == (256, 256, 3) for item in items)


def test_the_pictures_of_a_batch_show_one_window(shards: Path) -> None:
    config = FacesConfig(data=shards, wide_fraction=0.34, wide_valid=0.0, workers=0)
    faces = CoveredFaces(config, split="train", group=2)
    sides = [faces.window(number).side_px for number in range(12)]
    assert sides == [256, 256, 256, 256, 384, 384, 256, 256, 256, 256, 384, 384]
    item = faces[4]
    assert item["masked"].shape == item["face"].shape == (384, 384, 3)
    assert item["hole"].shape == item["valid"].shape == (384, 384)
    assert item["hole"].any()
    assert not (item["hole"] & ~item["valid"] & 1).any()


def test_the_wide_window_shows_the_tight_one_where_it_should(shards: Path) -> None:
    record = FaceShards(shards, split="train")[0]
    tight, tight_valid, points = shown(record, TIGHT)
    wide, wide_valid, moved = shown(record, WIDE)
    here = TIGHT.within(WIDE)
    both = tight_valid & wide_valid[here]
    assert both.mean() > 0.5
    difference = np.abs(tight.astype(int) - wide[here])[both]
    assert difference.mean() < 6, "the photo is stored as JPEG, and so is the crop"
    assert np.allclose(points[:, :2] - [WIDE.x0, WIDE.y0], moved[:, :2])


def test_sources_can_be_chosen(shards: Path) -> None:
    with pytest.raises(DatasetError, match="holds no face of nobody"):
        CoveredFaces(FacesConfig(data=shards, sources=("nobody",)), split="train")


def test_published_holes_fit_the_wide_window(shards: Path) -> None:
    config = FacesConfig(
        data=shards, wide_fraction=1.0, wide_valid=0.0, box_fraction=0.5, free_form_fraction=0.5
    )
    faces = CoveredFaces(config, split="train")
    assert all(faces[number]["hole"].shape == (384, 384) for number in range(4))
