"""Real masked photographs, where no truth exists: how many end as restored, and what is left of the masks.

    python benchmarks/real_photos.py --out docs/measured/real_photos.json --pages runs/real_photos

Contact sheets (before, found hole, after) go to `--pages`, which must be outside what git keeps.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

import _common
from _sheets import Sheet, around, overlaid
from demask.remover import Remover
from demask.results import Result
from demask.rng import rng_for
from demask.types import Face, ImageU8

SAME_FACE = 0.3
"""Boxes that overlap by this much (intersection over union) are one face."""


@dataclass(kw_only=True, slots=True)
class Outcome:
    """What became of one photo; lists hold one entry a restored face."""

    file: str
    clear: bool
    status: str
    width: int
    height: int
    total_ms: float
    timings_ms: dict[str, float]
    faces: list[dict[str, Any]] = field(default_factory=list)
    face_seen_by_yunet: list[bool] = field(default_factory=list)
    still_covered: list[bool] = field(default_factory=list)

    @property
    def restored(self) -> bool:
        """Whether anything was restored."""
        return self.status == "restored"

    @property
    def bare_again(self) -> bool:
        """Every restored face is a face to YuNet and bare to our own eyes."""
        return self.restored and all(self.face_seen_by_yunet) and not any(self.still_covered)


def main() -> None:
    """Run the main job over a folder; report, and lay out what eyes should see."""
    arguments = _arguments()
    _common.use_neighbouring_weights()
    remover = Remover(
        device="cpu",
        restorer=arguments.restorer,
        threads=arguments.threads,
        finder=_common.make_finder(arguments.finder),
    )
    yunet = _common.YuNet(longest_px=640, threshold=0.6)
    clear = set(_common.names_in(arguments.clear)[""])
    photos = _common.photos_in(arguments.data)[: arguments.limit]
    shown = _chosen([path.name for path in photos if path.name in clear], arguments.sheet)
    sheet = Sheet(arguments.pages, "restored", columns=2, rows=5, side_px=300)
    failed = Sheet(arguments.pages, "not-restored", columns=6, rows=5, side_px=240)
    outcomes = []
    for done, path in enumerate(photos, start=1):
        photo = _common.pixels_of(path)
        started = time.perf_counter()
        result = remover(path)
        total_ms = (time.perf_counter() - started) * 1000
        after = _common.pixels_of(BytesIO(result.photo))
        outcome = _outcome(path.name, path.name in clear, photo, after, result, total_ms, remover, yunet)
        outcomes.append(outcome)
        if path.name in shown:
            window = around(photo, _main_box(result, photo))
            sheet.add(
                f"{path.stem} {outcome.status}{' still covered' if any(outcome.still_covered) else ''}",
                [photo[window], overlaid(photo, result.hole)[window], after[window]],
            )
        if outcome.clear and not outcome.restored:
            failed.add(f"{path.stem} {outcome.status}", [photo])
        _common.show_progress(done, len(photos))
    sheet.close()
    failed.close()
    results = {
        "clear": _summary([outcome for outcome in outcomes if outcome.clear]),
        "all": _summary(outcomes),
        "on_sheet": sorted(shown),
        "per_photo": [_as_json(outcome) for outcome in outcomes],
    }
    settings = {"restorer": arguments.restorer, "finder": arguments.finder}
    _common.write_report(arguments.out, settings | results, table=_table(results))


def _arguments() -> argparse.Namespace:
    parser = _common.parser(__doc__)
    parser.add_argument("--data", type=Path, default=_common.data_folder("real_masked"), help="photographs")
    parser.add_argument(
        "--clear",
        type=Path,
        default=_common.REPOSITORY / "docs/measured/real_masked_clear.txt",
        help="names of the photographs that show one clear masked person",
    )
    parser.add_argument("--pages", type=Path, required=True, metavar="FOLDER", help="where contact sheets go")
    parser.add_argument("--sheet", type=int, default=100, help="photographs on the contact sheet")
    parser.add_argument("--restorer", default="network", help="network, telea, navier-stokes or an .onnx file")
    parser.add_argument("--finder", choices=("shipped", "yunet"), default="shipped")
    parser.add_argument("--limit", type=int, default=None, help="only the first so many")
    arguments = parser.parse_args()
    _common.outside_repository(arguments.pages)
    return arguments


def _chosen(names: list[str], count: int) -> set[str]:
    order = rng_for(0, "contact sheet", "real_masked").permutation(len(names))
    return {names[i] for i in order[:count]}


def _main_box(result: Result[bytes], photo: ImageU8) -> tuple[float, float, float, float]:
    """Box of the largest restored face, else of the largest face, else the whole photo."""
    restored = [face.face for face in result.faces if face.status == "restored"]
    faces = restored or [face.face for face in result.faces]
    if not faces:
        return (0.0, 0.0, float(photo.shape[1]), float(photo.shape[0]))
    return max(faces, key=lambda face: face.size_px).box


def _outcome(
    name: str,
    clear: bool,
    photo: ImageU8,
    after: ImageU8,
    result: Result[bytes],
    total_ms: float,
    remover: Remover,
    yunet: _common.YuNet,
) -> Outcome:
    outcome = Outcome(
        file=name,
        clear=clear,
        status=result.status,
        width=photo.shape[1],
        height=photo.shape[0],
        total_ms=total_ms,
        timings_ms=result.timings_ms,
        faces=[
            {
                "box": [round(value) for value in face.face.box],
                "score": round(face.face.score, 3),
                "status": face.status,
                "confidence": round(face.confidence, 3),
            }
            for face in result.faces
        ],
    )
    if outcome.restored:
        seen, again = yunet(after), remover.find(after)
        for face in result.faces:
            if face.status == "restored":
                outcome.face_seen_by_yunet.append(any(_same(face.face, other) for other in seen))
                outcome.still_covered.append(
                    any(other.covered is True and _same(face.face, other.face) for other in again.faces)
                )
    return outcome


def _same(one: Face, two: Face) -> bool:
    return _common.overlap(one.box, two.box) >= SAME_FACE


def _summary(outcomes: list[Outcome]) -> dict[str, Any]:
    restored = [outcome for outcome in outcomes if outcome.restored]
    stages = sorted({stage for outcome in outcomes for stage in outcome.timings_ms})
    return {
        "num": len(outcomes),
        "statuses": dict(Counter(outcome.status for outcome in outcomes)),
        "restored": _common.fraction([outcome.restored for outcome in outcomes]),
        "of_restored": {
            "face_seen_by_yunet": _common.fraction([all(outcome.face_seen_by_yunet) for outcome in restored]),
            "no_covering_left": _common.fraction([not any(outcome.still_covered) for outcome in restored]),
            "bare_again": _common.fraction([outcome.bare_again for outcome in restored]),
        },
        "not_restored": [outcome.file for outcome in outcomes if not outcome.restored],
        "still_covered": [outcome.file for outcome in restored if any(outcome.still_covered)],
        "total_ms": _common.spread([outcome.total_ms for outcome in outcomes]) if outcomes else None,
        "stage_ms": {
            stage: round(float(np.median([outcome.timings_ms.get(stage, 0.0) for outcome in restored])), 2)
            for stage in stages
            if restored
        },
    }


def _as_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "file": outcome.file,
        "clear": outcome.clear,
        "status": outcome.status,
        "size": [outcome.width, outcome.height],
        "total_ms": round(outcome.total_ms, 1),
        "faces": outcome.faces,
        "face_seen_by_yunet": outcome.face_seen_by_yunet,
        "still_covered": outcome.still_covered,
    }


def _table(results: dict[str, Any]) -> str:
    lines = ["| | one clear masked person | all photographs |", "| --- | --- | --- |"]

    def line(title: str, *keys: str) -> None:
        cells = []
        for group in ("clear", "all"):
            facts = results[group]
            for key in keys:
                facts = facts[key]
            cells.append(_common.percent(facts))
        lines.append(f"| {title} | {cells[0]} | {cells[1]} |")

    line("end as restored", "restored")
    line("of these: YuNet sees a face at each restored place", "of_restored", "face_seen_by_yunet")
    line("of these: our own segmenter finds no covering any more", "of_restored", "no_covering_left")
    line("of these: both", "of_restored", "bare_again")
    times = [results[group]["total_ms"] for group in ("clear", "all")]
    cells = [f"{t['median']:.0f} ms (p10 {t['p10']:.0f}, p90 {t['p90']:.0f})" if t else "-" for t in times]
    lines.append(f"| decode to encode, median | {cells[0]} | {cells[1]} |")
    names = " ".join(results["clear"]["not_restored"]) or "none"
    lines.append(f"\nNot restored, of those with one clear masked person: {names}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
