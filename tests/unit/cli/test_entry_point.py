"""What leaves a command as an error becomes one line and an exit code."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from demask.cli import main
from demask.cli.streams import meter, print_json, read_stdin, refuse_terminal, say, write_stdout
from demask.errors import OutputError, UsageError

ENDLESS = "a" * 300


@pytest.mark.parametrize(
    "arguments",
    [
        (f"{ENDLESS}.jpg",),
        ("real.jpg", "-o", f"{ENDLESS}.jpg"),
        ("real.jpg", "-o", f"{ENDLESS}/"),
        ("real.jpg", "--hole", f"{ENDLESS}.png"),
        ("real.jpg", "--restorer", f"{ENDLESS}.onnx"),
    ],
)
def test_a_name_too_long_for_the_file_system(
    arguments: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("real.jpg").write_bytes(b"")
    monkeypatch.setattr(sys, "argv", ["demask", "remove", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("demask: ")
    assert "File name too long" in line


def test_closed_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a shell's <&- and >&- leave them."""
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    with pytest.raises(UsageError, match="stdin is closed"):
        read_stdin(max_megapixels=1)
    for write in (refuse_terminal, lambda: write_stdout(b"x"), lambda: print_json({})):
        with pytest.raises(OutputError, match="stdout is closed"):
            write()
    say("nobody hears this")
    with meter("photos") as show:
        show(1, 2)


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("demask.cli.photo_jobs.plan_jobs", broken)
    monkeypatch.setattr(sys, "argv", ["demask", "remove", "x.jpg"])
    with pytest.raises(ZeroDivisionError):
        main()
