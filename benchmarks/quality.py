"""Restored against truth on the frozen test set: hole IoU, PSNR, SSIM, LPIPS, identity.

demask dataset freeze runs/faces -o runs/frozen --textures DATA/backgrounds
python benchmarks/quality.py --data runs/frozen --out docs/measured/quality.json
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

import _common
from _sheets import Sheet, overlaid
from demask.dataset.frozen_set import FrozenPicture, load_frozen, read_info
from demask.evaluation.frozen import SYSTEMS, Answers, Bench, Row, measure
from demask.evaluation.metrics.suite import FIGURES, Suite
from demask.evaluation.tables import markdown, summarise
from demask.faces.finder import Finder
from demask.faces.hole import HoleFinder
from demask.restorers.registry import get_restorer

GOALS = """
| goal | measured | met |
| --- | --- | --- |
{rows}
"""


def main() -> None:
    """Measure, then write the report."""
    arguments = _arguments()
    _common.use_neighbouring_weights()
    bench = Bench(
        hole_finder=HoleFinder.shipped(device="cpu", threads=arguments.threads),
        restorer=get_restorer(arguments.restorer, device="cpu", threads=arguments.threads),
        suite=Suite.open(threads=arguments.threads),
        finder=_common.make_finder(arguments.finder) or Finder.shipped(device="cpu"),
    )
    info = read_info(arguments.data)
    total = min(sum(info["slices"].values()), arguments.limit or 10**9)
    sheets: dict[str, Sheet] = {}
    done = 0

    def each(row: Row, picture: FrozenPicture, answers: Answers) -> None:
        nonlocal done
        done += 1
        _common.show_progress(done, total)
        if arguments.sheets:
            _show(sheets, arguments.sheets, row, picture, answers)

    started = time.perf_counter()
    slices = arguments.slices.split(",") if arguments.slices else None
    rows = measure(islice(load_frozen(arguments.data, slices=slices), arguments.limit), bench, each=each)
    for sheet in sheets.values():
        sheet.close()
    summary = summarise(rows)
    if arguments.rows:
        _write_rows(arguments.rows, rows)
    results = {
        "frozen_set": {key: info[key] for key in ("sha256", "slices", "sources", "config")},
        "restorer": arguments.restorer,
        "finder": arguments.finder,
        "lpips_network": "SqueezeNet, v0.1",
        "seconds": round(time.perf_counter() - started, 1),
        "summary": summary,
    }
    _common.write_report(arguments.out, results, table=_goals(summary) + "\n" + markdown(summary))


def _arguments() -> argparse.Namespace:
    parser = _common.parser(__doc__)
    parser.add_argument("--data", type=Path, default=Path("runs/frozen"), help="the frozen test set")
    parser.add_argument("--restorer", default="network", help="network, telea, navier-stokes or an .onnx file")
    parser.add_argument("--finder", choices=("shipped", "yunet"), default="shipped", help="for the portraits")
    parser.add_argument("--slices", default="", help="only these, comma-separated")
    parser.add_argument("--limit", type=int, default=None, help="only the first so many pictures")
    parser.add_argument(
        "--rows", type=Path, default=None, metavar="CSV", help="also write every picture's figures"
    )
    parser.add_argument("--sheets", type=Path, default=None, metavar="FOLDER", help="also write contact sheets")
    arguments = parser.parse_args()
    if arguments.sheets:
        _common.outside_repository(arguments.sheets)
    return arguments


def _goals(summary: dict[str, Any]) -> str:
    """The issue's goals beside what was measured."""
    slices, lines = summary["slices"], []

    def goal(text: str, value: float | None, met: Callable[[float], bool], form: str) -> None:
        if value is not None:  # None: not one picture had that figure.
            lines.append(f"| {text} | {form.format(value)} | {'yes' if met(value) else 'no'} |")

    for name, least in (("seen", 0.92), ("unseen_types", 0.88)):
        if name in slices:
            value = slices[name]["hole_iou"]["value"]
            goal(f"hole IoU, {name}, at least {least}", value, least.__le__, "{:.3f}")
    if "seen" in slices:
        against = slices["seen"]["against_telea"]["found"]
        gain, ratio = against["hole_psnr_difference"]["value"], against["lpips_ratio"]["value"]
        goal("PSNR in hole over Telea, seen, at least +3.5 dB", gain, (3.5).__le__, "{:+.2f} dB")
        goal("LPIPS over Telea's, seen, at most 0.5", ratio, (0.5).__ge__, "{:.3f}")
    if "unseen_types" in summary["relative"]:
        relative = summary["relative"]["unseen_types"]
        for figure, better in (
            ("hole_psnr", "up"),
            ("ssim", "up"),
            ("lpips", "down"),
            ("hole_lpips", "down"),
        ):
            value = relative[figure]["value"]
            met = (0.9).__le__ if better == "up" else (1.1).__ge__
            goal(
                f"unseen types over seen, {FIGURES[figure].removesuffix(', dB')}, within 10 %",
                value,
                met,
                "x {:.3f}",
            )
    return GOALS.format(rows="\n".join(lines))


def _show(sheets: dict[str, Sheet], folder: Path, row: Row, picture: FrozenPicture, answers: Answers) -> None:
    """A quarter of the pictures: truth, masked with the hole used, Telea, oracle, found."""
    sheet = sheets.setdefault(row.slice, Sheet(folder, row.slice, columns=2, rows=6, side_px=192))
    if len(row.face_id) and int.from_bytes(row.face_id.encode()[-2:], "big") % 4:
        return
    figures = row.figures["found"]
    caption = f"{row.kind} IoU {row.hole_iou:.3f} PSNR {figures['hole_psnr']:.1f} LPIPS {figures['lpips']:.3f}"
    shown = [picture.face, overlaid(picture.masked, answers.used_hole)]
    sheet.add(caption, [*shown, *(answers.pictures[system] for system in ("telea", "oracle", "found"))])


def _write_rows(path: Path, rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    heads = ["slice", "face_id", "source", "kind", "turn", "skin", "restored", "hole_iou", "hole_reached"]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(heads + [f"{system}_{figure}" for system in SYSTEMS for figure in FIGURES])
        for row in rows:
            values = [row.figures[system][figure] for system in SYSTEMS for figure in FIGURES]
            facts = [getattr(row, head) for head in heads]
            writer.writerow(facts + ["" if np.isnan(value) else f"{value:.5f}" for value in values])


if __name__ == "__main__":
    main()
