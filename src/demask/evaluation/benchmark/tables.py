"""The figures of a benchmark as Markdown and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from demask.dataset.frozen_set import PORTRAIT
from demask.evaluation.benchmark.judge import FIGURES
from demask.evaluation.benchmark.plan import HoleSetting, Plan
from demask.evaluation.benchmark.summary import BASE_SLICE, GROUP_FIGURES, GROUPS, Summary
from demask.evaluation.metrics.catalogue import heading_of, metric_of

Record = dict[str, Any]

HOLE_TITLES: Mapping[HoleSetting, str] = {
    "oracle": "true hole",
    "found": "found hole",
    "whole": "whole answer, nothing pasted",
}
INVENTED = "The restored faces are invented; they are nobody's, and not those of the people in the photographs."
VERDICTS = {"better": "won", "worse": "lost", "open": "open", "same": "same", "none": "-"}


def markdown(plan: Plan, summary: Summary) -> str:
    """Every table, without any timing: the same results give the same bytes."""
    base = plan.config.base_name
    parts = ["\n".join(about_lines(plan)), "\n## Systems\n", _systems(plan)]
    for hole, slices in summary["slices"].items():
        parts.append(f"\n## {HOLE_TITLES[hole].capitalize()}\n")
        if hole == "found":
            parts += ["### Holes found\n", _holes(slices)]
        for name, systems in slices.items():
            parts += [f"\n### {HOLE_TITLES[hole]}: {slice_title(name)}\n", _means(systems)]
            common = summary["common"][hole][name]
            if common and common["num"]:
                parts.append(f"\nThe {common['num']} pictures that every system has:\n")
                parts.append(_common(common))
            if len(systems) > 1:
                parts += [f"\nMinus {base}, on the same pictures:\n", _differences(systems, base)]
        for trait, groups in summary["groups"][hole].items():
            if groups:
                parts.append(f"\n### {HOLE_TITLES[hole]}, by {group_title(trait)}\n")
                parts += [f"\n{heading_of(figure)}\n\n{_group(groups, figure)}" for figure in GROUP_FIGURES]
    if len(plan.jobs) > 1:
        parts += [f"\n## What {base} wins and what it loses\n", wins_note(base), ""]
        parts.append(_wins(summary, base))
    parts += ["\n## Failures\n", _failures(summary)]
    return "\n".join(parts) + "\n"


def about_lines(plan: Plan) -> list[str]:
    """What was measured, in sentences."""
    config = plan.config
    slices = ", ".join(f"{name} {count}" for name, count in plan.info["slices"].items())
    lines = [
        f"Frozen set {plan.info['sha256'][:12]} ({slices}). Means over pictures with 95 % bootstrap intervals "
        f"[low, high]; seed {config.seed}.",
        " ".join(_HOLES_SAID[hole] for hole in config.holes),
        INVENTED,
    ]
    if config.limit is not None:
        lines.append(f"Only the first {config.limit} pictures of each slice were used.")
    if config.subset:
        counts = sorted(set(config.subset.values()), reverse=True)
        systems = {n: ", ".join(name for name, count in config.subset.items() if count == n) for n in counts}
        ran = "; ".join(f"{names} ran on at most {count} pictures a slice" for count, names in systems.items())
        lines.append(
            f"Fixed subsets, drawn by the seed: {ran}. Their means are over those. The paired differences are "
            "over the same pictures for both sides."
        )
    return lines


_HOLES_SAID: Mapping[HoleSetting, str] = {
    "oracle": "True hole: every restorer is given the pixels that the covering changed, and what it draws "
    "there is judged as it is; this compares restorers.",
    "found": "Found hole: the hole network finds it (and in portraits the finder the face), and the filling is "
    "pasted with its tone and grain matched, the same for every restorer; this is what a user gets.",
    "whole": "Whole answer: what the restorer makes of the crop is judged as it is, nothing pasted.",
}


def slice_title(name: str) -> str:
    """A slice as people read it."""
    return name.replace("_", " ") + (" (whole portraits)" if name == PORTRAIT else "")


def group_title(trait: str) -> str:
    """A trait and where it was looked at."""
    return f"{GROUPS[trait][0]} ({'all crops' if trait == 'kind' else f'slice {BASE_SLICE}'})"


def wins_note(base: str) -> str:
    """How to read the table of wins and losses."""
    return (
        f"won, lost: the interval of the paired difference leaves no doubt that {base} is the better or the "
        f"worse; open: it holds 0. Per cent: pictures on which {base} is better."
    )


def cell(interval: Mapping[str, Any], figure: str) -> str:
    """A mean and its interval."""
    if interval["value"] is None:
        return "-"
    places = metric_of(figure).places
    value, low, high = (f"{interval[key]:.{places}f}" for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def share(interval: Mapping[str, Any]) -> str:
    """A share with its interval."""
    if interval["value"] is None:
        return "-"
    return f"{interval['value']:.3f} [{interval['low']:.3f}, {interval['high']:.3f}]"


def won(against: Mapping[str, Any]) -> str:
    """Of the base over another system, from that system's `against_base`."""
    verdict = {"better": "worse", "worse": "better"}.get(against["verdict"], against["verdict"])
    if against["worse_on"] is None:
        return "-"
    return f"{VERDICTS[verdict]} ({100 * against['worse_on']:.0f} %)"


def results_csv(plan: Plan, records: Mapping[str, Record]) -> str:
    """One line per result, unrounded; no timing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    traits, holes = list(GROUPS), ["restored", "hole_iou", "hole_reached"]
    writer.writerow(["system", "hole", "slice", "face_id", "error", *traits, *holes, *FIGURES])
    for system, jobs in plan.jobs.items():
        for job in jobs:
            record = records[job.key]
            line = [system, job.hole, job.slice, job.face_id, record["error"] or ""]
            if record["error"] is None:
                line += [record["traits"][trait] for trait in traits]
                line += [_plain(record[name]) for name in holes]
                line += [_plain(record["figures"][figure]) for figure in FIGURES]
            writer.writerow(line + [""] * (5 + len(traits) + len(holes) + len(FIGURES) - len(line)))
    return text.getvalue()


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _systems(plan: Plan) -> str:
    body = []
    for system in plan.config.systems:
        taken = ", ".join(f"{name} {count}" for name, count in plan.taken(system.name).items())
        body.append([system.name, system.version, taken, system.paper])
    return table(["system", "version", "pictures", "source"], body)


def _holes(slices: Summary) -> str:
    """The hole does not depend on the restorer, so the system with the most pictures speaks for all."""
    body = []
    for name, systems in slices.items():
        facts = max(systems.values(), key=lambda facts: facts["num"])
        keys = ("hole_iou", "hole_reached", "restored")
        body.append([name, str(facts["num"]), *(share(facts[key]) for key in keys)])
    return table(["slice", "pictures", "hole IoU", "share of the true hole filled", "share restored"], body)


def _means(systems: Summary) -> str:
    body = [
        [
            system,
            str(facts["num"]),
            str(facts["num_failed"]),
            *(cell(facts["mean"][figure], figure) for figure in FIGURES),
        ]
        for system, facts in systems.items()
    ]
    return table(["", "pictures", "failed", *map(_head, FIGURES)], body)


def _common(common: Summary) -> str:
    body = [
        [system, *(cell(mean[figure], figure) for figure in FIGURES)] for system, mean in common["mean"].items()
    ]
    return table(["", *map(_head, FIGURES)], body)


def _differences(systems: Summary, base: str) -> str:
    body = [
        [
            system,
            str(facts["against_base"]["psnr"]["num"]),
            *(cell(facts["against_base"][figure], figure) for figure in FIGURES),
        ]
        for system, facts in systems.items()
        if system != base
    ]
    return table(["", "pairs", *map(heading_of, FIGURES)], body)


def _group(groups: Summary, figure: str) -> str:
    systems = list(dict.fromkeys(system for facts in groups.values() for system in facts))
    head = [
        "",
        *(f"{value} ({max(facts['num'] for facts in some.values())})" for value, some in groups.items()),
    ]
    body = [
        [system, *(cell(some[system][figure], figure) if system in some else "-" for some in groups.values())]
        for system in systems
    ]
    return table(head, body)


def _wins(summary: Summary, base: str) -> str:
    body = [
        [hole, name, system, *(won(facts["against_base"][figure]) for figure in FIGURES)]
        for hole, slices in summary["slices"].items()
        for name, systems in slices.items()
        for system, facts in systems.items()
        if system != base
    ]
    return table(["hole", "slice", "against", *map(heading_of, FIGURES)], body)


def _failures(summary: Summary) -> str:
    if not summary["failures"]:
        return "None."
    head = ["system", "hole", "slice", "face_id", "error"]
    return table(
        head, [[failure[name].replace("|", "\\|") for name in head] for failure in summary["failures"]]
    )


def _head(figure: str) -> str:
    arrow = "↑" if metric_of(figure).better == "higher" else "↓"
    return f"{heading_of(figure)} {arrow}"


def _plain(value: float | bool | None) -> str:
    return "" if value is None else str(int(value)) if isinstance(value, bool) else repr(float(value))
