"""The figures that `demask score` knows: their names, headings, sources and which way is better."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from demask.errors import UsageError


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One figure.

    Attributes:
        heading: What tables call it, with its unit.
        better: Which way is better.
        places: Decimals worth printing.
        in_hole: Whether it is also taken in the hole, under `hole_` and its name.
        of_set: Whether it is one figure of all pictures together instead of one per picture.
        usual: Whether it is taken when nothing is asked for.
    """

    heading: str
    better: Literal["higher", "lower"]
    places: int = 3
    in_hole: bool = False
    of_set: bool = False
    usual: bool = True


METRICS: Mapping[str, Metric] = {
    "mse": Metric(heading="MSE", better="lower", places=1, in_hole=True),
    "psnr": Metric(heading="PSNR, dB", better="higher", places=2, in_hole=True),
    "ssim": Metric(heading="SSIM", better="higher", places=4, in_hole=True),
    "ms_ssim": Metric(heading="MS-SSIM", better="higher", places=4, in_hole=True),
    "lpips": Metric(heading="LPIPS (SqueezeNet)", better="lower", places=4, in_hole=True),
    "lpips_alex": Metric(heading="LPIPS (AlexNet)", better="lower", places=4, in_hole=True, usual=False),
    "lpips_vgg": Metric(heading="LPIPS (VGG-16)", better="lower", places=4, in_hole=True, usual=False),
    "identity": Metric(heading="identity, cosine", better="higher"),
    "landmarks": Metric(heading="landmark error, eye distances", better="lower", places=4),
    "expression": Metric(heading="same expression, fraction", better="higher", usual=False),
    "fid": Metric(heading="FID", better="lower", of_set=True, usual=False),
    "kid": Metric(heading="KID", better="lower", of_set=True, usual=False),
}
"""By the name that `--metrics` takes."""

CHANGED_OUTSIDE = "changed_outside"
"""Fraction of the pixels outside the hole that differ from the masked input; of a `Scorer` with both."""


def parse_metrics(text: str | None) -> tuple[list[str], bool]:
    """Read `psnr,ssim`, `all` or None.

    Returns:
        The names in the order of `METRICS`, and whether the user asked for them by name.

    Raises:
        UsageError: A name is unknown; the message gives the nearest one.
    """
    if text is None:
        return [name for name, metric in METRICS.items() if metric.usual], False
    if text == "all":
        return list(METRICS), False
    asked = [name.strip().replace("-", "_") for name in text.split(",") if name.strip()]
    for name in asked:
        if name not in METRICS:
            near = difflib.get_close_matches(name, METRICS, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise UsageError(f"--metrics knows no {name!r}; {hint}it knows {', '.join(METRICS)} and all")
    if not asked:
        raise UsageError(f"--metrics names none; it knows {', '.join(METRICS)} and all")
    return [name for name in METRICS if name in asked], True


def columns(metrics: Sequence[str], *, holes: bool) -> list[str]:
    """Names of the figures that every picture gets, whole pictures first, then holes."""
    single = [name for name in metrics if not METRICS[name].of_set]
    in_hole = [f"hole_{name}" for name in single if METRICS[name].in_hole] if holes else []
    return single + in_hole


def metric_of(column: str) -> Metric:
    """The metric behind the name of a column."""
    if column == CHANGED_OUTSIDE:
        return Metric(heading="changed outside hole, fraction", better="lower", places=5)
    return METRICS[column.removeprefix("hole_")]


def heading_of(column: str) -> str:
    """What tables call a column."""
    metric = metric_of(column)
    if not column.startswith("hole_"):
        return metric.heading
    name, comma, unit = metric.heading.partition(", ")
    return f"{name} in hole{comma}{unit}"
