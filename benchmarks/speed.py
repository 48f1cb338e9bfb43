"""How long and how much: one photo warm and cold, `--help`, memory, each network, wheel and install size.

    python benchmarks/speed.py --out docs/measured/speed.json --wheel --install

Wall-clock times depend on what else the machine does: the load average stands in the report, and beside
each time the processor time of all threads together, which depends on it less.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import _common

GOALS = {
    "warm_ms": ("one 1280 px JPEG, one face, warm, decode to encode", "ms", 200),
    "cold_s": ("`demask remove`, cold", "s", 1.5),
    "help_s": ("`demask --help`", "s", 0.4),
    "memory_gb": ("peak memory, 24 megapixels with 10 faces", "GB", 1.5),
    "wheel_mb": ("wheel", "MB", 40),
    "install_mb": ("base install on disk", "MB", 350),
}


def main() -> None:
    """Measure all that was asked for and write the report."""
    arguments = _arguments()
    _common.use_neighbouring_weights()
    with Image.open(arguments.photo) as picture:
        covered = picture.convert("RGB")
    results: dict[str, Any] = {"photo": arguments.photo.name, "threads": arguments.threads}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one, ten = folder / "one.jpg", folder / "ten.jpg"
        _scaled(covered, 1280).save(one, quality=90)
        _crowd(covered).save(ten, quality=90)
        results["warm"] = _warm(one, arguments)
        results["networks"] = _networks(arguments)
        results["cold"] = _cold(one, folder, arguments)
        results["help"] = _starts([sys.executable, "-m", "demask", "--help"], arguments.repeats)
        results["memory"] = _memory(ten, folder, arguments)
        if arguments.wheel or arguments.install:
            wheel = _wheel(folder)
            results["wheel_mb"] = round(wheel.stat().st_size / 1e6, 2)
            if arguments.install:
                results["install"] = _install(wheel, folder)
    _common.write_report(arguments.out, results, table=_table(results))


def _arguments() -> argparse.Namespace:
    parser = _common.parser(__doc__)
    example = _common.REPOSITORY / "examples/astronaut-covered.jpg"
    parser.add_argument("--photo", type=Path, default=example, help="a photo of one covered face")
    parser.add_argument("--restorer", default="network", help="network, telea, navier-stokes or an .onnx file")
    parser.add_argument(
        "--repeats", type=int, default=10, help="of each cold start; warm runs three times as often"
    )
    parser.add_argument("--wheel", action="store_true", help="also build the wheel and weigh it")
    parser.add_argument("--install", action="store_true", help="also install the wheel in a new environment")
    arguments = parser.parse_args()
    if not arguments.photo.is_file():
        parser.error(f"there is no photo {arguments.photo}; name one with --photo")
    return arguments


def _scaled(picture: Image.Image, longest_px: int) -> Image.Image:
    scale = longest_px / max(picture.size)
    return picture.resize(
        (round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS
    )


def _crowd(covered: Image.Image) -> Image.Image:
    """24 megapixels (6000 x 4000) that show the same face ten times, 5 across and 2 down."""
    scale = min(1200 / covered.width, 2000 / covered.height)
    size = (round(covered.width * scale), round(covered.height * scale))
    tile = covered.resize(size, Image.Resampling.LANCZOS)
    crowd = Image.new("RGB", (6000, 4000), (128, 128, 128))
    for number in range(10):
        column, row = number % 5, number // 5
        crowd.paste(tile, (column * 1200 + (1200 - size[0]) // 2, row * 2000 + (2000 - size[1]) // 2))
    return crowd


def _warm(path: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """One remover, the same bytes again and again: bytes of a JPEG in, bytes of a JPEG out."""
    from demask.remover import Remover

    remover = Remover(device="cpu", restorer=arguments.restorer, threads=arguments.threads)
    data = path.read_bytes()
    stages: dict[str, list[float]] = {}
    times, cpu_times = [], []
    for number in range(5 + 3 * arguments.repeats):
        started, cpu_started = time.perf_counter(), time.process_time()
        result = remover(data)
        spent_ms = (time.perf_counter() - started) * 1000
        if number >= 5:  # The first few warm caches and thread pools.
            times.append(spent_ms)
            cpu_times.append((time.process_time() - cpu_started) * 1000)
            for stage, stage_ms in result.timings_ms.items():
                stages.setdefault(stage, []).append(stage_ms)
    return {
        "total_ms": _common.spread(times),
        "cpu_ms": _common.spread(cpu_times),
        "stages_ms": {stage: _common.spread(spent) for stage, spent in stages.items()},
        "status": result.status,
        "faces": len(result.faces),
        "size": list(Image.open(BytesIO(data)).size),
    }


def _networks(arguments: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds of one run of each shipped network on its own."""
    from demask.faces.crop_networks import HoleFinder
    from demask.faces.finder import Finder
    from demask.restorers.by_name import get_restorer

    rng = np.random.default_rng(0)
    crop = rng.integers(0, 256, (256, 256, 3), np.uint8)
    photo = rng.integers(0, 256, (960, 1280, 3), np.uint8)
    hole = np.zeros((256, 256), bool)
    hole[130:230, 60:196] = True
    finder = Finder.shipped(device="cpu")
    hole_finder = HoleFinder.shipped(device="cpu", threads=arguments.threads)
    restorer = get_restorer(arguments.restorer, device="cpu", threads=arguments.threads)
    runs: dict[str, Callable[[], object]] = {
        "finder, 1280x960 photo": lambda: finder(photo),
        "finder, 320x240 photo": lambda: finder(photo[::4, ::4].copy()),
        "hole, one crop": lambda: hole_finder(crop[None]),
        "restorer, one crop": lambda: restorer(crop, hole),
    }
    return {name: _timed_ms(run, 3 * arguments.repeats) for name, run in runs.items()}


def _timed_ms(run: Callable[[], object], repeats: int) -> dict[str, float | int]:
    times = []
    for number in range(repeats + 3):
        started = time.perf_counter()
        run()
        if number >= 3:
            times.append((time.perf_counter() - started) * 1000)
    return _common.spread(times)


def _remove_command(source: Path, target: Path, arguments: argparse.Namespace) -> list[str]:
    command = [
        sys.executable,
        "-m",
        "demask",
        "remove",
        str(source),
        "-o",
        str(target),
        "--overwrite",
        "--quiet",
    ]
    command += ["--restorer", arguments.restorer]
    return command + (["--threads", str(arguments.threads)] if arguments.threads else [])


def _cold(path: Path, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    command = _remove_command(path, folder / "cold.jpg", arguments)
    _started(command)  # The first start reads files that later ones find in the page cache.
    return _starts(command, arguments.repeats)


def _starts(command: list[str], repeats: int) -> dict[str, Any]:
    """Wall-clock and processor seconds of a command that is started again and again."""
    runs = [_started(command) for _ in range(repeats)]
    return {
        "wall_s": _common.spread([wall_s for wall_s, _ in runs]),
        "cpu_s": _common.spread([usage.ru_utime + usage.ru_stime for _, usage in runs]),
    }


def _started(command: list[str]) -> tuple[float, resource.struct_rusage]:
    """Run a command to its end; wall-clock seconds and what the kernel counted."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed with exit code {process.returncode}")
    return time.perf_counter() - started, usage


def _memory(path: Path, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Peak resident memory of `demask remove` on the crowd, as the kernel counts it."""
    spent_s, usage = _started(_remove_command(path, folder / "crowd.jpg", arguments))
    # Linux counts in KiB, macOS in bytes.
    peak_bytes = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    changed = (_common.pixels_of(path) != _common.pixels_of(folder / "crowd.jpg")).any()
    return {
        "peak_gb": round(peak_bytes / 1e9, 3),
        "seconds": round(spent_s, 2),
        "faces": _faces_in(path),
        "changed": bool(changed),
    }


def _faces_in(path: Path) -> int:
    from demask.faces.finder import Finder

    return len(Finder.shipped(device="cpu")(_common.pixels_of(path)))


def _wheel(folder: Path) -> Path:
    """Build the wheel as a release would."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*command, "--wheel-dir", str(folder / "wheel"), str(_common.REPOSITORY)], check=True)
    return next((folder / "wheel").glob("*.whl"))


def _install(wheel: Path, folder: Path) -> dict[str, Any]:
    """Install the wheel and its dependencies, nothing else, and weigh what lies on the disk."""
    place = folder / "environment"
    venv.create(place, with_pip=True)
    python = place / ("Scripts" if os.name == "nt" else "bin") / "python"
    before = _disk_mb(place)
    constraints = _common.REPOSITORY / "constraints.txt"
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", str(wheel)]
    subprocess.run(command + (["-c", str(constraints)] if constraints.is_file() else []), check=True)
    after = _disk_mb(place)
    return {"added_mb": round(after - before, 1), "environment_mb": round(after, 1)}


def _disk_mb(folder: Path) -> float:
    sizes = [path.lstat().st_blocks * 512 for path in folder.rglob("*") if not path.is_symlink()]
    return sum(sizes) / 1e6


def _table(results: dict[str, Any]) -> str:
    measured = {
        "warm_ms": results["warm"]["total_ms"]["median"],
        "cold_s": results["cold"]["wall_s"]["median"],
        "help_s": results["help"]["wall_s"]["median"],
        "memory_gb": results["memory"]["peak_gb"],
        "wheel_mb": results.get("wheel_mb"),
        "install_mb": results.get("install", {}).get("added_mb"),
    }
    lines = ["| | measured | goal | met |", "| --- | --- | --- | --- |"]
    for key, value in measured.items():
        if value is not None:
            what, unit, most = GOALS[key]
            met = "yes" if value <= most else "no"
            lines.append(f"| {what} | {value:g} {unit} | at most {most:g} {unit} | {met} |")
    lines += ["", "| warm, by stage | median ms | p10 | p90 |", "| --- | --- | --- | --- |"]
    for name, facts in [*results["warm"]["stages_ms"].items(), *results["networks"].items()]:
        lines.append(f"| {name} | {facts['median']} | {facts['p10']} | {facts['p90']} |")
    warm, memory = results["warm"], results["memory"]
    cold_s, help_s = (results[key]["cpu_s"]["median"] for key in ("cold", "help"))
    lines.append(
        f"\nWarm: {warm['faces']} face(s), {warm['status']}. Crowd: {memory['faces']} faces found. "
        f"Processor time, all threads: warm {warm['cpu_ms']['median']} ms, cold {cold_s} s, help {help_s} s."
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
