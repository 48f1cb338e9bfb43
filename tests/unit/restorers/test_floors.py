"""The floors: nothing, the mean face, the smoothest surface; and what every restorer says of itself."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from demask.dataset.mean_face import mean_face, png_of
from demask.errors import DatasetError, InputError, ShapeMismatch, UsageError, WeightsError
from demask.extras import install_command
from demask.restorers.by_name import NAMES, describe, get_restorer
from demask.restorers.classical import RADIUS_PX
from demask.restorers.criminisi import CriminisiConfig
from demask.restorers.floors import MEAN_FACE, MeanFace
from demask.types import Hole, ImageU8

FLOORS = ("nothing", "mean-face", "biharmonic")
DOCS = Path(__file__).parents[3] / "docs" / "restorers.md"


@pytest.fixture
def crop() -> ImageU8:
    """A ramp: the Laplacian of its Laplacian is zero, so the smoothest surface is the ramp itself."""
    y, x = np.mgrid[0:64, 0:64]
    return np.dstack([2 * x + y + 20, 3 * y + 20, 200 - x - y]).astype(np.uint8)


@pytest.fixture
def hole() -> Hole:
    hole = np.zeros((64, 64), bool)
    hole[20:50, 16:44] = True
    return hole


@pytest.fixture(autouse=True)
def _needs(request: pytest.FixtureRequest) -> None:
    if "biharmonic" in request.node.name:
        pytest.importorskip("skimage")


@pytest.mark.parametrize("name", FLOORS)
def test_known_pixels_stay(name: str, crop: ImageU8, hole: Hole) -> None:
    masked = np.where(hole[..., None], np.uint8(255), crop)
    before = masked.copy()
    restored = get_restorer(name)(masked, hole)
    assert restored.dtype == np.uint8
    assert np.array_equal(restored[~hole], crop[~hole])
    assert np.array_equal(masked, before)
    with pytest.raises(ShapeMismatch):
        get_restorer(name)(masked, hole[1:])


@pytest.mark.parametrize("name", FLOORS[1:])
def test_what_lies_in_the_hole_does_not_matter(name: str, crop: ImageU8, hole: Hole) -> None:
    black, white = (np.where(hole[..., None], np.uint8(level), crop) for level in (0, 255))
    assert np.array_equal(get_restorer(name)(black, hole), get_restorer(name)(white, hole))


def test_nothing_leaves_the_covering(crop: ImageU8, hole: Hole) -> None:
    masked = np.where(hole[..., None], np.uint8(255), crop)
    restored = get_restorer("nothing")(masked, hole)
    assert np.array_equal(restored, masked)
    assert restored is not masked


def test_biharmonic_continues_a_ramp_exactly(crop: ImageU8, hole: Hole) -> None:
    assert np.array_equal(get_restorer("biharmonic")(np.where(hole[..., None], np.uint8(0), crop), hole), crop)
    with pytest.raises(InputError, match="whole picture"):
        get_restorer("biharmonic")(crop, np.ones((64, 64), bool))


def test_biharmonic_takes_a_hole_whose_true_is_stored_as_255(crop: ImageU8, hole: Hole) -> None:
    stored = (hole.astype(np.uint8) * 255).view(np.bool_)
    assert np.array_equal(get_restorer("biharmonic")(crop, stored), crop)


def test_biharmonic_without_scikit_image_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage.restoration", None)
    with pytest.raises(UsageError, match=re.escape(install_command("measure"))):
        get_restorer("biharmonic")


def test_the_mean_face_takes_the_tone_of_the_skin_that_shows() -> None:
    shown = cv2.cvtColor(cv2.imread(str(MEAN_FACE)), cv2.COLOR_BGR2RGB)
    whole = cv2.resize(shown.astype(np.float32), (256, 256), interpolation=cv2.INTER_CUBIC)
    hole = np.zeros((256, 256), bool)
    hole[110:230, 70:186] = True
    shift = np.array([-30, 10, 25])
    crop = np.clip(np.rint(whole + shift), 0, 255).astype(np.uint8)
    restored = get_restorer("mean-face")(np.where(hole[..., None], np.uint8(0), crop), hole)
    assert np.abs(restored[hole].astype(int) - crop[hole]).max() <= 2
    # Far pixels have no say: a black border outside the photo must not darken the face.
    bordered = crop.copy()
    bordered[:, :30] = 0
    assert np.array_equal(get_restorer("mean-face")(bordered, hole)[hole], restored[hole])


def test_the_mean_face_fills_a_whole_picture_and_misses_its_file(tmp_path: Path) -> None:
    everything = np.ones((64, 64), bool)
    assert get_restorer("mean-face")(np.zeros((64, 64, 3), np.uint8), everything).std() > 10
    with pytest.raises(WeightsError, match=r"gone\.png"):
        MeanFace(tmp_path / "gone.png")


def test_the_shipped_mean_face_is_small_and_says_what_it_is() -> None:
    assert MEAN_FACE.stat().st_size < 10_000
    with Image.open(MEAN_FACE) as picture:
        assert picture.size == (64, 64)
        assert "8320 aligned photographs" in picture.info["Comment"]


def test_a_mean_is_made_of_valid_pixels_only_and_the_same_each_time(shards: Path) -> None:
    from demask.dataset.shards import FaceShards

    mean = mean_face(shards, side_px=32, least_identities=3)
    faces = list(FaceShards(shards, split="train"))
    assert mean.num_faces == mean.num_identities == len(faces)
    stacked = np.stack([face.crop for face in faces]).astype(float)
    valid = np.stack([face.valid for face in faces])[..., None]
    expected = (stacked * valid).sum(axis=0) / np.maximum(valid.sum(axis=0), 1)
    always = cv2.erode(valid.all(axis=0).astype(np.uint8), np.ones((9, 9))).astype(bool)[4::8, 4::8]
    shrunk = expected.reshape(32, 8, 32, 8, 3).mean(axis=(1, 3))
    assert always.any()
    assert np.abs(mean.picture - shrunk)[always].max() <= 0.51
    data = png_of(mean)
    assert data == png_of(mean_face(shards, side_px=32, least_identities=3))
    with Image.open(io.BytesIO(data)) as picture:
        assert np.array_equal(np.asarray(picture), mean.picture)
        assert f"Mean of {len(faces)} aligned" in picture.info["Comment"]


def test_a_mean_of_few_people_is_refused(shards: Path) -> None:
    with pytest.raises(DatasetError, match="single people"):
        mean_face(shards)


@pytest.mark.parametrize("name", NAMES)
def test_every_restorer_is_described(name: str) -> None:
    about = describe(name)
    assert about.name == name
    assert about.version >= 1
    page = DOCS.read_text(encoding="utf-8")
    assert f"`{name}`" in page
    for text in filter(None, (about.what, about.paper, *about.departures, about.note)):
        assert text in page, f"docs/restorers.md does not say {text!r}"
    for parameter in about.parameters:
        assert f"`{parameter.name}` {parameter.ours}" in page


def test_described_parameters_are_those_in_use() -> None:
    ours = {parameter.name: parameter.ours for parameter in describe("criminisi").parameters}
    assert ours == {name: getattr(CriminisiConfig(), name) for name in CriminisiConfig.__dataclass_fields__}
    assert describe("telea").parameters[0].ours == RADIUS_PX
    with pytest.raises(UsageError, match="did you mean 'criminisi'"):
        describe("crimnisi")


def test_the_command_lists_them() -> None:
    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "demask", "restorers", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert [line.split()[0] for line in run().splitlines()[: len(NAMES)]] == list(NAMES)
    assert "paper: 9" in run("criminisi")
    listed = [json.loads(line) for line in run("--json", "telea", "biharmonic").splitlines()]
    assert [about["name"] for about in listed] == ["telea", "biharmonic"]
    assert listed[1]["extra"] == "measure"
