"""Python as people write it: save, show, compare, many photos, other processes."""

from __future__ import annotations

import asyncio
import io
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import own_loop
from demask.errors import InputError, OutputExists, UsageError
from demask.photo.decode import read_photo
from demask.photo.inspection import inspect_photo
from demask.photo.showing import slider_page, taking_turns
from demask.remover import Remover
from tiny_networks import GREEN, make_photo


@pytest.fixture
def remover(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> Remover:
    monkeypatch.setenv("DEMASK_WEIGHTS", str(tiny_weights))
    return Remover(device="cpu", threads=1)


def jpeg(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def test_a_result_is_printed_on_one_line(remover: Remover) -> None:
    data = jpeg(make_photo())
    text = repr(remover(data))
    assert text.startswith("<Result restored: 1 face")
    assert "bytes of JPEG" in text
    assert len(text) < 120
    assert "of type ndarray" in repr(remover(make_photo()))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tiff"])
@pytest.mark.parametrize("kind", ["array", "pil"])
def test_arrays_and_images_are_saved_labelled(kind: str, suffix: str, remover: Remover, tmp_path: Path) -> None:
    photo = make_photo()
    result = remover(photo if kind == "array" else Image.fromarray(photo))  # type: ignore[call-overload]
    path = result.save(tmp_path / f"bare{suffix}")
    known = inspect_photo(path)
    assert known.restored
    assert known.label.networks == remover.networks
    if suffix in (".png", ".tiff"):
        assert np.array_equal(read_photo(path).pixels, np.asarray(result.photo))


def test_files_are_saved_as_they_are(remover: Remover, tmp_path: Path) -> None:
    result = remover(jpeg(make_photo()))
    path = result.save(tmp_path / "bare.jpg")
    assert path.read_bytes() == result.photo
    with pytest.raises(OutputExists):
        result.save(path)
    result.save(str(path), overwrite=True)
    with pytest.raises(UsageError, match="the photo is a JPEG"):
        result.save(tmp_path / "bare.png")
    with pytest.raises(UsageError, match="no picture format"):
        remover(make_photo()).save(tmp_path / "bare.docx")


def test_an_untouched_array_is_saved_without_a_label(remover: Remover, tmp_path: Path) -> None:
    path = remover(make_photo(GREEN)).save(tmp_path / "same.png")
    assert not inspect_photo(path).restored


def test_before_and_after_are_shown(remover: Remover) -> None:
    photo = make_photo()
    for given in (photo, jpeg(photo), Image.fromarray(photo)):
        result = remover(given)  # type: ignore[call-overload]
        both = result.compare()
        height, width = photo.shape[:2]
        assert both.size == (2 * width + 8, height)
        left = np.asarray(both)[:, :width].astype(int)
        assert np.abs(left - photo).mean() < 3
        shown = Image.open(io.BytesIO(result._repr_png_()))
        assert shown.height <= 480
        assert (
            "It is not the person&#x27;s" in result._repr_html_() or "not the person's" in result._repr_html_()
        )
    bare = remover(make_photo(GREEN))._repr_html_()
    assert "no_covering: 1 face" in bare
    assert "invented" not in bare


def test_pictures_take_turns_or_lie_under_a_slider() -> None:
    before, after = make_photo(), make_photo(GREEN)
    with Image.open(io.BytesIO(taking_turns(before, after))) as image:
        assert (image.n_frames, image.info["loop"]) == (2, 0)
        assert b"invented" in image.info["comment"]
    page = slider_page(before, after, title="<script>")
    assert "<h1>&lt;script&gt;</h1>" in page
    assert page.count("data:image/jpeg;base64,") == 2
    assert "http://" not in page
    with pytest.raises(InputError, match="of one size"):
        slider_page(before, after[:-1], title="x")


def test_many_photos_stream_in_order(remover: Remover) -> None:
    taken: list[int] = []

    def photos() -> Iterator[np.ndarray]:
        for index in range(40):
            taken.append(index)
            yield make_photo() if index % 2 else make_photo(GREEN)

    done: list[int] = []
    stream = remover.map(photos(), jobs=2, on_progress=done.append)
    first = [next(stream).status for _ in range(4)]
    assert first == ["no_covering", "restored"] * 2
    assert len(taken) <= 4 + 2 * 2 + 1  # Not all of a million photos are read ahead.
    stream.close()
    assert done == [1, 2, 3, 4]


def test_a_bad_photo_ends_the_stream_or_is_told(remover: Remover) -> None:
    photos = [make_photo(), b"no picture", make_photo(GREEN)]
    with pytest.raises(InputError):
        list(remover.map(photos, jobs=1))
    good, bad, last = remover.map(photos, jobs=2, on_error="yield")
    assert (good.status, last.status) == ("restored", "no_covering")
    assert isinstance(bad, InputError)
    with pytest.raises(UsageError, match="jobs"):
        next(remover.map(photos, jobs=0))


def test_a_remover_can_be_closed_and_pickled(remover: Remover) -> None:
    again = pickle.loads(pickle.dumps(remover))
    result = again(make_photo())
    assert np.array_equal(result.photo, remover(make_photo()).photo)
    assert pickle.loads(pickle.dumps(result)).status == "restored"
    with again as opened:
        assert opened is again
    with pytest.raises(UsageError, match="closed"):
        again(make_photo())


def test_an_own_network_by_its_path_and_session_options(remover: Remover, tiny_weights: Path) -> None:
    own = Remover(
        finder=tiny_weights / "finder.onnx",
        hole_finder=tiny_weights / "hole.onnx",
        restorer=str(tiny_weights / "restorer.onnx"),
        session_options={"intra_op_num_threads": 1, "session.intra_op.allow_spinning": "0"},
    )
    assert np.array_equal(own(make_photo()).photo, remover(make_photo()).photo)
    assert own.networks == remover.networks
    with pytest.raises(UsageError, match="threds"):
        Remover(session_options={"threds": 1})
    with pytest.raises(UsageError, match="intra_op_num_threads"):
        Remover(session_options={"intra_op_num_threads": "many"})


def test_many_tasks_of_one_loop_share_a_remover(remover: Remover) -> None:
    async def all_of_them() -> list[str]:
        results = await asyncio.gather(*(asyncio.to_thread(remover, make_photo()) for _ in range(3)))
        return [result.status for result in results]

    assert own_loop.run(all_of_them()) == ["restored"] * 3
