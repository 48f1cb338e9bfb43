r"""Several generations of our own networks on one frozen set: what a user gets (setting found), paired.

demask dataset freeze runs/faces -o runs/frozen --textures DATA/backgrounds
python benchmarks/generations.py --data runs/frozen --networks sixth=FOLDER --networks seventh=FOLDER \
    --out docs/measured/generations.json

Each folder holds a hole.onnx and a restorer.onnx; the first is the base that the others are compared with. The
finder is the shipped one for all. The path, the figures and the tables are those of `demask benchmark`; besides
them stands each figure's ratio to the base's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import _common
from _paired import System, measured
from demask.evaluation.aggregate import Record
from demask.evaluation.answers import Answering
from demask.evaluation.figure_tables import all_tables
from demask.evaluation.table_parts import markdown_of
from demask.faces.crop_networks import HoleFinder
from demask.faces.finder import Finder
from demask.restorers.by_name import get_restorer
from demask.weights.sessions import open_session

SHOWN = ("figures", "holes", "differences")
RESAMPLES = 2000


def main() -> None:
    """Measure, then write the report."""
    parser = _common.parser(__doc__)
    parser.add_argument("--data", type=Path, default=Path("runs/frozen"), help="a frozen set")
    parser.add_argument("--networks", action="append", required=True, metavar="NAME=FOLDER")
    parser.add_argument("--limit", type=int, default=None, help="only the first so many pictures of each slice")
    parser.add_argument("--slices", default=None, help="comma-separated; default: all")
    arguments = parser.parse_args()
    _common.use_neighbouring_weights()
    systems = _systems(arguments.networks, arguments.threads)
    records, report = measured(
        systems, arguments.data, slices=arguments.slices, limit=arguments.limit, threads=arguments.threads
    )
    base = report["base"]
    names = sorted({record["slice"] for record in records[base]})
    report["ratios"] = {
        system: {name: _ratios(records[base], records[system], name) for name in names}
        for system in systems
        if system != base
    }
    shown = [table for table in all_tables(report) if table.name in SHOWN]
    _common.write_report(
        arguments.out, report, table=f"{_ratio_table(report['ratios'], base)}\n\n{markdown_of(shown)}"
    )


def _systems(named: Sequence[str], threads: int | None) -> dict[str, System]:
    finder = Finder.shipped("cpu", threads=threads)
    systems = {}
    for text in named:
        name, _, folder = text.partition("=")
        hole, restorer = (Path(folder) / f"{what}.onnx" for what in ("hole", "restorer"))
        answering = Answering(
            finder=finder, hole_finder=HoleFinder(open_session(hole, device="cpu", threads=threads))
        )
        systems[name] = answering, get_restorer(str(restorer), device="cpu", threads=threads)
    return systems


def _ratios(base: Sequence[Record], other: Sequence[Record], name: str) -> dict[str, Any]:
    """LPIPS over the base's and PSNR in the hole above it, with 95 % intervals over pictures."""
    pairs = [(a, b) for a, b in zip(base, other, strict=True) if a["slice"] == name]
    rng = np.random.default_rng(0)
    found: dict[str, Any] = {"pictures": len(pairs)}
    for figure in ("lpips", "hole_lpips", "hole_psnr"):
        both = np.array(
            [
                (a["figures"][figure], b["figures"][figure])
                for a, b in pairs
                if None not in (a["figures"].get(figure), b["figures"].get(figure))
            ]
        )
        if not len(both):
            continue
        drawn = both[rng.integers(0, len(both), (RESAMPLES, len(both)))].mean(axis=1)
        differ = figure.endswith("psnr")
        of_all = both.mean(axis=0)
        value = of_all[1] - of_all[0] if differ else of_all[1] / of_all[0]
        spread = drawn[:, 1] - drawn[:, 0] if differ else drawn[:, 1] / drawn[:, 0]
        low, high = np.quantile(spread, (0.025, 0.975))
        found[figure] = {"value": float(value), "low": float(low), "high": float(high)}
    return found


def _ratio_table(ratios: Mapping[str, Mapping[str, Any]], base: str) -> str:
    lines = [
        f"Beside {base}: LPIPS as a ratio (below 1 is better), PSNR in the hole as a difference in dB.",
        "",
        "| system | slice | pictures | LPIPS | LPIPS in the hole | PSNR in the hole |",
        "|---|---|---|---|---|---|",
    ]
    for system, slices in ratios.items():
        for name, found in slices.items():
            cells = [
                f"{found[figure]['value']:+.2f} [{found[figure]['low']:+.2f}, {found[figure]['high']:+.2f}]"
                if figure.endswith("psnr")
                else f"x {found[figure]['value']:.3f} [{found[figure]['low']:.3f}, {found[figure]['high']:.3f}]"
                for figure in ("lpips", "hole_lpips", "hole_psnr")
            ]
            lines.append(f"| {system} | {name} | {found['pictures']} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
