"""Files are written whole or not at all, and leave nothing behind."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from demask.atomic import part_name, remove_leftovers, replacing, write_atomic
from demask.errors import OutputError, OutputExists


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_is_written(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a.jpg", b"picture", overwrite=False)
    assert (tmp_path / "a.jpg").read_bytes() == b"picture"
    assert len(list(tmp_path.iterdir())) == 1


def test_permissions_follow_the_umask_and_the_old_file(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_atomic(tmp_path / "a", b"1", overwrite=False)
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644
    (tmp_path / "a").chmod(0o600)
    write_atomic(tmp_path / "a", b"2", overwrite=True)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_an_existing_file_is_safe(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")
    with pytest.raises(OutputExists, match="--overwrite"):
        write_atomic(target, b"new", overwrite=False)
    assert target.read_bytes() == b"old"
    write_atomic(target, b"new", overwrite=True)
    assert target.read_bytes() == b"new"
    assert names(tmp_path) == ["a"]


def test_a_name_taken_while_writing_is_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, real_link = tmp_path / "a", os.link

    def taken(source: Any, destination: Any) -> None:
        target.write_bytes(b"theirs")
        real_link(source, destination)

    monkeypatch.setattr(os, "link", taken)
    with pytest.raises(OutputExists):
        write_atomic(target, b"ours", overwrite=False)
    assert target.read_bytes() == b"theirs"
    assert names(tmp_path) == ["a"]


def test_folders_without_hard_links_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: Any) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", no_links)
    write_atomic(tmp_path / "a", b"new", overwrite=False)
    assert (tmp_path / "a").read_bytes() == b"new"
    with pytest.raises(OutputExists):
        write_atomic(tmp_path / "a", b"newer", overwrite=False)
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("overwrite", [True, False])
def test_a_failure_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, overwrite: bool
) -> None:
    if overwrite:
        (tmp_path / "a").write_bytes(b"old")

    def fail(_: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    expected = OutputError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        write_atomic(tmp_path / "a", b"new", overwrite=overwrite)
    assert names(tmp_path) == (["a"] if overwrite else [])
    if overwrite:
        assert (tmp_path / "a").read_bytes() == b"old"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, mode: str, **_rest: Any) -> Any:
        return (Path("/dev/full") if mode == "xb" else path).open(mode.replace("x", "w"))

    monkeypatch.setattr("demask.atomic.open", full, raising=False)
    with pytest.raises(OutputError, match="No space left"):
        write_atomic(tmp_path / "a", b"new" * 100_000, overwrite=False)
    assert names(tmp_path) == []


def test_a_missing_folder_and_a_folder_as_target(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file"):
        write_atomic(tmp_path / "none" / "a", b"", overwrite=False)
    with pytest.raises(OutputError, match="folder"):
        write_atomic(tmp_path, b"", overwrite=True)


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    write_atomic(tmp_path / "link", b"new", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_a_very_long_name_works(tmp_path: Path) -> None:
    name = "n" * 251 + ".jpg"
    write_atomic(tmp_path / name, b"x", overwrite=False)
    assert names(tmp_path) == [name]


def test_replacing_takes_the_name_only_when_the_block_ends_well(tmp_path: Path) -> None:
    target = tmp_path / "weights.bin"
    target.write_bytes(b"old")

    def break_off() -> None:
        with replacing(target) as temporary:
            temporary.write_bytes(b"half")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        break_off()
    assert target.read_bytes() == b"old"
    with replacing(target) as temporary:
        temporary.write_bytes(b"new")
        assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["weights.bin"]


def test_replacing_makes_folders_too_and_leaves_nothing_of_a_broken_one(tmp_path: Path) -> None:
    def break_off() -> None:
        with replacing(tmp_path / "set") as temporary:
            temporary.mkdir()
            (temporary / "a").write_bytes(b"1")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        break_off()
    assert not any(tmp_path.iterdir())
    with replacing(tmp_path / "set") as temporary:
        temporary.mkdir()
        (temporary / "a").write_bytes(b"1")
    assert (tmp_path / "set" / "a").read_bytes() == b"1"


@pytest.mark.parametrize("stem", ["面" * 80, "a" * 250, "é" * 120])
def test_long_names_in_any_script_can_be_written(tmp_path: Path, stem: str) -> None:
    path = tmp_path / f"{stem}.jpg"
    write_atomic(path, b"x", overwrite=False)
    assert path.read_bytes() == b"x"


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, signal\n"
        "from demask.atomic import replacing\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "with replacing(folder / 'a.tar') as file, replacing(folder / 'set') as made:\n"
        "    file.write_bytes(b'half')\n"
        "    made.mkdir()\n"
        "    (made / 'x').write_bytes(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert len(names(tmp_path)) == 2
    part_name(tmp_path / "ours").write_bytes(b"being written")
    for name in (".theirs.part", ".a.tar.0123456789ab.part", "b.part"):
        (tmp_path / name).write_bytes(b"not ours")
    kept = set(names(tmp_path)) - {name for name in names(tmp_path) if name.startswith((".a.tar.", ".set."))}
    assert remove_leftovers(tmp_path, "set") == 1
    assert remove_leftovers(tmp_path) == 1
    assert set(names(tmp_path)) == kept | {".a.tar.0123456789ab.part"}
    assert remove_leftovers(tmp_path / "missing") == 0


def test_another_machines_leftover_goes_after_a_day(tmp_path: Path) -> None:
    path = tmp_path / ".a.tar.00000000-1-0123456789ab.part"
    path.write_bytes(b"half")
    assert remove_leftovers(tmp_path) == 0
    yesterday = time.time() - 90_000
    os.utime(path, (yesterday, yesterday))
    assert remove_leftovers(tmp_path) == 1


def test_temporary_names_fit_the_file_system(tmp_path: Path) -> None:
    for name in ("a" * 255, "写" * 85):
        part_name(tmp_path / name).write_bytes(b"")
