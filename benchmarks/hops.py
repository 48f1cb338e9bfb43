"""The way of one photo from `demask remove` to the written file: every call from one module into another.

python benchmarks/hops.py --out docs/measured/hops.md

Runs the command in this process on the example and listens to its calls; a call that repeats the one before
it from the same place is counted, not listed again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import demask

HOME = str(Path(demask.__file__).parent)


def main() -> None:
    """Listen, then write the list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", nargs="?", type=Path, default=Path("examples/astronaut-covered.jpg"))
    parser.add_argument("--out", type=Path, help="Markdown file; default: standard output")
    arguments = parser.parse_args()

    from demask.cli.app import app

    calls: list[list[Any]] = []

    def listen(frame: FrameType, event: str, _: object) -> None:
        caller = frame.f_back
        if event != "call" or caller is None:
            return
        here, there = _module(caller), _module(frame)
        if here is None or there is None or here == there or frame.f_code.co_name.startswith("<"):
            return
        call = [here, there, frame.f_code.co_qualname]
        if calls and calls[-1][:3] == call:
            calls[-1][3] += 1
        else:
            calls.append([*call, 1])

    with tempfile.TemporaryDirectory() as folder:
        words = ["remove", str(arguments.photo), "-o", str(Path(folder) / "out.jpg"), "--quiet", "--jobs", "1"]
        threading.setprofile(listen)
        sys.setprofile(listen)
        try:
            app(words, standalone_mode=False)
        finally:
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type]

    entered = [there for _, there, _, _ in calls]
    rooms = sorted({name.rpartition("/")[0] or name for name in entered})
    lines = [
        "# The way of one photo",
        "",
        f"`python benchmarks/hops.py`: {len(calls)} calls between {len(set(entered))} modules in "
        f"{len(rooms)} rooms ({', '.join(rooms)}).",
        "",
        "| from | into | function | times |",
        "| --- | --- | --- | --- |",
        *(f"| {here} | {there} | `{name}` | {times} |" for here, there, name, times in calls),
    ]
    text = "\n".join(lines) + "\n"
    if arguments.out:
        arguments.out.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


def _module(frame: FrameType) -> str | None:
    """The module of a frame as `room/name`, None outside demask."""
    file = frame.f_code.co_filename
    return file[len(HOME) + 1 : -3] if file.startswith(HOME) else None


if __name__ == "__main__":
    main()
