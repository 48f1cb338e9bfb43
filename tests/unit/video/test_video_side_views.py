"""Before and after: the contact sheet, and both clips side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from demask.errors import OutputExists
from demask.video.clip_reader import Damage, read_facts, read_frames
from demask.video.planes import rgb_of
from demask.video.side_views import contact_sheet, side_by_side
from drawn_clips import Clip, write_clip
from tiny_networks import BLUE, GREEN


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("pair")
    before = write_clip(folder / "before.mp4", Clip(colours=(BLUE,) * 5, sounds=0))
    return before, write_clip(folder / "after.mp4", Clip(colours=(GREEN,) * 5, sounds=0))


def test_the_sheet_shows_before_above_after(pair: tuple[Path, Path], tmp_path: Path) -> None:
    contact_sheet(*pair, tmp_path / "sheet.png", overwrite=False)
    sheet = np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB")).astype(int)
    half = sheet.shape[0] // 2
    upper, lower = sheet[:half], sheet[half:]
    assert sheet.shape == (360, 5 * 240, 3)
    assert int(((upper[..., 2] > 200) & (upper[..., 0] < 60)).sum()) > 1000
    assert int(((lower[..., 1] > 200) & (lower[..., 0] < 60)).sum()) > 1000
    with pytest.raises(OutputExists):
        contact_sheet(*pair, tmp_path / "sheet.png", overwrite=False)


def test_both_clips_stand_side_by_side(pair: tuple[Path, Path], tmp_path: Path) -> None:
    target = tmp_path / "both.mp4"
    side_by_side(*pair, target)
    before, both = read_facts(pair[0]), read_facts(target)
    assert (both.width, both.height) == (2 * before.width, before.height)
    one, two = (list(read_frames(facts, Damage())) for facts in (before, both))
    assert [frame.time_s for frame in two] == pytest.approx([frame.time_s for frame in one], abs=1e-3)
    shown = rgb_of(two[2].frame, both.colours).astype(int)
    left, right = shown[:, : before.width], shown[:, before.width :]
    assert int(((left[..., 2] > 200) & (left[..., 0] < 60)).sum()) > 1000
    assert int(((right[..., 1] > 200) & (right[..., 0] < 60)).sum()) > 1000
