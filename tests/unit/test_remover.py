"""The main job, on photos and networks that are tiny but real."""

from __future__ import annotations

import importlib.util
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import demask
from demask.errors import InputError, PhotoUnreadable, ShapeMismatch, UsageError
from demask.faces.choice import choose
from demask.faces.crop_networks import HoleFinder
from demask.faces.looker import Looker
from demask.geometry import FRAME_POINTS
from demask.photo.inspection import inspect_photo
from demask.remover import Remover
from demask.types import Alpha, Face, Hole, ImageU8
from demask.weights.registry import fingerprint
from demask.weights.sessions import open_session
from tiny_networks import BLUE, GREEN, SQUARE, make_photo


@pytest.fixture
def hole_finder(tiny_weights: Path) -> HoleFinder:
    return HoleFinder(open_session(tiny_weights / "hole.onnx", device="cpu", threads=1))


@pytest.fixture
def remover(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> Remover:
    monkeypatch.setenv("DEMASK_WEIGHTS", str(tiny_weights))
    return Remover(device="cpu", threads=1)


def png(pixels: ImageU8) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def blueness(pixels: ImageU8) -> int:
    return int(((pixels[..., 2] > 200) & (pixels[..., 0] < 60)).sum())


def at(x: float, y: float, scale: float = 1.0, score: float = 0.9) -> Face:
    """A face whose frame starts at (x, y) of the photo."""
    points = (FRAME_POINTS * scale + (x, y)).astype(np.float32)
    box = (x + 66 * scale, y + 50 * scale, x + 190 * scale, y + 226 * scale)
    return Face(box=box, points=points, score=score)


def two_faces(gap: int) -> tuple[ImageU8, list[Face]]:
    """Two masked faces side by side, frames `gap` px apart."""
    photo = make_photo(None, size=(280, 640))
    faces = [at(10, 10), at(10 + gap, 10)]
    for x in (10, 10 + gap):
        x0, y0, x1, y1 = (int(value) for value in SQUARE)
        photo[y0 + 10 : y1 + 10, x0 + x : x1 + x] = BLUE
    return photo, faces


def test_a_masked_face_is_restored_and_nothing_else_changes(remover: Remover) -> None:
    photo = make_photo()
    before = photo.copy()
    result = remover(photo)
    assert result.status == "restored"
    assert [face.status for face in result.faces] == ["restored"]
    assert result.faces[0].covered is True
    assert result.faces[0].confidence > 0.9
    assert blueness(photo) == 10_000
    assert blueness(result.photo) == 0
    assert result.hole is not None
    assert np.array_equal(result.photo[~result.hole], photo[~result.hole])
    assert 10_000 < result.hole.sum() < 14_000  # The square of 100 px, widened by about 4 px.
    assert np.array_equal(photo, before)
    assert set(result.timings_ms) == {"decode", "find", "hole", "restore", "paste", "encode"}


def test_a_bare_face_is_left_exactly_as_it_is(remover: Remover) -> None:
    photo = make_photo(GREEN)
    result = remover(photo)
    assert result.status == "no_covering"
    assert [(face.status, face.covered) for face in result.faces] == [("bare", False)]
    assert result.photo is photo
    assert result.hole is None


def test_a_photo_without_faces_comes_back(remover: Remover) -> None:
    photo = make_photo(None)
    result = remover(photo)
    assert (result.status, result.faces, result.hole) == ("no_face", (), None)
    assert result.photo is photo


def test_the_same_kind_comes_back(remover: Remover, tmp_path: Path) -> None:
    pixels = make_photo()
    path = tmp_path / "photo.png"
    path.write_bytes(png(pixels))
    expected = remover(pixels).photo
    for given in (path, str(path), png(pixels)):
        restored = remover(given).photo
        assert isinstance(restored, bytes)
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(restored))), expected)
    image = remover(Image.fromarray(pixels)).photo
    assert isinstance(image, Image.Image)
    assert np.array_equal(np.asarray(image), expected)


def test_untouched_files_come_back_byte_for_byte(remover: Remover, tmp_path: Path) -> None:
    path = tmp_path / "bare.png"
    path.write_bytes(png(make_photo(GREEN)))
    assert remover(path).photo == path.read_bytes()
    image = Image.fromarray(make_photo(None))
    assert remover(image).photo is image


def test_alpha_of_a_pil_image_is_kept(remover: Remover) -> None:
    image = Image.fromarray(make_photo()).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    restored = remover(image).photo
    assert restored.mode == "RGBA"
    assert np.array_equal(np.asarray(restored)[..., 3], np.asarray(image)[..., 3])
    assert blueness(np.asarray(restored)[..., :3]) == 0


@pytest.mark.parametrize(
    "bad", [np.zeros((9, 9, 2), np.uint8), np.zeros(9, np.uint8), np.zeros((9, 9, 3)), 7, None]
)
def test_other_kinds_are_refused(remover: Remover, bad: object) -> None:
    with pytest.raises(InputError, match="need"):
        remover(bad)  # type: ignore[call-overload]


def test_open_files_and_addresses_are_read(remover: Remover, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(png(make_photo()))
    expected = remover(path).photo
    assert remover(io.BytesIO(path.read_bytes())).photo == expected
    with path.open("rb") as file:
        assert remover(file).photo == expected
    assert remover(path.as_uri()).photo == expected if importlib.util.find_spec("fsspec") else True
    with path.open() as text, pytest.raises(InputError, match="'rb'"):
        remover(text)
    file.close()
    with pytest.raises(PhotoUnreadable, match="closed file"):
        remover(file)
    with pytest.raises(InputError, match="nowhere"):
        remover("nowhere://photo.png")


def test_arrays_of_one_and_of_four_channels_keep_their_shape(remover: Remover) -> None:
    photo = make_photo()
    alpha = np.linspace(0, 255, photo[..., 0].size).astype(np.uint8).reshape(photo.shape[:2])
    result = remover(np.dstack([photo, alpha]))
    assert result.hole is not None
    assert np.array_equal(result.photo[..., :3], remover(photo).photo)
    assert np.array_equal(result.photo[..., 3], alpha)
    grey = np.asarray(Image.fromarray(photo).convert("L"))
    hole = np.zeros(grey.shape, bool)
    hole[120:160, 120:160] = True
    sees = Remover(finder=lambda _: [at(0, 0)], restorer=remover.restorer)  # The tiny finder looks for colour.
    for array in (grey, grey[..., None]):
        result = sees(array, hole=hole)
        assert result.photo.shape == array.shape
        assert np.array_equal(result.photo[~hole], array[~hole])
        assert result.status == "restored"
    bare = np.dstack([make_photo(GREEN), alpha])
    assert remover(bare).photo is bare


def test_the_label_names_the_networks(remover: Remover) -> None:
    known = inspect_photo(remover(png(make_photo())).photo)
    assert known.restored
    assert (
        known.label.networks
        == {name: fingerprint(name) for name in ("finder", "hole", "restorer")}
        == remover.networks
    )
    assert all(len(name) == 16 for name in remover.networks.values())
    assert fingerprint("scene-completion:/home/somebody") == "scene-completion"
    assert Remover(restorer="telea", finder=list).networks["finder"] == "list"


@pytest.mark.parametrize("gap", [120, 300])
def test_several_faces_overlapping_or_not(remover: Remover, hole_finder: HoleFinder, gap: int) -> None:
    photo, faces = two_faces(gap)
    both = Remover(finder=lambda _: faces, hole_finder=hole_finder, restorer=remover.restorer)
    result = both(photo)
    assert [face.status for face in result.faces] == ["restored", "restored"]
    assert blueness(result.photo) == 0
    assert result.hole is not None
    assert np.array_equal(result.photo[~result.hole], photo[~result.hole])


def test_overlapping_faces_are_cut_from_what_is_restored_so_far() -> None:
    photo, faces = two_faces(120)
    seen: list[ImageU8] = []

    def watch(masked: ImageU8, hole: Hole) -> ImageU8:
        seen.append(masked)
        return np.full_like(masked, 90)

    blue = lambda crops: ((crops[..., 2] > 200) & (crops[..., 0] < 60)).astype(np.float32)  # noqa: E731
    Remover(finder=lambda _: faces, hole_finder=blue, restorer=watch)(photo)
    # The first crop shows a part of the neighbour's mask, the second sees it gone but for its own.
    assert len(seen) == 2
    assert blueness(seen[0]) > 11_000
    assert blueness(seen[1]) <= 10_000


def test_many_faces_go_through_in_batches(remover: Remover, hole_finder: HoleFinder) -> None:
    photo = make_photo(None, size=(150, 2000))
    faces = [at(100 * index, 0, 0.4) for index in range(19)]
    for index in range(19):
        x0, y0, x1, y1 = (int(value * 0.4) for value in SQUARE)
        photo[y0:y1, x0 + 100 * index : x1 + 100 * index] = BLUE
    sizes: list[int] = []

    class Counting:
        def batch(self, masked: ImageU8, hole: Hole) -> ImageU8:
            sizes.append(len(masked))
            return np.full_like(masked, 90)

        def __call__(self, masked: ImageU8, hole: Hole) -> ImageU8:
            raise AssertionError("one by one")

    counted = Remover(finder=lambda _: faces, hole_finder=hole_finder, restorer=Counting())
    assert blueness(counted(photo).photo) == 0
    assert sum(sizes) == 19
    assert max(sizes) <= 8


def test_faces_can_be_chosen(remover: Remover, hole_finder: HoleFinder) -> None:
    photo, faces = two_faces(300)
    both = Remover(finder=lambda _: faces, hole_finder=hole_finder, restorer=remover.restorer)
    result = both(photo, faces=[1])
    assert [(face.status, face.covered) for face in result.faces] == [("skipped", None), ("restored", True)]
    assert np.array_equal(result.photo[:, :300], photo[:, :300])
    with pytest.raises(UsageError, match=r"face 2 .* 0 to 1"):
        both(photo, faces=[2])


def test_choose_takes_the_largest() -> None:
    faces = [at(0, 0, 0.5), at(0, 0, 2.0), at(0, 0, 1.0)]
    assert choose(faces, "largest") == [1]
    assert choose(faces, "all") == [0, 1, 2]
    assert choose([], "largest") == []
    with pytest.raises(UsageError, match="biggest"):
        choose(faces, "biggest")  # type: ignore[arg-type]


def test_my_own_hole_is_used_and_nothing_outside_it_changes(remover: Remover) -> None:
    photo = make_photo(GREEN)  # Bare: by itself the remover would leave it.
    hole = np.zeros(photo.shape[:2], bool)
    hole[170:221, 120:181] = True
    result = remover(photo, hole=hole)
    assert result.status == "restored"
    assert result.hole is not None
    assert not (result.hole & ~hole).any()
    assert result.hole.sum() > 0.8 * hole.sum()
    changed = (result.photo != photo).any(axis=2)
    assert not (changed & ~hole).any()
    assert changed.sum() > 0.8 * hole.sum()


def test_my_own_hole_must_fit(remover: Remover) -> None:
    photo = make_photo()
    with pytest.raises(ShapeMismatch, match="300x180"):
        remover(photo, hole=np.ones((180, 300), bool))
    with pytest.raises(InputError, match="too few to mark one"):
        remover(photo, hole=np.zeros(photo.shape[:2], bool))


def test_a_hole_where_no_face_was_found_is_filled(remover: Remover, hole_finder: HoleFinder) -> None:
    photo = make_photo()
    hole = photo[..., 2] > 250
    blind = Remover(finder=lambda _: [], hole_finder=hole_finder, restorer=remover.restorer)
    assert blind(photo).status == "no_face"
    result = blind(photo, hole=hole)
    assert result.status == "restored"
    assert [face.status for face in result.faces] == ["restored"]
    assert blueness(result.photo) == 0
    assert not ((result.photo != photo).any(axis=2) & ~hole).any()


def test_a_face_that_was_missed_is_found_near_the_hole_that_marks_it(remover: Remover) -> None:
    photo = make_photo(size=(900, 1200))
    (there,) = remover.looker(photo).faces

    def find_close_by_only(pixels: ImageU8) -> list[Face]:
        return [] if max(pixels.shape) > 900 else [face.face for face in remover.looker(pixels).faces]

    short_sighted = Looker(find_close_by_only, lambda crops: np.zeros(crops.shape[:3], np.float32))
    looked = short_sighted(photo, hole=photo[..., 2] > 250)
    (face,) = looked.faces
    assert face.own
    assert face.face.score > 0
    assert face.face.points == pytest.approx(there.face.points, abs=3)
    assert blueness(remover.restore(photo, looked).photo) == 0


def test_points_that_coincide_are_skipped(remover: Remover, hole_finder: HoleFinder) -> None:
    face = Face(box=(0, 0, 90, 90), points=np.full((5, 2), 40, np.float32), score=0.9)
    odd = Remover(finder=lambda _: [face], hole_finder=hole_finder, restorer=remover.restorer)
    result = odd(make_photo())
    assert [found.status for found in result.faces] == ["skipped"]
    assert result.status == "no_covering"


def test_a_face_half_outside_the_photo(remover: Remover, hole_finder: HoleFinder) -> None:
    photo = make_photo()[:, 130:]
    face = at(22 - 130, 37)
    cut = Remover(finder=lambda _: [face], hole_finder=hole_finder, restorer=remover.restorer)
    result = cut(photo)
    assert result.status == "restored"
    # The photo's outermost pixels, only half under the crop, may keep their colour.
    assert blueness(result.photo[2:-2, 2:-2]) == 0


def test_find_changes_nothing(remover: Remover) -> None:
    photo = make_photo()
    result = remover.find(photo)
    assert result.photo is photo
    assert result.faces[0].covered is True
    assert result.hole is not None
    assert result.hole[photo[..., 2] > 250].all()
    assert result.hole.sum() < 14_000


def test_find_says_covered_bare_or_nobody(remover: Remover) -> None:
    statuses = [remover.find(make_photo(colour)).status for colour in (BLUE, GREEN, None)]
    assert statuses == ["covered", "no_covering", "no_face"]


def test_what_was_found_once_is_restored_as_often_as_one_likes(
    remover: Remover, hole_finder: HoleFinder
) -> None:
    photo, calls = make_photo(), []

    def find(pixels: ImageU8) -> list[Face]:
        calls.append("find")
        return [at(22, 37)]

    def segment(crops: ImageU8) -> Alpha:
        calls.append("segment")
        return hole_finder(crops)

    counted = Remover(finder=find, hole_finder=segment, restorer=remover.restorer)
    looked = counted.looker(photo)
    first = counted(photo, looked=looked)
    grey = counted.restore(photo, looked, restorer=lambda masked, hole: np.full_like(masked, 90))
    corrected = counted(photo, looked=looked, hole=photo[..., 2] > 250)
    assert calls == ["find", "segment"]
    assert np.array_equal(first.photo, counted(photo).photo)
    assert grey.status == "restored"
    assert not np.array_equal(grey.photo, first.photo)
    assert corrected.hole is not None
    assert not (corrected.hole & ~(photo[..., 2] > 250)).any()


def test_on_faces_with_my_own_hole_no_network_looks(remover: Remover) -> None:
    def never(crops: ImageU8) -> Alpha:
        raise AssertionError("segmented")

    photo = make_photo()
    mine = Remover(finder=lambda _: [at(22, 37)], hole_finder=never, restorer=remover.restorer)
    assert mine(photo, hole=photo[..., 2] > 250).status == "restored"


def test_faces_and_hole_found_before_are_taken_up_again(remover: Remover) -> None:
    def never(photo: ImageU8) -> list[Face]:
        raise AssertionError("searched")

    photo, faces = two_faces(300)
    hole = photo[..., 2] > 250
    hole[:, 300:] = False
    again = Remover(
        finder=never, hole_finder=lambda crops: crops[..., 0] * np.float32(0), restorer=remover.restorer
    )
    result = again(photo, found=faces, hole=hole)
    assert [face.status for face in result.faces] == ["restored", "bare"]
    assert np.array_equal(result.photo[:, 300:], photo[:, 300:])
    alone = again(photo, found=faces, faces=[0], hole=hole)
    assert [face.status for face in alone.faces] == ["restored", "skipped"]


def test_a_look_at_another_photo_is_refused(remover: Remover) -> None:
    looked = remover.looker(make_photo())
    with pytest.raises(ShapeMismatch):
        remover(make_photo()[:-1], looked=looked)


def test_stages_are_told_and_may_end_the_job(remover: Remover) -> None:
    stages: list[str] = []
    remover(make_photo(), on_stage=stages.append)
    assert stages == ["decode", "find", "hole", "restore", "paste", "encode"]

    class Enough(Exception):
        pass

    def stop(stage: str) -> None:
        if stage == "restore":
            raise Enough

    with pytest.raises(Enough):
        remover(make_photo(), on_stage=stop)


def test_a_looker_works_alone(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMASK_WEIGHTS", str(tiny_weights))
    looked = Looker.shipped(device="cpu", threads=1)(make_photo())
    assert looked.status == "covered"
    assert [face.covered for face in looked.faces] == [True]
    hole = looked.hole()
    assert hole is not None
    assert hole[make_photo()[..., 2] > 250].all()


def test_one_remover_serves_many_threads(remover: Remover) -> None:
    photos = [make_photo(side=side) for side in (80, 90, 100, 110)] * 2
    expected = [remover(photo).photo for photo in photos]
    with ThreadPoolExecutor(4) as pool:
        for got, want in zip(pool.map(remover, photos), expected, strict=True):
            assert np.array_equal(got.photo, want)


def test_remove_keeps_its_remover(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from demask import remover as module

    monkeypatch.setenv("DEMASK_WEIGHTS", str(tiny_weights))
    module._kept.cache_clear()
    assert demask.remove(make_photo(), device="cpu").status == "restored"
    assert demask.remove(make_photo(GREEN), device="cpu").status == "no_covering"
    assert module._kept.cache_info().misses == 1
    module._kept.cache_clear()


def test_the_public_names() -> None:
    public = ["DemaskError", "Looked", "Remover", "Result", "VideoRemover", "__version__", "remove"]
    assert demask.__all__ == public
    assert all(getattr(demask, name) is not None for name in demask.__all__)
    with pytest.raises(AttributeError, match="nothing_here"):
        demask.nothing_here  # noqa: B018
