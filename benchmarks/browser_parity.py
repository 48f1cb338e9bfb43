"""Photographs through Python and through the browser engine in headless Chromium: do they agree, and how fast.

Both decode the same file and write a PNG, so that what differs is the work and nothing else. Grain is random,
and each side draws its own; so it is left out of the comparison and measured beside it. Seconds are those of
the whole job, file to file, with networks that are loaded; memory is the most that the page's process held.

Needs Chromium, playwright, npm's onnxruntime-web (`demask page --fetch`) and the photographs.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from _common import PHOTO_SUFFIXES, REPOSITORY, data_folder, machine, parser
from demask import Remover
from demask.photo.decode import read_photo
from demask.photo.paste import PasteConfig
from demask.server.static_page import Written, write_page
from demask.server.web_runtime import find_runtime
from demask.types import ImageU8

sys.path.insert(0, str(REPOSITORY / "tests"))


def main() -> None:
    """Measure and write the report."""
    options = _options()
    photos = _photos(options.photos, options.num_photos, options.min_px)
    remover = Remover(threads=1)
    native = [_native(remover, path) for path in photos]
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "site"
        written = write_page(site, find_runtime())
        by_threads = {}
        for threads in options.browser_threads:
            by_threads[threads] = _in_browser(site, photos, native, threads=threads)
            _write(options, photos, written, native, by_threads)


def _write(
    options: argparse.Namespace,
    photos: Sequence[Path],
    written: Written,
    native: Sequence[dict[str, Any]],
    by_threads: dict[int, Any],
) -> None:
    """Write what is known so far."""
    report = {
        "what": "Python against the browser engine (onnxruntime-web in headless Chromium)",
        "num_photos": len(photos),
        "photos": options.photos,
        "download_mb": {build: round(size / 1e6, 1) for build, size in written.download_bytes.items()},
        "native_s": _spread([one["seconds"] for one in native]),
        "browser": by_threads,
        "machine": machine(),
    }
    options.out.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps({**report, "browser": {k: v["summary"] for k, v in by_threads.items()}}, indent=1))


def _options() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--photos", default="real_masked", help="folder of the photographs, in the data folder")
    made.add_argument("--num-photos", type=int, default=60)
    made.add_argument("--min-px", type=int, default=0, help="skip photographs whose longer side is shorter")
    made.add_argument("--browser-threads", type=int, nargs="+", default=[1, 2])
    return made.parse_args()


def _photos(folder: str, number: int, min_px: int) -> list[Path]:
    files = (path for path in sorted(data_folder(folder).iterdir()) if path.suffix.lower() in PHOTO_SUFFIXES)
    found = [path for path in files if max(Image.open(path).size) >= min_px]
    if len(found) < number:
        raise SystemExit(f"{data_folder(folder)} holds {len(found)} photographs that fit, needed are {number}")
    step = len(found) / number
    return [found[int(index * step)] for index in range(number)]


def _native(remover: Remover, path: Path) -> dict[str, Any]:
    """Python's answer, without grain; the time of the shipped job, with it."""
    data = path.read_bytes()
    start = time.perf_counter()
    remover(data)
    seconds = time.perf_counter() - start
    pixels = read_photo(data).pixels
    looked = remover.looker(pixels)
    result = remover.restore(pixels, looked, paste=PasteConfig(match_grain=False))
    grainy = remover.restore(pixels, looked)
    return {"pixels": pixels, "result": result, "grainy": grainy.photo, "looked": looked, "seconds": seconds}


def _in_browser(
    site: Path, photos: Sequence[Path], native: Sequence[dict[str, Any]], *, threads: int
) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    from browsing import CHROMIUM, CHROMIUM_ARGS
    from engine_in_chromium import Engine, WebSpace, engine_page

    space = WebSpace(site, isolated=threads > 1)
    rows = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        try:
            with engine_page(browser, space.url) as page:
                engine = Engine(page, threads=threads, provider="wasm")
                for path, expected in zip(photos, native, strict=True):
                    rows.append(_row(engine, path, expected, compare=threads == 1))
                    print(threads, len(rows), rows[-1], flush=True)
                ready, memory_mb = engine.ready, _most_memory_mb()
        finally:
            browser.close()
            space.stop()
    used = {"provider": ready["provider"], "threads": ready["threads"], "most_memory_mb": memory_mb}
    return {"used": used, "summary": _summary(rows), "rows": rows}


def _most_memory_mb() -> int:
    """The most that any of our browser's page processes has held, as Linux tells it (VmHWM)."""
    parents, most = {}, {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            lines = (folder / "status").read_text().splitlines()
            command = (folder / "cmdline").read_text()
        except OSError:  # It has ended meanwhile.
            continue
        told = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        parents[int(folder.name)] = int(told["PPid"])
        if "--type=renderer" in command and "VmHWM" in told:
            most[int(folder.name)] = int(told["VmHWM"].split()[0])

    def is_ours(process: int) -> bool:
        while process > 1:
            if process == os.getpid():
                return True
            process = parents.get(process, 0)
        return False

    return max((kilobytes for process, kilobytes in most.items() if is_ours(process)), default=0) // 1000


def _row(engine: Any, path: Path, expected: dict[str, Any], *, compare: bool) -> dict[str, Any]:
    data, pixels, result = path.read_bytes(), expected["pixels"], expected["result"]
    start = time.perf_counter()
    found = engine.find(data, path.name)
    faces = list(range(len(found["faces"])))
    made = engine.remove(faces)
    row = {
        "photo": path.stem,
        "megapixels": round(pixels.shape[0] * pixels.shape[1] / 1e6, 2),
        "seconds": round(time.perf_counter() - start, 2),
        "native_s": round(expected["seconds"], 2),
    }
    if not compare:
        return row
    theirs = expected["looked"].faces
    same = [
        one["covered"] == other.covered and np.abs(np.array(one["box"]) - other.face.box).max() < 0.5
        for one, other in zip(found["faces"], theirs, strict=False)
    ]
    plain = _decoded(engine.remove(faces, format="png", grain=False)["photo"])
    grainy = _decoded(made["photo"])
    hole = result.hole if result.hole is not None else np.zeros(pixels.shape[:2], bool)
    changed = (plain != pixels).any(axis=2)
    return {
        **row,
        "faces": len(theirs),
        "same_faces": len(theirs) == len(found["faces"]) and all(same),
        "hole_px": int(hole.sum()),
        "differ_outside": int(changed[~hole].sum()),
        "psnr_db": _psnr(plain, result.photo, hole | changed),
        "psnr_with_grain_as_written_db": _psnr(grainy, expected["grainy"], hole | changed),
    }


def _decoded(data: bytes) -> ImageU8:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def _psnr(one: ImageU8, other: ImageU8, where: Any) -> float | None:
    """Peak signal to noise, over the pixels at `where`; None where there are none, 99 where nothing differs."""
    if not where.any():
        return None
    error = float(((one[where].astype(np.float64) - other[where]) ** 2).mean())
    return round(10 * np.log10(255**2 / error), 2) if error else 99.0


def _summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    told: dict[str, Any] = {"photos": len(rows), "seconds": _spread([row["seconds"] for row in rows])}
    compared = [row for row in rows if "faces" in row]
    if not compared:
        return told
    psnr = [row["psnr_db"] for row in compared if row["psnr_db"] is not None]
    grainy = [row["psnr_with_grain_as_written_db"] for row in compared if row["psnr_db"] is not None]
    return {
        **told,
        "faces": sum(row["faces"] for row in compared),
        "photos_with_the_same_faces": sum(row["same_faces"] for row in compared),
        "photos_restored": len(psnr),
        "pixels_that_differ_outside": sum(row["differ_outside"] for row in compared),
        "psnr_db": {"least": min(psnr), **_spread(psnr)},
        "photos_below_45_db": sum(value < 45 for value in psnr),
        "psnr_with_grain_as_written_db": {"least": min(grainy), **_spread(grainy)},
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    low, middle, high = statistics.quantiles(values, n=4)
    return {"median": round(middle, 2), "quartile_1": round(low, 2), "quartile_3": round(high, 2)}


if __name__ == "__main__":
    main()
