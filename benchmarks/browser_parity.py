"""Photographs through Python and through the browser engine in headless Chromium: do they agree, and how fast.

Both decode the same file and write a PNG, so that what differs is the work and nothing else. Grain is random,
and each side draws its own; so it is left out of the comparison, and measured beside it on some photographs.
Times are those of the whole job, file to file, with networks that are loaded: seconds on the clock, which other
work on the machine lengthens, and seconds of processor time, which it does not. Memory is the most that the
page's process held. The report is written anew after every photograph.

Needs Linux, Chromium, playwright, npm's onnxruntime-web (`demask page --fetch`) and the photographs.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from _common import PHOTO_SUFFIXES, REPOSITORY, data_folder, parser, write_report
from demask import Remover
from demask.photo.decode import read_photo
from demask.photo.paste import PasteConfig
from demask.server.static_page import write_page
from demask.server.web_runtime import find_runtime
from demask.types import ImageU8

sys.path.insert(0, str(REPOSITORY / "tests"))


def main() -> None:
    """Measure and write the report."""
    options = _options()
    photos = _photos(options.photos, options.num_photos, options.min_px)
    report: dict[str, Any] = {"photos": options.photos, "browser": {}}
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "site"
        written = write_page(site, find_runtime())
        report["download_mb"] = {
            build: round(size / 1e6, 1) for build, size in written.download_bytes().items()
        }
        for threads in options.browser_threads:
            compare = threads == options.browser_threads[0]
            chosen = photos if compare else photos[: options.num_timed]
            for told in _in_browser(
                site, chosen, threads=threads, compare=compare, num_grainy=options.num_grainy
            ):
                report["browser"][str(threads)] = told
                write_report(options.out, report, table=_table(report["browser"]))


def _table(browser: dict[str, Any]) -> str:
    """The report in words: one row for each number of threads."""
    lines = [
        "| threads | photographs | seconds, median | processor s, median | Python's | memory |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for threads, told in browser.items():
        summary = told["summary"]
        native = summary.get("native_processor_s", {}).get("median", "")
        cells = [
            threads,
            summary["photos"],
            summary["seconds"]["median"],
            summary["processor_s"]["median"],
            native,
        ]
        lines.append(f"| {' | '.join(map(str, cells))} | {told['used']['most_memory_mb']} MB |")
    first = next(iter(browser.values()))["summary"]
    if "faces" in first and first["photos_restored"]:
        lines += [
            "",
            f"Of {first['photos']} photographs {first['photos_with_the_same_faces']} have the same "
            f"{first['faces']} faces, masked or bare alike. Outside the holes "
            f"{first['pixels_that_differ_outside']} pixels differ. "
            f"Inside, without grain, both agree to {first['psnr_db']['median']} dB "
            f"(median; least {first['psnr_db']['least']}; {first['photos_below_45_db']} of "
            f"{first['photos_restored']} below 45 dB); with the random grain of each to "
            f"{first['psnr_with_grain_db'].get('median', '-')} dB (median).",
        ]
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--photos", default="real_masked", help="folder of the photographs, in the data folder")
    made.add_argument("--num-photos", type=int, default=60)
    made.add_argument(
        "--num-timed", type=int, default=60, help="of them with all but the first number of threads"
    )
    made.add_argument("--num-grainy", type=int, default=10, help="of them compared with grain as well")
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


def _in_browser(
    site: Path, photos: Sequence[Path], *, threads: int, compare: bool, num_grainy: int
) -> Iterator[dict[str, Any]]:
    """What is known after each photograph."""
    from playwright.sync_api import sync_playwright

    from browsing import CHROMIUM, CHROMIUM_ARGS
    from engine_in_chromium import Engine, WebSpace, engine_page

    space, remover = WebSpace(site, isolated=threads > 1), Remover(threads=1) if compare else None
    rows: list[dict[str, Any]] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        try:
            with engine_page(browser, space.url) as page:
                engine = Engine(page, threads=threads, provider="wasm")
                engine.find(photos[0].read_bytes())  # The first run of a network is slower.
                engine.remove([0])
                for path in photos:
                    rows.append(_row(engine, path, remover, with_grain=len(rows) < num_grainy))
                    print(threads, len(rows), rows[-1], flush=True)
                    used = {name: engine.ready[name] for name in ("provider", "threads")}
                    used["most_memory_mb"] = max(memory for memory, _ in _page_processes().values()) // 1000
                    yield {"used": used, "summary": _summary(rows), "rows": rows}
        finally:
            browser.close()
            space.stop()


def _page_processes() -> dict[int, tuple[int, float]]:
    """Of each page process of our browser: the most kB that it has held, and its processor time, from Linux."""
    parents, found = {}, {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            told = dict(
                line.split(":\t", 1) for line in (folder / "status").read_text().splitlines() if ":\t" in line
            )
            ticks = (folder / "stat").read_text().rpartition(")")[2].split()
            command = (folder / "cmdline").read_bytes()
        except OSError:  # It has ended meanwhile.
            continue
        parents[int(folder.name)] = int(told["PPid"])
        if b"--type=renderer" in command and "VmHWM" in told:
            spent_s = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
            found[int(folder.name)] = (int(told["VmHWM"].split()[0]), spent_s)

    def is_ours(process: int) -> bool:
        while process > 1 and process != os.getpid():
            process = parents.get(process, 0)
        return process == os.getpid()

    return {process: facts for process, facts in found.items() if is_ours(process)}


def _processor_s() -> float:
    return sum(spent_s for _, spent_s in _page_processes().values())


def _row(engine: Any, path: Path, remover: Remover | None, *, with_grain: bool) -> dict[str, Any]:
    data = path.read_bytes()
    start, spent = time.perf_counter(), _processor_s()
    found = engine.find(data, path.name)
    faces = list(range(len(found["faces"])))
    made = engine.remove(faces, format="png", grain=False)
    row = {
        "photo": path.stem,
        "seconds": round(time.perf_counter() - start, 2),
        "processor_s": round(_processor_s() - spent, 2),
    }
    if remover is None:
        return row
    plain = _decoded(made["photo"])
    start, spent = time.perf_counter(), time.process_time()
    pixels = read_photo(data).pixels
    looked = remover.looker(pixels)
    result = remover.restore(pixels, looked, paste=PasteConfig(match_grain=False))
    native = {
        "native_s": round(time.perf_counter() - start, 2),
        "native_processor_s": round(time.process_time() - spent, 2),
    }
    same = [
        one["covered"] == other.covered and np.abs(np.array(one["box"]) - other.face.box).max() < 0.5
        for one, other in zip(found["faces"], looked.faces, strict=False)
    ]
    hole = result.hole if result.hole is not None else np.zeros(pixels.shape[:2], bool)
    changed = (plain != pixels).any(axis=2)
    row |= {
        **native,
        "megapixels": round(pixels.shape[0] * pixels.shape[1] / 1e6, 2),
        "faces": len(looked.faces),
        "same_faces": len(looked.faces) == len(faces) and all(same),
        "hole_px": int(hole.sum()),
        "differ_outside": int(changed[~hole].sum()),
        "psnr_db": _psnr(plain, result.photo, hole | changed),
    }
    if with_grain:
        grainy = _decoded(engine.remove(faces, format="png")["photo"])
        row["psnr_with_grain_db"] = _psnr(grainy, remover.restore(pixels, looked).photo, hole | changed)
    return row


def _decoded(data: bytes) -> ImageU8:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def _psnr(one: ImageU8, other: ImageU8, where: Any) -> float | None:
    """Peak signal to noise, over the pixels at `where`; None where there are none, 99 where nothing differs."""
    if not where.any():
        return None
    error = float(((one[where].astype(np.float64) - other[where]) ** 2).mean())
    return round(float(10 * np.log10(255**2 / error)), 2) if error else 99.0


def _summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    times = ("seconds", "processor_s", "native_s", "native_processor_s")
    told: dict[str, Any] = {"photos": len(rows)}
    told |= {name: _spread([row[name] for row in rows]) for name in times if name in rows[0]}
    if "faces" not in rows[0]:
        return told
    psnr = [row["psnr_db"] for row in rows if row["psnr_db"] is not None]
    grainy = [row["psnr_with_grain_db"] for row in rows if row.get("psnr_with_grain_db") is not None]
    return {
        **told,
        "faces": sum(row["faces"] for row in rows),
        "photos_with_the_same_faces": sum(row["same_faces"] for row in rows),
        "photos_restored": len(psnr),
        "pixels_that_differ_outside": sum(row["differ_outside"] for row in rows),
        "hole_px": sum(row["hole_px"] for row in rows),
        "psnr_db": _spread(psnr),
        "photos_below_45_db": sum(value < 45 for value in psnr),
        "psnr_with_grain_db": _spread(grainy),
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    return {
        name: round(call(values), 2)
        for name, call in (("least", min), ("median", statistics.median), ("most", max))
    }


if __name__ == "__main__":
    main()
