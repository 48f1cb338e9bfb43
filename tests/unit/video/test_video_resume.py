"""A run that was stopped goes on where it was, and ends in the same bytes."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from demask.errors import OutputError
from demask.remover import Remover
from demask.video import clip_job
from demask.video.clip_job import remove_from_clip
from demask.video.segments import Packet, SegmentStore, dump_tree, load_tree
from demask.video.video_remover import VideoRemover
from drawn_clips import Clip, write_clip
from tiny_networks import BLUE, GREEN


@pytest.fixture
def remover(tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> VideoRemover:
    monkeypatch.setenv("DEMASK_WEIGHTS", str(tiny_weights))
    monkeypatch.setattr(clip_job, "SEGMENT_FRAMES", 5)
    return VideoRemover(Remover(device="cpu", threads=1))


def test_a_stopped_run_goes_on_to_the_same_bytes(remover: VideoRemover, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "clip.mp4", Clip(colours=(BLUE,) * 13 + (GREEN,) * 4))
    remove_from_clip(source, tmp_path / "unbroken.mp4", remover)

    class Stop(Exception):
        pass

    def stop(done: int, total: int | None, rate: float) -> None:
        if done == 12:
            raise Stop

    again = VideoRemover(remover.remover)
    with pytest.raises(Stop):
        remove_from_clip(source, tmp_path / "out.mp4", again, progress=stop)
    assert not (tmp_path / "out.mp4").exists()
    fresh = VideoRemover(remover.remover)
    report = remove_from_clip(source, tmp_path / "out.mp4", fresh)
    assert report.resumed_frames in (5, 10)  # The second segment may not have been written when the run ended.
    assert report.num_frames == 17
    assert (tmp_path / "out.mp4").read_bytes() == (tmp_path / "unbroken.mp4").read_bytes()
    assert report.tracks[0]["restored"] == 13
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "out.mp4", "unbroken.mp4"]


@pytest.mark.slow  # 30 s; the same by an exception, in five, stands above.
def test_a_killed_process_leaves_its_parts(tiny_weights: Path, tmp_path: Path) -> None:
    """The command line, killed with -9 in the middle, then called again."""
    write_clip(tmp_path / "clip.mp4", Clip(colours=(BLUE,) * 260, sounds=0))
    command = [sys.executable, "-m", "demask", "video", "clip.mp4", "-o", "out.mp4", "--json", "--threads", "1"]
    environment = {**os.environ, "DEMASK_WEIGHTS": str(tiny_weights), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
    first = tmp_path / ".out.mp4.demask-parts" / "000000.segment"
    until = time.monotonic() + 240
    while not first.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    if (tmp_path / "out.mp4").exists():
        pytest.skip("the run was done before it could be killed")
    assert first.exists()
    again = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, check=False, timeout=280
    )
    assert again.returncode == 0, again.stderr
    assert b'"resumed_frames": 120' in again.stdout or b'"resumed_frames": 240' in again.stdout
    assert not first.parent.exists()


def test_another_input_begins_anew(remover: VideoRemover, tmp_path: Path) -> None:
    job = {"input": "one"}
    with SegmentStore(tmp_path / "out.mp4", job) as store:
        with store.writing(0) as segment:
            segment.begin(b"head")
            segment.add(Packet(stamp=0, duration=1, is_key=True, data=b"x"))
            segment.state = {"array": np.arange(3)}
        assert store.finished() == 1
    with SegmentStore(tmp_path / "out.mp4", job) as store:
        assert store.finished() == 1
        assert np.array_equal(store.state_after(0)["array"], np.arange(3))
    with SegmentStore(tmp_path / "out.mp4", {"input": "other"}) as store:
        assert store.finished() == 0


def test_two_runs_on_one_output_are_refused(tmp_path: Path) -> None:
    with SegmentStore(tmp_path / "out.mp4", {}), pytest.raises(OutputError, match="another run"):
        SegmentStore(tmp_path / "out.mp4", {}).__enter__()


def test_decoding_stamps_rise_over_segments(tmp_path: Path) -> None:
    """Frames that refer to later ones come later; time to decode never runs backwards, nor beyond showing."""
    with SegmentStore(tmp_path / "out.mp4", {}) as store:
        for number in range(2):
            with store.writing(number) as segment:
                segment.begin(b"")
                for place in (0, 4, 2, 1, 3):
                    segment.add(
                        Packet(stamp=50 * number + 10 * place, duration=10, is_key=place == 0, data=b"x")
                    )
        stamped = [(packet.stamp, decode) for packet, decode in store.packets()]
        store.discard()
    decoded = [decode for _, decode in stamped]
    assert decoded == sorted(set(decoded))
    assert all(decode <= shown for shown, decode in stamped)


def test_a_full_disk_is_said_and_keeps_what_is_done(
    remover: VideoRemover, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_clip(tmp_path / "clip.mp4", Clip(colours=(BLUE,) * 12, sounds=0))
    honest = clip_job.SegmentWriter.add
    left = [8]

    def full(self: clip_job.SegmentWriter, packet: Packet) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        honest(self, packet)

    monkeypatch.setattr(clip_job.SegmentWriter, "add", full)
    with pytest.raises(OutputError, match="free some space"):
        remove_from_clip(source, tmp_path / "out.mp4", remover)
    assert not (tmp_path / "out.mp4").exists()
    monkeypatch.setattr(clip_job.SegmentWriter, "add", honest)
    report = remove_from_clip(source, tmp_path / "out.mp4", remover)
    assert report.resumed_frames == 5
    assert report.num_frames == 12


def test_a_tree_comes_back() -> None:
    tree = {
        "a": [1, 2.5, None, "x", True],
        "b": {"c": np.eye(2, dtype=np.float32)},
        "d": np.zeros((0, 3), bool),
    }
    back = load_tree(dump_tree(tree))
    assert back["a"] == tree["a"]
    for one, other in ((back["b"]["c"], np.eye(2, dtype=np.float32)), (back["d"], np.zeros((0, 3), bool))):
        assert one.dtype == other.dtype
        assert np.array_equal(one, other)
