"""A run over a folder that is killed, and given again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from PIL import Image

from demask.atomic import part_name
from tiny_networks import make_photo


def statuses(stdout: bytes) -> list[str]:
    return [json.loads(line)["status"] for line in stdout.splitlines()]


def test_a_killed_run_goes_on(demask, tmp_path: Path, environment: dict[str, str]) -> None:
    """Killed at any moment, and its half-written files with it; the same command makes the whole."""
    (tmp_path / "photos").mkdir()
    for index in range(24):
        Image.fromarray(make_photo(size=(300 + index, 300))).save(tmp_path / "photos" / f"{index:02}.png")
    assert demask("remove", "photos", "-o", "whole").returncode == 0
    command = [sys.executable, "-m", "demask", "remove", "photos", "-o", "out", "--json"]
    killed = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 100
    while len(list((tmp_path / "out").glob("*.png"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL, "the run was over before it could be killed"
    left = part_name(tmp_path / "out" / "01.png")
    left = left.with_name(left.name.replace(f"-{os.getpid()}-", f"-{killed.pid}-"))
    left.write_bytes(b"half")
    with (tmp_path / "out" / ".demask.jsonl").open("ab") as journal:
        journal.write(b'{"output": "23.png", "pho')
    done = demask("remove", "photos", "-o", "out", "--json")
    assert done.returncode == 0, done.stderr
    assert 5 <= statuses(done.stdout).count("done") < 24
    for name in ("out", "whole"):
        assert len(list((tmp_path / name).iterdir())) == 25
    for index in range(24):
        name = f"{index:02}.png"
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
