"""A model card: what a run's weights are, what they may not be used for, and where they come from."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

from demask.dataset.shards import FaceShards
from demask.errors import DatasetError


def model_card(
    name: str,
    recipe: Any,
    *,
    does: str,
    invents: bool,
    run: Path,
    num_steps: int,
    parameters: int,
    blend: tuple[Path, float] | None = None,
) -> str:
    """Describe a run: what it is, what it may not be used for, data, recipe, figures, limits; Markdown.

    Args:
        name: The task's name.
        recipe: The run's `Recipe`.
        does: What the network does, as in "A network that ...".
        invents: Whether it draws faces.
        run: The run's folder, whose `metrics.jsonl` holds the figures.
        num_steps: Steps that the weights have seen.
        parameters: How many numbers the network holds.
        blend: The file whose weights were mixed in, and their fraction.
    """
    task, trainer = dataclasses.asdict(recipe.task), dataclasses.asdict(recipe.trainer)
    lines = [f"# Model card: {name}", "", f"A network of {parameters:,} parameters that {does}.", ""]
    lines += ["## What it must not be used for", ""]
    if invents:
        lines += ["The face it draws is **invented** from the visible part. It is not the person's.", ""]
    lines += [
        "Never to identify or track anyone, and never as evidence of what a person looks like.",
        "The rights of the training photographs below bind the weights too.",
        "",
        "## Data",
        "",
        *_data(Path(task["faces"]["data"] if "faces" in task else task["data"])),
        "",
        "## Recipe",
        "",
        f"{num_steps:,} of {trainer['steps']:,} steps of {recipe.task.batch_size} pictures, "
        f"{_computed_in(run, trainer['precision'])}, averaged over steps with decay {trainer['ema_decay']:g}.",
        *_blended(blend),
        "",
        "```json",
        json.dumps({"task": task, "trainer": trainer}, indent=2, default=_plain),
        "```",
        "",
        "## Figures on validation faces",
        "",
        *_figures(run, num_steps),
        "",
        "## Limits",
        "",
        "Coverings were drawn on photographs, not worn. Heads turned far, faces cut by the edge of the photo "
        "and kinds of people rare in the data come out worse. Measure on your own pictures first.",
    ]
    return "\n".join(lines) + "\n"


def _computed_in(run: Path, asked: str) -> str:
    """The precision that the run's log names; what was asked for, where an older version wrote none."""
    path = run / "config.json"
    saved = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return str(saved.get("computed", {}).get("precision", asked))


def _blended(blend: tuple[Path, float] | None) -> list[str]:
    if blend is None:
        return []
    path, fraction = blend
    return [f"Then blended with `{path.name}`, which counts {fraction:.0%}; the figures below are from before."]


def _data(folder: Path) -> list[str]:
    """A table of sources, faces and licences in the training split."""
    try:
        entries = FaceShards(folder, split="train").entries
    except DatasetError:
        return [f"The data set `{folder.name}`, which was not at hand when this card was written."]
    rows: dict[tuple[str, str], int] = {}
    for entry in entries:
        rows[entry.source, entry.licence] = rows.get((entry.source, entry.licence), 0) + 1
    table = ["| source | faces trained on | rights, as the publisher states them |", "| --- | --- | --- |"]
    return table + [
        f"| {source} | {count:,} | {licence} |" for (source, licence), count in sorted(rows.items())
    ]


def _figures(run: Path, num_steps: int) -> list[str]:
    """The last validation at or before these steps."""
    last: dict[str, Any] = {}
    path = run / "metrics.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        facts = json.loads(line)
        if facts["group"] == "val" and facts["step"] <= num_steps:
            last = facts
    if not last:
        return ["None were measured."]
    names = [key for key in last if key not in ("step", "time", "group")]
    rows = [f"| {key} | {last[key]:.4g} |" for key in names if not math.isnan(last[key])]
    return [f"After {last['step']:,} steps:", "", "| figure | value |", "| --- | --- |", *rows]


def _plain(value: object) -> str:
    """Paths by their last name only: a card says nothing of the machine that trained."""
    return value.name if isinstance(value, Path) else str(value)
