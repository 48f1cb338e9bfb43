"""A JPEG's coefficients are the photo's own in every block that the hole does not touch."""

from __future__ import annotations

import io
import logging
import os
import sys
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from demask.photo.decode import read_photo
from demask.photo.encode import encode_photo
from demask.photo.jpeg_blocks import turned_blocks
from demask.photo.provenance import DIGITAL_SOURCE_TYPE, digital_source_type

jpegio = pytest.importorskip("jpegio")

HOLE = (slice(37, 62), slice(50, 95))


def photo_file(
    mode: str = "RGB", *, turn: int = 1, width: int = 160, height: int = 112, **options: Any
) -> bytes:
    rng = np.random.default_rng(5)
    smooth = cv2.resize(rng.integers(0, 256, (7, 10, 3), dtype=np.uint8), (width, height)).astype(int)
    pixels = np.clip(smooth + rng.integers(-25, 26, smooth.shape), 0, 255).astype(np.uint8)
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112], exif[0x0110] = turn, "Model"
    Image.fromarray(pixels).convert(mode).save(buffer, "JPEG", exif=exif, **{"quality": 88, **options})
    return buffer.getvalue()


def restored(data: bytes, **options: Any) -> tuple[bytes, np.ndarray[Any, Any]]:
    photo = read_photo(data)
    changed = np.zeros(photo.pixels.shape[:2], bool)
    changed[HOLE] = True
    pixels = photo.pixels.copy()
    pixels[changed] = (200, 150, 130)
    return encode_photo(photo, pixels, changed=changed, **options), changed


def coefficients(data: bytes, tmp_path: Any) -> Any:
    (tmp_path / "a.jpg").write_bytes(data)
    return jpegio.read(tmp_path / "a.jpg")


def blocks_of(component: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    rows, columns = np.array(component.shape) // 8
    return component.reshape(rows, 8, columns, 8).swapaxes(1, 2)


def untouched(changed: np.ndarray[Any, Any], rows: int, columns: int, down: int, across: int) -> Any:
    """Block by block, as slowly as it is plain."""
    return np.array([
        [
            not changed[down * row : down * (row + 1), across * column : across * (column + 1)].any()
            for column in range(columns)
        ]
        for row in range(rows)
    ])  # fmt: skip


def kept_and_changed(before: Any, after: Any, changed: np.ndarray[Any, Any], turn: int = 1) -> tuple[int, int]:
    """Check each component; return how many blocks were kept, and how many differ of those touched."""
    num_kept = num_changed = 0
    for own, ours, about in zip(before.coef_arrays, after.coef_arrays, after.comp_info, strict=True):
        old, new = turned_blocks(blocks_of(own), turn), blocks_of(ours)
        reach = (
            8 * after.max_v_samp_factor // about.v_samp_factor,
            8 * after.max_h_samp_factor // about.h_samp_factor,
        )
        keeps = untouched(changed, *new.shape[:2], *reach)
        assert np.array_equal(old[keeps], new[keeps])
        num_kept += int(keeps.sum())
        num_changed += int((old[~keeps] != new[~keeps]).any(axis=(1, 2)).sum())
    return num_kept, num_changed


@pytest.mark.parametrize("size", [(160, 112), (157, 109), (100, 65)])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_blocks_that_the_hole_does_not_touch_keep_their_coefficients(
    subsampling: int, progressive: bool, size: tuple[int, int], tmp_path: Any
) -> None:
    width, height = size
    data = photo_file(width=width, height=height, subsampling=subsampling, progressive=progressive)
    written, changed = restored(data)
    num_kept, num_changed = kept_and_changed(
        coefficients(data, tmp_path), coefficients(written, tmp_path), changed
    )
    assert num_kept > 100
    assert num_changed > 20
    again = read_photo(written)
    assert again.coding == read_photo(data).coding
    assert digital_source_type(again.xmp) == DIGITAL_SOURCE_TYPE
    assert again.exif is not None
    assert b"Model" in again.exif
    assert np.abs(again.pixels[45:55, 60:85].astype(int) - (200, 150, 130)).mean() < 4


@pytest.mark.parametrize("subsampling", [0, 2])
def test_what_a_viewer_shows_changes_only_beside_the_hole(subsampling: int) -> None:
    data = photo_file(subsampling=subsampling)
    written, changed = restored(data)
    differs = (read_photo(written).pixels != read_photo(data).pixels).any(axis=2)
    # The chroma block that the hole touches, and one pixel of chroma beyond it.
    near = cv2.dilate(changed.astype(np.uint8), np.ones((37, 37), np.uint8)).astype(bool)
    assert not differs[~near].any()
    assert differs[changed].any()


def test_a_grey_jpeg_keeps_its_coefficients(tmp_path: Any) -> None:
    data = photo_file("L")
    written, changed = restored(data)
    kept_and_changed(coefficients(data, tmp_path), coefficients(written, tmp_path), changed)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("subsampling", [0, 2])
def test_a_turned_photo_keeps_its_coefficients_turned(turn: int, subsampling: int, tmp_path: Any) -> None:
    data = photo_file(turn=turn, subsampling=subsampling)
    written, changed = restored(data)
    before, after = coefficients(data, tmp_path), coefficients(written, tmp_path)
    assert kept_and_changed(before, after, changed, turn)[0] > 100
    # Turned coefficients are turned pixels, but for the last bit of rounding.
    expected, shown = read_photo(data).pixels, read_photo(written).pixels
    near = cv2.dilate(changed.astype(np.uint8), np.ones((37, 37), np.uint8)).astype(bool)
    assert np.abs(expected.astype(int) - shown)[~near].max() <= (4 if subsampling == 0 else 8)
    assert read_photo(written).turn == 1


@pytest.mark.parametrize(
    ("options", "more", "reason"),
    [
        ({"width": 157, "turn": 2}, {}, "cuts blocks apart"),
        ({"height": 109, "turn": 3}, {}, "cuts blocks apart"),
        ({"subsampling": 1, "turn": 6}, {}, "subsampling differs"),
        ({"mode": "CMYK"}, {}, "number of components differs"),
    ],
)
def test_what_cannot_be_kept_is_encoded_anew(
    options: dict[str, Any], more: dict[str, Any], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    data = photo_file(**options)
    with caplog.at_level(logging.INFO):
        written, _ = restored(data, **more)
    assert reason in caplog.text
    again = read_photo(written)
    assert again.pixels.shape == read_photo(data).pixels.shape
    assert np.abs(again.pixels.astype(int) - read_photo(data).pixels)[:30].mean() < 10


def test_a_quality_that_was_asked_for_is_not_undone(tmp_path: Any) -> None:
    data = photo_file()
    written, _ = restored(data, quality=30)
    tables = coefficients(written, tmp_path).quant_tables
    assert not np.array_equal(tables[0], coefficients(data, tmp_path).quant_tables[0])


@pytest.mark.parametrize("missing", ["binding", "files in memory"])
def test_without_what_it_needs_the_jpeg_is_encoded_anew(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = photo_file()
    if missing == "binding":
        monkeypatch.setitem(sys.modules, "jpegio", None)
    else:
        monkeypatch.delattr(os, "memfd_create")
    written, changed = restored(data)
    differs = (read_photo(written).pixels != read_photo(data).pixels).any(axis=2)
    assert differs[~changed].any()


def test_the_same_photo_gives_the_same_bytes() -> None:
    data = photo_file(progressive=True)
    assert restored(data)[0] == restored(data)[0]


def test_no_photo_touches_the_disk(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    num_open = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    restored(photo_file())
    assert not list(tmp_path.iterdir())
    assert len(os.listdir("/proc/self/fd")) == num_open  # noqa: PTH208


def test_a_photo_with_other_pictures_behind_it_keeps_its_coefficients(tmp_path: Any) -> None:
    data = photo_file()
    written, changed = restored(data + photo_file("L"))
    kept_and_changed(coefficients(data, tmp_path), coefficients(written, tmp_path), changed)
