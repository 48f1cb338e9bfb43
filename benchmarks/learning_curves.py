"""Validation figures of trainings over the pictures they saw, and what more of them would bring.

python benchmarks/learning_curves.py --run restorer=runs/restorer --run hole=runs/hole \
    --out docs/measured/learning_curves.json

Reads `config.json` and `metrics.jsonl` of each run; also draws the curves to an .svg beside the report. Where
the settings of a validation changed along a run, `--from NAME=STEP` counts from there; several by commas.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

import _common

FIGURES = {
    "finder": ("recall_covered", "fraction of covered faces found"),
    "hole": ("iou", "hole IoU"),
    "restorer": ("lpips", "LPIPS (SqueezeNet), true hole"),
    "landmarks": ("error_percent", "landmark error, % of the eye distance"),
    "pix2pix": ("lpips", "LPIPS (SqueezeNet)"),
}
"""By task: the figure that is drawn, and its name."""

Row = dict[str, float]


def main() -> None:
    """Read, fit, draw, write."""
    parser = _common.parser(__doc__)
    parser.add_argument("--run", action="append", required=True, metavar="NAME=FOLDER", help="may be repeated")
    parser.add_argument("--from", dest="since", action="append", default=[], metavar="NAME=STEP,...")
    arguments = parser.parse_args()
    changes = {
        name: [int(step) for step in steps.split(",")]
        for name, steps in (text.split("=", 1) for text in arguments.since)
    }
    runs = {}
    for text in arguments.run:
        name, folder = text.split("=", 1)
        runs[name] = _read(Path(folder), changes=changes.get(name, []))
    _draw(runs, arguments.out.with_suffix(".svg"))
    _common.write_report(arguments.out, {"runs": runs}, table=_tables(runs))


def _read(folder: Path, *, changes: Sequence[int]) -> dict[str, Any]:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config["task"] not in FIGURES:
        raise SystemExit(f"{folder} trains {config['task']!r}; curves are drawn of {', '.join(FIGURES)}")
    batch = config["settings"]["batch_size"]
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    # A run that was killed takes some steps again: what was written last holds.
    records = {(row["group"], row["step"]): row for row in map(json.loads, lines)}
    speeds = sorted((step, row["pictures_per_s"]) for (group, step), row in records.items() if group == "speed")
    rows, hours, done = [], 0.0, 0
    for step in sorted(step for group, step in records if group == "val"):
        for at, speed in speeds:
            if done < at <= step:
                hours += (at - done) * batch / speed / 3600
                done = at
        record = records["val", step]
        figures = {key: value for key, value in record.items() if key not in ("step", "time", "group", "score")}
        rows.append({"step": step, "pictures": step * batch, "hours": round(hours, 3), **figures})
    figure = FIGURES[config["task"]][0]
    kept = [row for row in rows if row["step"] >= max(changes, default=0)]
    return {
        "task": config["task"],
        "steps_planned": config["trainer"]["steps"],
        "figure": figure,
        "changed_at_steps": sorted(changes),
        "validations": rows,
        "per_doubling": _per_doubling([row["pictures"] for row in kept], [row[figure] for row in kept]),
    }


def _per_doubling(pictures: Sequence[float], values: Sequence[float]) -> float | None:
    """Change of a figure when the pictures double, from a straight line over the later half of them."""
    later = [(np.log2(seen), value) for seen, value in zip(pictures, values, strict=True) if seen]
    later = [pair for pair in later if pair[0] >= later[-1][0] - 1]
    if len(later) < 3:
        return None
    slope, _ = np.polyfit(*zip(*later, strict=True), 1)
    return round(float(slope), 5)


def _draw(runs: dict[str, Any], path: Path) -> None:
    mpl.rcParams.update({"svg.hashsalt": "demask", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3})
    figure, axes = plt.subplots(
        1, len(runs), figsize=(3.6 * len(runs), 2.8), layout="constrained", squeeze=False
    )
    for place, (name, run) in zip(axes[0], runs.items(), strict=True):
        rows = run["validations"]
        if rows[0]["step"] == 0:  # The weights that it began with.
            place.axhline(rows[0][run["figure"]], linestyle=":", color="tab:grey")
            rows = rows[1:]
        bounds = [0, *run["changed_at_steps"], run["steps_planned"] + 1]
        for first, end in itertools.pairwise(bounds):
            part = [row for row in rows if first <= row["step"] < end]
            style = "o-" if end == bounds[-1] else "o:"
            seen, values = [row["pictures"] for row in part], [row[run["figure"]] for row in part]
            place.plot(seen, values, style, color="tab:blue", markersize=3)
        place.set_xscale("log", base=2)
        place.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:.3g}k")
        place.set(title=name, xlabel="pictures", ylabel=FIGURES[run["task"]][1])
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def _tables(runs: dict[str, Any]) -> str:
    parts = []
    for name, run in runs.items():
        figures = [key for key in run["validations"][-1] if key not in ("step", "pictures", "hours")]
        parts += [f"### {name}\n", "| step | pictures | hours | " + " | ".join(figures) + " |"]
        parts.append("| --- " * (3 + len(figures)) + "|")
        for row in run["validations"]:
            cells = [f"{row[key]:.4f}" if key in row else "-" for key in figures]
            parts.append(
                f"| {row['step']} | {row['pictures']:,} | {row['hours']:.2f} | " + " | ".join(cells) + " |"
            )
        if run["validations"][0]["step"] == 0:
            parts.append("\nStep 0, the dotted line: the weights that it began with.")
        slope = run["per_doubling"]
        if run["changed_at_steps"]:
            steps = ", ".join(f"{step:,}" for step in run["changed_at_steps"])
            parts.append(f"\nThe validation pictures changed before step {steps}.")
        if slope is not None:
            parts.append(
                f"\nOver the last doubling of the pictures, with the fall of the learning rate in it: "
                f"{run['figure']} {slope:+.4f}."
            )
        parts.append("")
    return "Hours are those of the machine below, other work beside it included.\n\n" + "\n".join(parts)


if __name__ == "__main__":
    main()
