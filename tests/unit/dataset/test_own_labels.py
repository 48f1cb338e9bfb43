"""Sets built without any teacher: the package's own finder and landmark network label the photographs."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from demask.dataset.build import BuildConfig, build
from demask.dataset.shards import FaceShards
from demask.dataset.sources import folder
from demask.dataset.worker import OwnLabellers
from demask.errors import ConfigError
from demask.faces.crop_networks import LandmarkFinder


def test_a_set_is_built_without_teachers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    astronaut = pytest.importorskip("skimage.data").astronaut()
    monkeypatch.delenv("DEMASK_WEIGHTS", raising=False)
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(astronaut).save(photos / "astronaut.png")
    Image.fromarray(np.full_like(astronaut, 90)).save(photos / "wall.png")
    config = BuildConfig(
        sources=(folder(photos),), out=tmp_path / "set", workers=1, val_percent=0, test_percent=0
    )
    report = build(config)
    assert report.num_faces == 1
    assert list(report.skipped.values()) == ["wall.png: no face found"]
    record = FaceShards(config.out)[0]
    # The mouth's corners, read off the crop by eye.
    assert np.linalg.norm(record.landmarks[[61, 291], :2] - [(88, 164), (166, 166)], axis=1).max() < 9


def test_a_wall_has_no_label() -> None:
    assert OwnLabellers.checked()()(np.full((200, 200, 3), 90, np.uint8)) is None


def test_no_crops_give_no_points_and_an_unknown_labeller_is_refused(tmp_path: Path) -> None:
    finder = LandmarkFinder.shipped(device="cpu", threads=1)
    assert finder(np.zeros((0, 256, 256, 3), np.uint8)).shape == (0, 468, 3)
    with pytest.raises(ConfigError, match="choose own or teachers"):
        BuildConfig(sources=(folder(tmp_path),), out=tmp_path / "set", labels="dlib")
    with pytest.raises(ConfigError, match="weights names a folder of the teachers"):
        BuildConfig(sources=(folder(tmp_path),), out=tmp_path / "set", weights=tmp_path)
