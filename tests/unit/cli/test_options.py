"""Options that are text and mean something else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from demask.cli.app import app
from demask.cli.options import only_file, parse_faces, parse_format
from demask.errors import UsageError


def test_faces() -> None:
    assert parse_faces("all") == "all"
    assert parse_faces("largest") == "largest"
    assert parse_faces("0,12") == [0, 12]
    for bad in ("", "first", "-1", "0,", "1.5"):
        with pytest.raises(UsageError, match="--faces"):
            parse_faces(bad)


def test_formats() -> None:
    assert parse_format(None) is None
    assert parse_format("jpg") == parse_format("JPEG") == "JPEG"
    assert parse_format("tif") == "TIFF"
    for bad in ("gif", "bmp", "docx"):
        with pytest.raises(UsageError, match=f"--format {bad}"):
            parse_format(bad)


def test_only_files(tmp_path: Path) -> None:
    assert only_file(None, "--hole") is None
    with pytest.raises(UsageError, match=re.escape(str(tmp_path))):
        only_file(tmp_path, "--hole")


def test_every_option_with_a_variable_carries_the_prefix() -> None:
    def options(command: object) -> list[object]:
        own = list(getattr(command, "params", []))
        below = getattr(command, "commands", {}).values()
        return own + [option for sub in below for option in options(sub)]

    variables = [option.envvar for option in options(get_command(app)) if option.envvar]  # type: ignore[attr-defined]
    assert len(variables) > 20
    assert all(variable.startswith("DEMASK_") for variable in variables)


@pytest.mark.parametrize("command", ["remove", "find"])
def test_jobs_times_threads_is_the_number_of_cores(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(b"")
    taken: list[tuple[int, int]] = []

    def run(planned: object, settings: Any, *, workers: int, **more: object) -> int:
        taken.append((workers, settings.threads))
        return 0

    monkeypatch.setattr("demask.parallel.usable_cores", lambda: 6)
    monkeypatch.setattr(f"demask.cli.{command}_job.run", run)
    runner = CliRunner()
    for options in ([], ["--threads", "3"], ["--jobs", "1"]):
        assert runner.invoke(app, [command, str(tmp_path), *options]).exit_code == 0
    assert taken == [(3, 2), (2, 3), (1, 6)]


def test_the_conventions_name_the_commands_that_exist() -> None:
    text = (Path(__file__).parents[3] / "docs" / "conventions.md").read_text("utf-8")
    line = text.split("**Commands.** `demask ", 1)[1].split("`", 1)[0]
    named = {
        f"{command} {sub}".strip()
        for command, _, subs in (entry.partition(" ") for entry in line.split(" | "))
        for sub in subs.split("|")
    }
    existing = set()
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", {"": None})
        existing |= {f"{name} {sub}".strip() for sub in below}
    assert named == existing
