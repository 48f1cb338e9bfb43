"""A clip in and out: every stream, every time stamp, and every sample outside the holes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from demask.errors import ClipUnreadable, OutputError, OutputExists, PhotoUnreadable, UsageError
from demask.photo.provenance import DIGITAL_SOURCE_TYPE, digital_source_type
from demask.photo.trial_certificate import make_trial_certificate
from demask.remover import Remover
from demask.video.clip_job import ClipReport, ClipSettings, remove_from_clip
from demask.video.clip_reader import Damage, read_facts, read_frames
from demask.video.clip_writer import MATROSKA_TAG, read_xmp_box
from demask.video.planes import samples_of
from demask.video.video_remover import VideoRemover
from drawn_clips import Clip, streams_of, write_clip
from tiny_networks import BLUE, GREEN


@pytest.fixture
def remover(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> VideoRemover:
    monkeypatch.setenv("DEMASK_WEIGHTS", str(tiny_weights))
    return VideoRemover(Remover(device="cpu", threads=1))


def run(remover: VideoRemover, source: Path, target: str, **asked: Any) -> tuple[Path, ClipReport]:
    output = source.with_name(target)
    return output, remove_from_clip(source, output, remover, ClipSettings(**asked))


def frames(path: Path) -> list[list[Any]]:
    """All samples of all frames."""
    timed = read_frames(read_facts(path), Damage())
    return [[plane.copy() for plane in samples_of(one.frame)] for one in timed]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_every_stream_is_kept_packet_by_packet(remover: VideoRemover, tmp_path: Path, suffix: str) -> None:
    clip = Clip(sounds=2, subtitles=True, chapters=True, tags=(6, 6, 6, 1), steps=(24, 10, 61))
    source = write_clip(tmp_path / f"clip{suffix}", clip)
    output, report = run(remover, source, f"out{suffix}")
    assert report.status == "restored"
    assert report.num_restored == len(clip.colours)
    before, after = streams_of(source), streams_of(output)
    assert after == before
    assert {stream.fate for stream in report.streams} <= {"restored", "copied", "remade"}
    with av.open(str(source)) as one, av.open(str(output)) as other:
        assert other.metadata["title"] == one.metadata["title"]
        assert [c["metadata"] for c in other.chapters()] == [c["metadata"] for c in one.chapters()]
        assert [c["start"] * c["time_base"] for c in other.chapters()] == [
            c["start"] * c["time_base"] for c in one.chapters()
        ]


def test_the_label_is_in_every_container(remover: VideoRemover, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mp4", Clip(colours=(BLUE,) * 3))
    output, _ = run(remover, source, "out.mp4")
    assert digital_source_type(read_xmp_box(output)) == DIGITAL_SOURCE_TYPE
    output, _ = run(remover, source, "out.mov")
    with av.open(str(output), options={"export_xmp": "1"}) as container:
        assert digital_source_type(container.metadata["xmp"].encode()) == DIGITAL_SOURCE_TYPE
    output, _ = run(remover, source, "out.mkv")
    with av.open(str(output)) as container:
        assert container.metadata[MATROSKA_TAG] == DIGITAL_SOURCE_TYPE


@pytest.mark.parametrize(
    ("format", "codec", "tags"),
    [
        ("yuv420p", "libx264", (1, 1, 1, 1)),
        ("yuvj420p", "libx264", (6, 1, 1, 2)),
        ("yuv420p10le", "libx265", (9, 9, 16, 1)),
        ("yuv422p10le", "ffv1", (9, 9, 18, 1)),
    ],
)
def test_outside_the_holes_no_sample_changes(
    remover: VideoRemover, tmp_path: Path, format: str, codec: str, tags: tuple[int, int, int, int]
) -> None:
    options = {"libx265": {"x265-params": "log-level=none", "crf": "10"}}.get(codec, {})
    clip = Clip(format=format, codec=codec, options=options, tags=tags, colours=(BLUE,) * 4, sounds=0)
    source = write_clip(tmp_path / "clip.mkv", clip)
    holes: list[Any] = []
    seen = remover.frame

    def watched(pixels: Any, time: float) -> Any:
        result = seen(pixels, time)
        holes.append(result.hole)
        return result

    remover.frame = watched  # type: ignore[method-assign]
    output, report = run(remover, source, "out.mkv", lossless=True)
    facts = read_facts(output)
    assert facts.pixel_format in (format, format.replace("yuvj", "yuv"))
    assert (facts.matrix, facts.primaries, facts.transfer, facts.range) == tags
    before, after = frames(source), frames(output)
    assert len(before) == len(after) == report.num_restored == len(holes)
    for old, new, hole in zip(before, after, holes, strict=True):
        assert (old[0] != new[0]).any()
        for one, other in zip(old, new, strict=True):
            down, across = hole.shape[0] // one.shape[0], hole.shape[1] // one.shape[1]
            # A sample that pixels share may change only where all of them lie in the hole.
            inside = hole.reshape(one.shape[0], down, one.shape[1], across).all(axis=(1, 3))
            assert np.array_equal(one[~inside], other[~inside])


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_turned_clip_stays_turned(remover: VideoRemover, tmp_path: Path, rotation: int) -> None:
    """A phone's clip lies on its side, and its faces are found upright."""
    upright = Clip(colours=(BLUE,) * 3, sounds=0)
    source = tmp_path / "clip.mp4"
    with av.open(str(write_clip(tmp_path / "upright.mp4", upright))) as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    height, width = np.rot90(shown[0], -rotation // 90).shape[:2]
    with av.open(str(source), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"crf": "8"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.set_display_rotation(rotation)
        for pixels in shown:
            lying = np.ascontiguousarray(np.rot90(pixels, -rotation // 90))
            output.mux(stream.encode(av.VideoFrame.from_ndarray(lying, format="rgb24")))
        output.mux(stream.encode(None))
    output_path, report = run(remover, source, "out.mp4")
    assert report.num_restored == 3
    facts = read_facts(output_path)
    assert facts.display_matrix == read_facts(source).display_matrix
    assert facts.orientation.quarter_turns == rotation // 90


def test_a_clip_with_nothing_to_remove_is_copied(remover: VideoRemover, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mp4", Clip(colours=(GREEN, GREEN, GREEN)))
    output, report = run(remover, source, "out.mp4")
    assert report.status == "no_covering"
    assert output.read_bytes() == source.read_bytes()
    source = write_clip(tmp_path / "empty.mp4", Clip(colours=(None, None), sounds=0))
    output, report = run(remover, source, "out2.mp4")
    assert report.status == "no_face"
    assert report.tracks == []


def test_a_truncated_clip_is_done_as_far_as_it_goes(remover: VideoRemover, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "whole.mkv", Clip(colours=(BLUE,) * 12))
    data = source.read_bytes()
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(data[: len(data) * 6 // 10])
    _, report = run(remover, broken, "out.mkv")
    assert 0 < report.num_frames < 12
    without_index = tmp_path / "broken.mp4"
    whole = write_clip(tmp_path / "whole.mp4").read_bytes()
    without_index.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ClipUnreadable, match="get a whole copy"):
        run(remover, without_index, "out.mp4")


def test_a_clip_damaged_in_the_middle_goes_on(remover: VideoRemover, tmp_path: Path) -> None:
    options = {"preset": "ultrafast", "crf": "12", "g": "4"}
    source = write_clip(tmp_path / "clip.mkv", Clip(colours=(BLUE,) * 16, options=options, sounds=0))
    data = bytearray(source.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    source.write_bytes(data)
    output, report = run(remover, source, "out.mkv")
    assert 4 <= report.num_frames <= 16
    assert len(frames(output)) == report.num_frames


def test_what_is_no_clip_is_refused_with_a_hint(remover: VideoRemover, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    Image.new("RGB", (40, 40)).save(photo)
    with pytest.raises(ClipUnreadable, match="use `demask remove`"):
        run(remover, photo, "out.mp4")
    (tmp_path / "text.mp4").write_text("no clip")
    with pytest.raises(ClipUnreadable, match="no clip we can read"):
        run(remover, tmp_path / "text.mp4", "out.mp4")
    clip = write_clip(tmp_path / "clip.mp4", Clip(colours=(BLUE,), sounds=0))
    with pytest.raises(PhotoUnreadable, match="use `demask video`"):
        remover.remover(clip)
    with pytest.raises(ClipUnreadable, match="no such file"):
        run(remover, tmp_path / "nothing.mp4", "out.mp4")


def test_outputs_that_cannot_be_are_refused_before_any_work(remover: VideoRemover, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mp4", Clip(colours=(BLUE,)))
    with pytest.raises(UsageError, match="the input itself"):
        run(remover, source, "clip.mp4", overwrite=True)
    (tmp_path / "there.mp4").write_bytes(b"mine")
    with pytest.raises(OutputExists):
        run(remover, source, "there.mp4")
    assert (tmp_path / "there.mp4").read_bytes() == b"mine"
    with pytest.raises(UsageError, match="clips are written as"):
        run(remover, source, "out.avi")
    with pytest.raises(UsageError, match="unknown codec"):
        run(remover, source, "out.mp4", codec="cinepak")
    with pytest.raises(UsageError, match="contradict"):
        run(remover, source, "out.mp4", crf=20, lossless=True)
    with pytest.raises(UsageError, match="out of range"):
        run(remover, source, "out.mp4", crf=99)
    with pytest.raises(OutputError, match=r"name an output that ends in \.mkv"):
        run(remover, source, "out.webm")  # AAC is not for WebM.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "there.mp4"]


def test_another_codec_when_asked(remover: VideoRemover, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mp4", Clip(colours=(BLUE,) * 3))
    output, _ = run(remover, source, "out.mp4", codec="h265", crf=30)
    assert read_facts(output).codec == "hevc"
    shutil.rmtree(tmp_path / ".out.mp4.demask-parts", ignore_errors=True)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(("name", "target"), [("clip.mp4", "out.mp4"), ("clip.mkv", "out.mov")])
def test_a_signed_clip_names_the_edit_and_its_original(
    remover: VideoRemover, tmp_path: Path, name: str, target: str
) -> None:
    c2pa = pytest.importorskip("c2pa")
    made = make_trial_certificate(days=2)
    pair = tmp_path / "chain.pem", tmp_path / "key.pem"
    pair[0].write_bytes(made.chain)
    pair[1].write_bytes(made.key)
    source = write_clip(tmp_path / name, Clip(colours=(BLUE,) * 3))
    output, _ = run(remover, source, target, c2pa=pair)
    with c2pa.Reader(str(output)) as reader:
        manifest = json.loads(reader.json())
    active = manifest["manifests"][manifest["active_manifest"]]
    (actions,) = (one["data"]["actions"] for one in active["assertions"] if "actions" in one["label"])
    assert [action["action"] for action in actions] == ["c2pa.opened", "c2pa.edited"]
    assert len(active["ingredients"]) == 1
    assert len(frames(output)) == 3
