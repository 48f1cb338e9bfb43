"""From scored pictures to what is printed and written: means, intervals, counts, JSON, CSV."""

from __future__ import annotations

import csv
import io
import json
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from demask.evaluation.bootstrap import Interval, mean_interval, paired_difference
from demask.evaluation.metrics.catalogue import heading_of, metric_of
from demask.evaluation.metrics.distributions import SetDistance
from demask.evaluation.pairs import Matched
from demask.evaluation.score import Row

_LIBRARIES = ("demask", "numpy", "opencv-python-headless", "onnxruntime", "Pillow")


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One figure over all pictures.

    Attributes:
        column: Its name.
        mean: Mean of the restored pictures with its interval; `num` says how many had a number.
        masked: The same of the masked inputs; None without them.
        difference: Restored minus masked on the same pictures; None without masked inputs.
        reasons: Why pictures have no number, each with how many.
    """

    column: str
    mean: Interval
    masked: Interval | None
    difference: Interval | None
    reasons: dict[str, int]

    @property
    def num_missing(self) -> int:
        """Pictures that were measured but have no such figure."""
        return sum(self.reasons.values())


def summarise(rows: Sequence[Row], columns: Sequence[str], *, seed: int = 0) -> list[Line]:
    """Mean and 95 % bootstrap interval of every column, over the pictures that have a number.

    A NaN never enters a mean; how many there were, and why, stands in the line.

    Args:
        rows: All pictures; failed ones count nowhere.
        columns: Which figures.
        seed: Of the bootstrap.
    """
    done = [row for row in rows if row.error is None]
    lines = []
    for column in columns:
        ours = [row.figures[column] for row in done]
        theirs = [row.masked.get(column, float("nan")) for row in done]
        compared = bool(np.isfinite(theirs).any())
        lines.append(
            Line(
                column=column,
                mean=mean_interval(ours, seed=seed),
                masked=mean_interval(theirs, seed=seed) if compared else None,
                difference=paired_difference(ours, theirs, seed=seed) if compared else None,
                reasons=dict(Counter(row.reasons[column] for row in done if column in row.reasons)),
            )
        )
    return lines


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that the figures rest on."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # Another build of the same library, such as plain opencv-python.
            found[name] = "not installed under this name"
    return found


def as_json(
    rows: Sequence[Row],
    lines: Sequence[Line],
    *,
    command: Sequence[str],
    sets: Mapping[str, Mapping[str, SetDistance]],
    feature_network: str | None,
    missing: Mapping[str, str],
    weights: Mapping[str, str],
    matched: Matched,
) -> bytes:
    """The whole report as JSON; numbers that do not exist are null.

    Args:
        rows: All pictures.
        lines: From `summarise`.
        command: The command line.
        sets: From `Scorer.set_distances`.
        feature_network: Name of the network behind `sets`.
        missing: Metrics that could not be taken and why.
        weights: The sha256 of the networks' files, by file name.
        matched: What was found in the folders.
    """
    report = {
        "command": list(command),
        "versions": versions(),
        "weights": dict(weights),
        "num_pictures": len(rows),
        "num_failed": sum(row.error is not None for row in rows),
        "summary": {line.column: _line(line) for line in lines},
        "sets": {
            name: {
                "heading": heading_of(name),
                "network": feature_network,
                **{side: _set(distance) for side, distance in sides.items()},
            }
            for name, sides in sets.items()
        },
        "not_taken": dict(missing),
        "only_restored": [str(path) for path in matched.only_restored],
        "only_truth": [str(path) for path in matched.only_truth],
        "no_hole": list(matched.no_hole),
        "no_masked": list(matched.no_masked),
        "pictures": [row_record(row) for row in rows],
    }
    # Pure ASCII: a file name may hold bytes that no encoding can print.
    return (json.dumps(report, indent=2, allow_nan=False) + "\n").encode()


def row_record(row: Row) -> dict[str, Any]:
    """One picture, ready for JSON."""
    return {
        "name": row.pair.name,
        "restored": str(row.pair.restored),
        "truth": str(row.pair.truth),
        "hole": _path(row.pair.hole),
        "masked": _path(row.pair.masked),
        "size": None if row.size is None else list(row.size),
        "error": row.error,
        "figures": {column: _number(value) for column, value in row.figures.items()},
        "masked_figures": {column: _number(value) for column, value in row.masked.items()},
        "reasons": row.reasons,
    }


def as_csv(rows: Sequence[Row], columns: Sequence[str]) -> bytes:
    """One line per picture; a number that does not exist is an empty field.

    Figures of masked inputs follow those of the restored pictures, with `masked_` before their names.
    """
    with_masked = any(row.masked for row in rows)
    floors = [column for column in columns if any(column in row.masked for row in rows)] if with_masked else []
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = ["name", "restored", "truth", "width", "height", "error"]
    writer.writerow([*head, *columns, *(f"masked_{column}" for column in floors)])
    for row in rows:
        width, height = row.size or ("", "")
        facts = [row.pair.name, row.pair.restored, row.pair.truth, width, height, row.error or ""]
        ours = [_field(row.figures.get(column)) for column in columns]
        writer.writerow([*facts, *ours, *(_field(row.masked.get(column)) for column in floors)])
    return text.getvalue().encode("utf-8", "surrogateescape")


def _line(line: Line) -> dict[str, Any]:
    record: dict[str, Any] = {
        "heading": heading_of(line.column),
        "better": metric_of(line.column).better,
        "mean": line.mean.as_json(),
        "num_missing": line.num_missing,
        "reasons": line.reasons,
    }
    if line.masked is not None and line.difference is not None:
        record |= {"masked": line.masked.as_json(), "difference": line.difference.as_json()}
    return record


def _set(distance: SetDistance) -> dict[str, Any]:
    return {
        "value": _number(distance.value),
        "num": list(distance.num),
        "num_left_out": distance.num_left_out,
        "num_dims": distance.num_dims,
        "few_pictures": distance.few,
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _field(value: float | None) -> str:
    return "" if value is None or not np.isfinite(value) else repr(float(value))


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path)
