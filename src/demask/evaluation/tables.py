"""From rows of measured pictures to the tables that are published: means, intervals, comparisons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from demask.dataset.frozen_set import PORTRAIT
from demask.evaluation.bootstrap import Interval, mean_interval, paired_difference, paired_ratio
from demask.evaluation.frozen import SYSTEMS, Row
from demask.evaluation.metrics.suite import FIGURES

Summary = dict[str, Any]

BASE_SLICE = "seen"
COMPARED_SLICES = ("unseen_colours", "unseen_types")
GROUPS = {
    "kinds": "kind of covering (all crops)",
    "sources": "photo source (seen)",
    "turns": "turn of the head (seen)",
    "skins": "skin as photographed (seen)",
}
RELATIVE_FIGURES = ("hole_psnr", "hole_mse", "ssim", "hole_ssim", "lpips", "hole_lpips", "identity")


def summarise(rows: Sequence[Row], *, seed: int = 0) -> Summary:
    """All tables of one run, ready for JSON.

    Args:
        rows: From `demask.evaluation.frozen.measure`.
        seed: Of the bootstrap.

    Returns:
        `slices`: per slice `hole`, `restored`, `figures` (system, then figure) and `against_telea`;
        `relative`: per unseen slice its figures over those of the seen one, paired by face;
        `kinds`: hole IoU and figures in the hole by kind of covering, over all crops;
        `sources`, `turns`, `skins`: the same by photo source, head turn and skin, over the seen slice.
    """
    names = list(dict.fromkeys(row.slice for row in rows))
    crops = [row for row in rows if row.slice != PORTRAIT]
    seen = [row for row in rows if row.slice == BASE_SLICE]
    return {
        "slices": {name: _slice([row for row in rows if row.slice == name], seed) for name in names},
        "relative": {
            name: _relative(rows, name, seed)
            for name in COMPARED_SLICES
            if name in names and BASE_SLICE in names
        },
        "kinds": _groups(crops, lambda row: row.kind, seed),
        "sources": _groups(seen, lambda row: row.source, seed),
        "turns": _groups(seen, lambda row: row.turn, seed),
        "skins": _groups(seen, lambda row: row.skin, seed),
    }


def _slice(rows: Sequence[Row], seed: int) -> Summary:
    return {
        "num": len(rows),
        "restored": _mean([float(row.restored) for row in rows], seed),
        "hole_iou": _mean([row.hole_iou for row in rows], seed),
        "hole_reached": _mean([row.hole_reached for row in rows], seed),
        "figures": {
            system: {figure: _mean(_column(rows, system, figure), seed) for figure in FIGURES}
            for system in SYSTEMS
        },
        "against_telea": {
            system: {
                "hole_psnr_difference": _pair(paired_difference, rows, system, "hole_psnr", seed),
                "lpips_ratio": _pair(paired_ratio, rows, system, "lpips", seed),
                "hole_lpips_ratio": _pair(paired_ratio, rows, system, "hole_lpips", seed),
                "ssim_difference": _pair(paired_difference, rows, system, "ssim", seed),
                "identity_difference": _pair(paired_difference, rows, system, "identity", seed),
            }
            for system in ("found", "oracle")
        },
    }


def _relative(rows: Sequence[Row], name: str, seed: int) -> Summary:
    """Found-hole figures of a slice over those of the seen one on the same faces; 1 = no change."""
    seen = {row.face_id: row for row in rows if row.slice == BASE_SLICE}
    pairs = [(row, seen[row.face_id]) for row in rows if row.slice == name and row.face_id in seen]
    ratios = {
        figure: paired_ratio(
            [here.figures["found"][figure] for here, _ in pairs],
            [base.figures["found"][figure] for _, base in pairs],
            seed=seed,
        ).as_json()
        for figure in RELATIVE_FIGURES
    }
    overlap = paired_ratio(
        [here.hole_iou for here, _ in pairs], [base.hole_iou for _, base in pairs], seed=seed
    )
    return {"hole_iou": overlap.as_json(), **ratios}


def _groups(rows: Sequence[Row], key: Callable[[Row], str], seed: int) -> Summary:
    table = {}
    for name in sorted({key(row) for row in rows}):
        members = [row for row in rows if key(row) == name]
        table[name] = {
            "num": len(members),
            "restored": _mean([float(row.restored) for row in members], seed),
            "hole_iou": _mean([row.hole_iou for row in members], seed),
            "hole_psnr": _mean(_column(members, "found", "hole_psnr"), seed),
            "lpips": _mean(_column(members, "found", "lpips"), seed),
        }
    return table


def _column(rows: Sequence[Row], system: str, figure: str) -> list[float]:
    return [row.figures[system][figure] for row in rows]


def _mean(values: Sequence[float], seed: int) -> dict[str, float | int | None]:
    return mean_interval(values, seed=seed).as_json()


def _pair(
    compare: Callable[..., Interval], rows: Sequence[Row], system: str, figure: str, seed: int
) -> dict[str, float | int | None]:
    ours, theirs = _column(rows, system, figure), _column(rows, "telea", figure)
    return compare(ours, theirs, seed=seed).as_json()


def markdown(summary: Summary) -> str:
    """The summary as Markdown tables: holes, restored against truth, unseen against seen, kinds, sources."""
    parts = ["### Holes\n", _hole_table(summary["slices"])]
    for name, facts in summary["slices"].items():
        framing = "whole portrait, 256 px" if name == PORTRAIT else "aligned crop, 256 px"
        parts += [f"\n### Restored against truth: {name} ({framing}, {facts['num']} pictures)\n"]
        parts += [_figure_table(facts["figures"]), _against(facts["against_telea"])]
    if summary["relative"]:
        parts += ["\n### Unseen over seen (found holes, same faces; 1 = no change)\n"]
        parts += [_relative_table(summary["relative"])]
    for key, title in GROUPS.items():
        parts += [f"\n### By {title}\n", _group_table(summary[key])]
    return "\n".join(parts) + "\n"


def _cell(interval: dict[str, Any], places: int = 3) -> str:
    if interval["value"] is None:
        return "-"
    value, low, high = (interval[key] for key in ("value", "low", "high"))
    if low is None or high is None:
        return f"{value:.{places}f}"
    return f"{value:.{places}f} [{low:.{places}f}, {high:.{places}f}]"


def _places(figure: str) -> int:
    return 2 if figure.endswith("psnr") else 1 if figure.endswith("mse") else 3


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _hole_table(slices: Summary) -> str:
    keys = ("hole_iou", "hole_reached", "restored")
    body = [[name, str(facts["num"]), *(_cell(facts[key]) for key in keys)] for name, facts in slices.items()]
    return _table(["slice", "pictures", "hole IoU", "share of the true hole filled", "share restored"], body)


def _figure_table(figures: Summary) -> str:
    body = [
        [system, *(_cell(figures[system][figure], _places(figure)) for figure in FIGURES)] for system in figures
    ]
    return _table(["", *FIGURES.values()], body)


def _against(against: Summary) -> str:
    lines = []
    for system, facts in against.items():
        lines.append(
            f"\n{system} against Telea in the true hole: "
            f"PSNR in hole {_cell(facts['hole_psnr_difference'], 2)} dB, "
            f"LPIPS x {_cell(facts['lpips_ratio'])} (in hole x {_cell(facts['hole_lpips_ratio'])}), "
            f"SSIM {_cell(facts['ssim_difference'])}, identity {_cell(facts['identity_difference'])}."
        )
    return "\n".join(lines)


def _relative_table(relative: Summary) -> str:
    figures = list(next(iter(relative.values())))
    body = [[name, *(_cell(facts[figure]) for figure in figures)] for name, facts in relative.items()]
    heads = ["hole IoU" if figure == "hole_iou" else FIGURES[figure].removesuffix(", dB") for figure in figures]
    return _table(["slice", *heads], body)


def _group_table(groups: Summary) -> str:
    body = [
        [
            name,
            str(facts["num"]),
            _cell(facts["restored"], 2),
            _cell(facts["hole_iou"]),
            _cell(facts["hole_psnr"], 2),
            _cell(facts["lpips"]),
        ]
        for name, facts in groups.items()
    ]
    return _table(["", "pictures", "restored", "hole IoU", "PSNR in hole, dB", "LPIPS"], body)
