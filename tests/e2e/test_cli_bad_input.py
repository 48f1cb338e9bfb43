"""Bad input: one clear line, the right exit code, nothing lost."""

from __future__ import annotations

import io
import json
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tiny_networks import GREEN, make_photo


def jpeg() -> bytes:
    file = io.BytesIO()
    Image.fromarray(make_photo()).save(file, "JPEG", quality=95)
    return file.getvalue()


def huge_png() -> bytes:
    """The header of a 300-megapixel PNG and a few bytes of data."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 20_000, 15_000, 8, 2, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(b"\0" * 99))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


def animated_gif() -> bytes:
    frames = [Image.fromarray(np.full((40, 40, 3), value, np.uint8)) for value in (0, 90, 180)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=50)
    return file.getvalue()


def one_line(stderr: bytes) -> str:
    """The only line on stderr; fails if there are more, or a traceback."""
    lines = stderr.decode().splitlines()
    assert len(lines) == 1, stderr.decode()
    assert lines[0].startswith("demask: ")
    return lines[0]


def leftovers(folder: Path) -> list[Path]:
    hidden = [path for path in folder.rglob("*") if path.name.startswith(".") or ".part" in path.name]
    return [path for path in hidden if path.name != ".demask.jsonl"]  # The journal of what is done stays.


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.jpg", b"", "empty"),
        ("text.jpg", b"this is a text, named like a picture\n" * 20, "text.jpg"),
        ("short.jpg", jpeg()[:5000], "cut short"),
        ("huge.png", huge_png(), "300 megapixels"),
        ("moving.gif", animated_gif(), "moving.gif"),
    ],
)
def test_a_file_that_is_no_good(demask, tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    done = demask("remove", name, "-o", "out.png")
    assert done.returncode == 1
    assert said in one_line(done.stderr)
    assert (tmp_path / name).read_bytes() == content
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_missing_file(demask, tmp_path: Path) -> None:
    done = demask("remove", "nowhere.jpg")
    assert done.returncode == 1
    assert "nowhere.jpg" in one_line(done.stderr)
    assert not list(tmp_path.iterdir())


def test_what_is_no_file(demask, tmp_path: Path) -> None:
    """A pipe that nobody writes to would block for ever, /dev/zero never ends; a link to a photo is a photo."""
    folder = tmp_path / "photos"
    folder.mkdir()
    (tmp_path / "real.jpg").write_bytes(jpeg())
    (folder / "a.jpg").symlink_to(tmp_path / "real.jpg")
    os.mkfifo(folder / "b.jpg")
    (folder / "c.jpg").symlink_to("/dev/zero")
    done = demask("remove", "photos", "-o", "out", "--json", patience_s=60)
    assert done.returncode == 3
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["status"] for record in records] == ["restored", "failed", "failed"]
    assert "b.jpg is a pipe, not a file" in records[1]["error"]
    assert "c.jpg is a device, not a file" in records[2]["error"]
    done = demask("find", "photos/b.jpg", "--draw", "x.png", patience_s=60)
    assert done.returncode == 1
    assert "not a file" in one_line(done.stderr)
    done = demask("remove", "real.jpg", "--hole", "photos/b.jpg", patience_s=60)
    assert done.returncode == 2
    assert "not a file" in one_line(done.stderr)


def test_stdin_without_an_end(tmp_path: Path, environment: dict[str, str]) -> None:
    with Path("/dev/zero").open("rb") as endless:
        done = subprocess.run(
            [sys.executable, "-m", "demask", "remove", "-", "-o", "out.png", "--max-megapixels", "1"],
            cwd=tmp_path,
            stdin=endless,
            capture_output=True,
            env=environment,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert "stdin has more than 75 MB" in one_line(done.stderr)


def test_all_of_several_fail(demask, tmp_path: Path) -> None:
    done = demask("remove", "a.jpg", "b.jpg", "-o", "out/")
    assert done.returncode == 1
    first, second, summary = done.stderr.decode().splitlines()
    assert "a.jpg" in first
    assert "b.jpg" in second
    assert summary.endswith("2 failed")


def test_an_empty_folder(demask, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    done = demask("remove", "photos", "-o", "out")
    assert done.returncode == 1
    assert "no pictures" in one_line(done.stderr)


def test_a_folder_that_cannot_be_written(demask, tmp_path: Path) -> None:
    # Below a file there can be no folder, whoever asks: root passes every permission.
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    (tmp_path / "file").write_bytes(b"in the way")
    for output in ("file/out.jpg", "file/folder/"):
        done = demask("remove", "photo.jpg", "-o", output)
        assert done.returncode == 1
        assert "file" in one_line(done.stderr)
    assert (tmp_path / "file").read_bytes() == b"in the way"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_a_folder_that_refuses_files(demask, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    done = demask("remove", "photo.jpg", "-o", "/proc/out.jpg")
    assert done.returncode == 1
    assert "/proc/out.jpg" in one_line(done.stderr)


def test_names_that_are_too_long_for_the_file_system(demask, tmp_path: Path) -> None:
    """Bytes count, not characters; an output's name may be too long where the input's is not."""
    (tmp_path / "photos").mkdir()
    fits, too_long = "写" * 80, "写" * 83
    for name in (fits, too_long):
        (tmp_path / "photos" / f"{name}.jpg").write_bytes(jpeg())
    done = demask("remove", "photos", "--json")
    assert done.returncode == 3
    assert {path.name for path in (tmp_path / "photos").glob("*-demasked.jpg")} == {f"{fits}-demasked.jpg"}
    assert "File name too long; shorten it, or name an output with -o" in one_line(done.stderr)
    assert demask("remove", "photos", "-o", "out").returncode == 0


def test_the_same_output_twice_in_time(demask, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    assert demask("remove", "photo.jpg", "-o", "out.jpg").returncode == 0
    first = (tmp_path / "out.jpg").read_bytes()
    done = demask("remove", "photo.jpg", "-o", "out.jpg", "--restorer", "telea")
    assert done.returncode == 1
    assert "--overwrite" in one_line(done.stderr)
    assert (tmp_path / "out.jpg").read_bytes() == first
    assert demask("remove", "photo.jpg", "-o", "out.jpg", "--restorer", "telea", "--overwrite").returncode == 0
    assert (tmp_path / "out.jpg").read_bytes() != first


@pytest.mark.parametrize(
    ("args", "names"),
    [
        (("a/photo.jpg", "b/photo.jpg", "-o", "out"), ("a/photo.jpg", "b/photo.jpg")),
        (("a", "b", "-o", "out"), ("a/photo.jpg", "b/photo.jpg")),
        (("a/photo.jpg", "a/photo.png", "--format", "webp"), ("a/photo.jpg", "a/photo.png")),
        (("a/photo.jpg", "b/photo.jpg", "-o", "out.jpg"), ("out.jpg",)),
        (("a/photo.jpg", "a/../a/photo.jpg"), ("a/photo.jpg",)),
        (("a/photo.jpg", "b/photo.jpg", "--holes", "holes"), ("a/photo.jpg", "b/photo.jpg")),
    ],
)
def test_two_inputs_one_output(demask, tmp_path: Path, args: tuple[str, ...], names: tuple[str, ...]) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "photo.jpg").write_bytes(jpeg())
    (tmp_path / "a" / "photo.png").write_bytes(jpeg())
    before = sorted(tmp_path.rglob("*"))
    done = demask("remove", *args)
    assert done.returncode == 2
    line = one_line(done.stderr)
    assert all(name in line for name in names)
    assert sorted(tmp_path.rglob("*")) == before


def test_two_inputs_of_one_stem_have_outputs_of_their_own(demask, tmp_path: Path) -> None:
    Image.fromarray(make_photo()).save(tmp_path / "photo.png")
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    assert demask("remove", "photo.jpg", "photo.png").returncode == 0
    assert (tmp_path / "photo-demasked.jpg").exists()
    assert (tmp_path / "photo-demasked.png").exists()


def test_output_equal_to_input(demask, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(jpeg())
    (tmp_path / "link.jpg").symlink_to(photo)
    for output in ("photo.jpg", "./photo.jpg", "link.jpg", "./"):
        done = demask("remove", "photo.jpg", "-o", output)
        assert done.returncode == 2
        assert "--overwrite" in one_line(done.stderr)
        assert photo.read_bytes() == jpeg()
    done = demask("remove", "photo.jpg", "-o", "photo.jpg", "--overwrite")
    assert done.returncode == 0, done.stderr
    assert photo.read_bytes() != jpeg()


def test_an_output_that_is_another_input(demask, tmp_path: Path) -> None:
    for name in ("photo.jpg", "photo-demasked.jpg"):
        (tmp_path / name).write_bytes(jpeg())
    done = demask("remove", "photo.jpg", "photo-demasked.jpg", "--overwrite")
    assert done.returncode == 2
    assert "photo-demasked.jpg" in one_line(done.stderr)
    assert (tmp_path / "photo-demasked.jpg").read_bytes() == jpeg()


def test_broken_weights(demask, tmp_path: Path, tiny_weights: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    weights = tmp_path / "weights"
    weights.mkdir()
    for path in tiny_weights.iterdir():
        (weights / path.name).write_bytes(path.read_bytes()[:200])
    done = demask("remove", "photo.jpg", DEMASK_WEIGHTS=str(weights))
    assert done.returncode == 1
    assert "not a network" in one_line(done.stderr)


def test_a_hole_of_another_size(demask, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    Image.new("L", (30, 20), 255).save(tmp_path / "hole.png")
    done = demask("remove", "photo.jpg", "--hole", "hole.png")
    assert done.returncode == 1
    assert "30x20" in one_line(done.stderr)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("photo.jpg", "photo.jpg", "--hole", "hole.png"), "photo.jpg"),
        (("photo.jpg", "--faces", "first"), "--faces"),
        (("photo.jpg", "--format", "gif"), "--format"),
        (("photo.jpg", "--hole", "nowhere.png"), "nowhere.png"),
        (("photo.jpg", "-o", "-", "--json"), "stdout"),
        (("photo.jpg", "--device", "tpu"), "tpu"),
    ],
)
def test_wrong_usage(demask, tmp_path: Path, args: tuple[str, ...], said: str) -> None:
    (tmp_path / "photo.jpg").write_bytes(jpeg())
    done = demask("remove", *args)
    assert done.returncode == 2
    assert said in one_line(done.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


@pytest.mark.skipif(os.name == "nt", reason="sends a signal")
@pytest.mark.parametrize(("sent", "jobs"), [(signal.SIGINT, 1), (signal.SIGINT, 2), (signal.SIGTERM, 2)])
def test_ctrl_c_or_a_kill_in_a_folder_run(
    tmp_path: Path, environment: dict[str, str], sent: signal.Signals, jobs: int
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    content = jpeg()
    for index in range(300):
        (photos / f"{index:03}.jpg").write_bytes(content)
    command = [sys.executable, "-m", "demask", "remove", "photos", "-o", "out", "--jobs", str(jobs)]
    run = subprocess.Popen(
        command,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        env=environment,
        # A shell that started the tests in the background may have told them to ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    limit = time.monotonic() + 60
    while len(list((tmp_path / "out").glob("*.jpg"))) < 3 and time.monotonic() < limit:
        time.sleep(0.02)
    run.send_signal(sent)
    _, stderr = run.communicate(timeout=60)
    assert run.returncode == 130
    assert b"Traceback" not in stderr
    finished = sorted((tmp_path / "out").glob("*.jpg"))
    num_said = stderr.count(b"1 face restored")
    # The signal may come when a file has its name and is not counted yet.
    assert len(finished) - num_said in (0, 1)
    assert stderr.splitlines()[-1] == f"demask: interrupted; {num_said} of 300 photos done".encode()
    assert 3 <= len(finished) < 300
    assert not leftovers(tmp_path / "out")
    for path in finished:
        Image.open(io.BytesIO(path.read_bytes())).load()
    assert all(path.read_bytes() == content for path in photos.iterdir())


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of 64 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], capture_output=True, check=False
        )
        if sys.platform == "linux" and os.geteuid() == 0
        else None
    )
    if mounted is None or mounted.returncode != 0:
        pytest.skip("no right to mount a small disk")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk(demask, tmp_path: Path, small_disk: Path) -> None:
    content = jpeg()
    photos = tmp_path / "photos"
    photos.mkdir()
    for index in range(12):
        (photos / f"{index:02}.jpg").write_bytes(content)
    done = demask("remove", photos, "-o", small_disk / "out", "--quiet", "--jobs", 1)
    assert done.returncode == 3
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 2
    assert "No space left" in lines[0]
    assert "more photos were not tried" in lines[1]
    assert not leftovers(small_disk)
    written = list((small_disk / "out").glob("*.jpg"))
    assert 1 <= len(written) < 12
    for path in written:
        Image.open(io.BytesIO(path.read_bytes())).load()
    assert all(path.read_bytes() == content for path in photos.iterdir())


def test_a_full_disk_for_one_photo(demask, tmp_path: Path, small_disk: Path) -> None:
    Image.fromarray(make_photo(size=(600, 500))).save(tmp_path / "photo.png")
    done = demask("remove", "photo.png", "-o", small_disk / "out.png")
    assert done.returncode == 1
    assert "No space left" in one_line(done.stderr)
    assert not list(small_disk.iterdir())


def test_a_reader_that_goes_away(tmp_path: Path, environment: dict[str, str]) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for index in range(20):
        Image.fromarray(make_photo(GREEN, size=(200, 160), side=60)).save(photos / f"{index}.png")
    command = [sys.executable, "-m", "demask", "find", "photos"]
    run = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    )
    assert run.stdout is not None
    assert run.stderr is not None
    run.stdout.readline()
    run.stdout.close()
    stderr = run.stderr.read()
    run.stderr.close()
    assert run.wait(timeout=60) == 1
    assert b"Traceback" not in stderr
    assert b"Exception ignored" not in stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize(
    "arguments",
    [
        ("find", "photos"),
        ("remove", "photos/0.png", "-o", "-"),
        ("restorers",),
        ("--help",),
        ("find", "photos", "closed"),
    ],
    ids=" ".join,
)
def test_a_stdout_that_takes_nothing(
    tmp_path: Path, environment: dict[str, str], arguments: tuple[str, ...]
) -> None:
    (tmp_path / "photos").mkdir()
    for index in range(3):
        Image.fromarray(make_photo(GREEN)).save(tmp_path / "photos" / f"{index}.png")
    closed = arguments[-1] == "closed"
    command = [sys.executable, "-m", "demask", *(arguments[:-1] if closed else arguments)]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            ["sh", "-c", '"$@" >&-', "sh", *command] if closed else command,
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert ("stdout is closed" if closed else "No space left on device") in one_line(done.stderr)
    assert b"unexpected" not in done.stderr


def test_a_picture_that_nobody_reads(tmp_path: Path, environment: dict[str, str]) -> None:
    Image.fromarray(make_photo()).save(tmp_path / "photo.png")
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "demask", "remove", "photo.png", "-o", "-"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        stdout=writing,
        stderr=subprocess.PIPE,
        env=environment,
        timeout=60,
        check=False,
    )
    os.close(writing)
    assert done.returncode == 1
    assert "nobody reads stdout any more" in one_line(done.stderr)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_stderr_stops_nothing(tmp_path: Path, environment: dict[str, str]) -> None:
    Image.fromarray(make_photo()).save(tmp_path / "photo.png")
    command = [sys.executable, "-m", "demask", "remove", "photo.png"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, cwd=tmp_path, stderr=full, env=environment, timeout=60, check=False)
    assert done.returncode == 0
    assert (tmp_path / "photo-demasked.png").exists()
