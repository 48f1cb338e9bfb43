"""What every measuring script shares: where things lie, which machine this is, how reports are written."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps

from demask.evaluation.benchmark.benchmark_plan import hole_and_paste
from demask.evaluation.benchmark.speed import machine as processor_and_system
from demask.evaluation.score_report import versions
from demask.types import Face, ImageU8, Points
from demask.weights import registry

REPOSITORY = Path(__file__).resolve().parents[1]
NEIGHBOUR = REPOSITORY.parent / "shared"
PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})


def data_folder(name: str = "") -> Path:
    """Folder of the photographs: `DEMASK_DATA`, else `../shared/data` beside the repository."""
    return Path(os.environ.get("DEMASK_DATA", NEIGHBOUR / "data")) / name


def use_neighbouring_weights() -> None:
    """Let `DEMASK_WEIGHTS` name `../shared/weights` where it is there and nothing else was named."""
    folder = NEIGHBOUR / "weights"
    if "DEMASK_WEIGHTS" not in os.environ and folder.is_dir():
        os.environ["DEMASK_WEIGHTS"] = str(folder)


def parser(description: str | None) -> argparse.ArgumentParser:
    """An argument parser with the options that all scripts have."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    made.add_argument("--out", type=Path, required=True, metavar="JSON", help="where the report goes")
    made.add_argument("--threads", type=int, default=None, help="threads of each network; default: all cores")
    return made


def machine() -> dict[str, Any]:
    """Processor, cores, memory, system and versions; nothing that names the machine or its owner."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    return processor_and_system() | {
        "cores_usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(memory / 2**30, 1),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "versions": versions(),
    }


def commit() -> str:
    """The commit that was measured; "+changes" when tracked files differ from it."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(REPOSITORY), *arguments], capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "src", "benchmarks")
    return (git("rev-parse", "HEAD") or "unknown") + ("+changes" if changed else "")


def networks() -> dict[str, str | None]:
    """First 16 digits of the sha256 of our three networks as they lie here; None where one is missing."""
    import hashlib

    found = {name: registry.locate(name) for name in ("finder", "hole", "restorer")}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path else None
        for name, path in found.items()
    }


def write_report(out: Path, results: dict[str, Any], *, table: str = "") -> None:
    """Write `out` as JSON and, if there is a table, the same name as Markdown; print the table.

    Paths in the command are given relative to the repository, so that the report holds none of this machine.
    """
    arguments = [_portable(argument) for argument in sys.argv[1:]]
    script = Path(sys.argv[0]).resolve().relative_to(REPOSITORY)
    facts = {
        "command": shlex.join(["python", script.as_posix(), *arguments]),
        "commit": commit(),
        "networks_sha256": networks(),
        "settings": hole_and_paste(),
        "machine": machine(),
        **results,
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(facts, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    if table:
        head = f"Made by `{facts['command']}` at {facts['commit'][:12]}; all figures in `{out.name}`.\n\n"
        out.with_suffix(".md").write_text(head + table.rstrip() + "\n", encoding="utf-8")
        print(table)
    print(f"written: {out}", file=sys.stderr)


def _portable(argument: str) -> str:
    path = Path(argument)
    if not path.is_absolute():
        return argument
    near = path.is_relative_to(REPOSITORY.parent)
    return os.path.relpath(path, REPOSITORY) if near else path.name


def outside_repository(folder: Path) -> Path:
    """Make a folder for pictures and refuse one that git would pick up: people's photographs stay out.

    Raises:
        SystemExit: The folder lies inside the repository and is not ignored.
    """
    if folder.resolve().is_relative_to(REPOSITORY):
        command = ["git", "-C", str(REPOSITORY), "check-ignore", "-q", str(folder.resolve() / "page.png")]
        if subprocess.run(command, check=False).returncode != 0:
            raise SystemExit(
                f"{folder} would be committed; pictures of people go outside the repository or to runs/"
            )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def photos_in(folder: Path) -> list[Path]:
    """The photographs of a folder, sorted by name.

    Raises:
        SystemExit: There are none.
    """
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in PHOTO_SUFFIXES)
    if not found:
        raise SystemExit(f"no photographs in {folder}; name the folder, or set DEMASK_DATA")
    return found


def names_in(path: Path) -> dict[str, list[str]]:
    """Read a list of file names: one a line, `#` comments, `word:` starts a group (the first is "")."""
    groups: dict[str, list[str]] = {}
    group = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if text.endswith(":"):
            group = text[:-1]
        elif text:
            groups.setdefault(group, []).append(text)
    return groups


def pixels_of(path_or_bytes: Any) -> ImageU8:
    """Decode with Pillow alone, upright, as uint8 RGB: an opinion independent of our own reader."""
    with Image.open(path_or_bytes) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))


class YuNet:
    """OpenCV's YuNet as a finder, to check our own work with someone else's eyes.

    Args:
        longest_px: The photo is scaled down to this longest side first.
        threshold: Lowest score.
    """

    def __init__(self, *, longest_px: int = 640, threshold: float = 0.6) -> None:
        path = str(registry.find("yunet"))
        self._longest_px = longest_px
        self._network = cv2.FaceDetectorYN.create(path, "", (320, 320), score_threshold=threshold)

    def __call__(self, photo: ImageU8) -> list[Face]:
        """Find faces in uint8 RGB [H, W, 3]."""
        scale = min(1.0, self._longest_px / max(photo.shape[:2]))
        size = (max(1, round(photo.shape[1] * scale)), max(1, round(photo.shape[0] * scale)))
        small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
        self._network.setInputSize(size)
        _, rows = self._network.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        return [] if rows is None else [_yunet_face(row / np.append(np.full(14, scale), 1)) for row in rows]


def _yunet_face(row: Any) -> Face:
    x, y, width, height = (float(value) for value in row[:4])
    points: Points = row[4:14].reshape(5, 2).astype(np.float32)
    return Face(box=(x, y, x + width, y + height), points=points, score=float(row[14]))


def make_finder(name: str) -> Callable[[ImageU8], list[Face]] | None:
    """None for "shipped" (the remover opens it itself), or YuNet for "yunet"."""
    return YuNet() if name == "yunet" else None


def overlap(one: Sequence[float], two: Sequence[float]) -> float:
    """Intersection over union of two boxes (x0, y0, x1, y1)."""
    width = min(one[2], two[2]) - max(one[0], two[0])
    height = min(one[3], two[3]) - max(one[1], two[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, two)]
    return both / (areas[0] + areas[1] - both)


def fraction(hits: Sequence[bool]) -> dict[str, Any]:
    """A fraction with its 95 % bootstrap interval, and the counts behind it."""
    from demask.evaluation.bootstrap import mean_interval

    return mean_interval([float(hit) for hit in hits]).as_json() | {"hits": int(sum(hits))}


def percent(facts: dict[str, Any]) -> str:
    """A fraction as "93.4 % (253 of 271) [90.4, 96.3]"; "-" where there is nothing to count."""
    if facts["value"] is None:
        return "-"
    low, high = 100 * facts["low"], 100 * facts["high"]
    return f"{100 * facts['value']:.1f} % ({facts['hits']} of {facts['num']}) [{low:.1f}, {high:.1f}]"


def spread(values: Sequence[float]) -> dict[str, float | int]:
    """Median and spread of repeated timings."""
    low, middle, high = np.percentile(values, [10, 50, 90])
    return {
        "median": round(float(middle), 2),
        "p10": round(float(low), 2),
        "p90": round(float(high), 2),
        "repeats": len(values),
    }


def show_progress(done: int, total: int) -> None:
    """A counter on stderr where that is a terminal, else a line every 50."""
    if sys.stderr.isatty():
        print(f"\r{done}/{total}", end="" if done < total else "\n", file=sys.stderr, flush=True)
    elif done % 50 == 0 or done == total:
        print(f"{done}/{total}", file=sys.stderr, flush=True)
