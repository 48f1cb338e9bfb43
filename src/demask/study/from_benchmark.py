"""Folders for `demask study new` from a benchmark: its kept pictures, the truth and the masked photographs."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demask.atomic import write_atomic
from demask.dataset.frozen_set import read_info, read_manifest, read_picture
from demask.dataset.manifest import labels_in
from demask.errors import InputError, OutputExists, UsageError
from demask.evaluation.benchmark.restorer_worker import WEBP_QUALITY
from demask.study.assign import Assignment
from demask.study.blocks import EXPRESSIONS
from demask.study.plan import Plan
from demask.study.trials import FaceLabel
from demask.types import ImageU8

MEASURED, PICTURES = "measured.jsonl", "pictures"
STAGE = 128
"""The grey on which the study's page shows pictures."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Folders:
    """What was made.

    Attributes:
        systems: Name to folder.
        truth: The bare faces.
        masked: The same with their face mask.
        labels: CSV of identities, and of expressions where they are known.
        num_faces: Faces that all systems restored.
        left_out: Faces that some system did not.
    """

    systems: Mapping[str, Path]
    truth: Path
    masked: Path
    labels: Path
    num_faces: int
    left_out: int


def make_folders(
    benchmark: Path,
    data: Path,
    out: Path,
    systems: Sequence[str],
    *,
    rename: Mapping[str, str] | None = None,
    slice_name: str | None = None,
    plan: Plan | None = None,
) -> Folders:
    """Write a folder of pictures for each system, for `truth` and `masked`, and labels.csv.

    The benchmark keeps its answers as WebP; truth and masked photographs go through the same, so that what the
    compression leaves tells nobody which is which. Only faces that every system restored are taken. What lies
    outside the photograph that a face was cut from is grey like the page around it, in all conditions.

    Args:
        benchmark: Folder of `demask benchmark`, with its pictures.
        data: The frozen set that it measured.
        out: Folder to make.
        systems: Of the benchmark.
        rename: What a system is called in the study; default: as there.
        slice_name: Take only this slice of the set.
        plan: Refuse what this plan cannot be made of, before a picture is written.

    Raises:
        OutputExists: `out` is there.
        ConfigError: There are not enough faces, or labels, for the plan.
        InputError: The folder holds no benchmark with pictures, or no face that all systems restored.
        UsageError: The benchmark has no such system, or the plan has one that is not named.
    """
    if out.exists():
        raise OutputExists(f"{out} exists; name a new folder")
    keys = _kept(benchmark, data)
    known = sorted({system for system, *_ in keys})
    for system in systems:
        if system not in known:
            raise UsageError(f"the benchmark has no system {system!r}; it has {', '.join(known)}")
    rows = read_manifest(data)
    by_system: dict[str, dict[tuple[str, str], Path]] = {}
    for (system, place, face), path in keys.items():
        if slice_name in (None, place):
            by_system.setdefault(system, {})[place, face] = path
    places = [set(by_system.get(system, {})) for system in systems]
    common = sorted(set.intersection(*places)) if places else []
    if not common:
        raise InputError(f"{benchmark} keeps no picture of a face that all of {', '.join(systems)} restored")
    # A face may lie in several slices under several coverings; a study shows it once.
    chosen: dict[str, tuple[str, str]] = {}
    for place, face in common:
        chosen.setdefault(face, (place, face))
    index = {(row["slice"], row["face_id"]): row for row in rows}
    names = {system: (rename or {}).get(system, system) for system in systems}
    labels = {face: _label(index[key]) for face, key in chosen.items()}
    if plan is not None:
        _check(plan, list(names.values()), labels)
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        for name in (*names.values(), "truth", "masked"):
            (part / name).mkdir(parents=True)
        for face, key in sorted(chosen.items()):
            picture = read_picture(data, index[key])
            shown = {name: _read(by_system[system][key]) for system, name in names.items()}
            for name, pixels in (("truth", picture.face), ("masked", picture.masked)):
                shown[name] = _read(io.BytesIO(_as_kept(pixels)))
            for name, pixels in shown.items():
                pixels[~picture.valid] = STAGE
                _save(pixels, part / name / f"{face}.png")
        _write_labels(part / "labels.csv", labels)
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Folders(
        systems={name: out / name for name in names.values()},
        truth=out / "truth",
        masked=out / "masked",
        labels=out / "labels.csv",
        num_faces=len(chosen),
        left_out=len(set.union(*places) - set(common)),
    )


def _label(row: Mapping[str, Any]) -> FaceLabel:
    """What the set's source says of a face, as far as a study can use it."""
    known = labels_in(row)
    expression = known.get("expression", "")
    return FaceLabel(
        identity=known.get("identity", ""), expression=expression if expression in EXPRESSIONS else ""
    )


def _check(plan: Plan, systems: Sequence[str], labels: Mapping[str, FaceLabel]) -> None:
    missing = [system for system in plan.systems if system not in systems]
    if missing:
        raise UsageError(
            f"the plan compares {', '.join(plan.systems)} but {', '.join(missing)} is not named; say which of "
            f"the benchmark's systems it is: --system NAME={missing[0]}"
        )
    Assignment(plan, labels)


def _kept(benchmark: Path, data: Path) -> dict[tuple[str, str, str], Path]:
    """(system, slice, face) to its kept picture."""
    try:
        measured = json.loads((benchmark / "results.json").read_text(encoding="utf-8"))["frozen_set"]["sha256"]
        lines = (benchmark / MEASURED).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{benchmark} holds no benchmark ({error}); name the -o of `demask benchmark`"
        ) from error
    if read_info(data)["sha256"] != measured:
        raise InputError(f"{benchmark} measured another set than {data}; name the one of its results.json")
    found = {}
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue  # A line that a kill cut short.
        path = benchmark / PICTURES / f"{record['key']}.webp"
        if record["error"] is None and path.is_file():  # Kept in one of the settings.
            found[record["system"], record["slice"], record["face_id"]] = path
    return found


def _as_kept(pixels: ImageU8) -> bytes:
    """As the benchmark keeps its answers."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="WEBP", quality=WEBP_QUALITY)
    return buffer.getvalue()


def _read(file: Path | io.BytesIO) -> ImageU8:
    import numpy as np
    from PIL import Image

    with Image.open(file) as image:
        return np.array(image.convert("RGB"))


def _save(pixels: ImageU8, path: Path) -> None:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    write_atomic(path, buffer.getvalue(), overwrite=True)


def _write_labels(path: Path, labels: Mapping[str, FaceLabel]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("face", "identity", "expression"))
        writer.writerows((face, label.identity, label.expression) for face, label in sorted(labels.items()))
