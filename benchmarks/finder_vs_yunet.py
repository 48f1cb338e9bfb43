"""Our finder against YuNet on real masked photographs, on small faces, and where nobody is.

Both look at the same pictures in turn, in one run, with the same number of threads. Real photographs
have no exact truth: docs/measured/real_masked_faces.csv lists the faces that people judged by looking
at every box that YuNet (three sizes, threshold 0.3) or RFB-640 proposed; `unclear` ones count for
nobody. Boxes that match no listed face count as false; --pages shows ours, to be judged as well.

python benchmarks/finder_vs_yunet.py --out docs/measured/finder_vs_yunet.json --pages runs/finder_vs_yunet
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

import _common
from _sheets import Sheet, around
from demask.coverings import draw
from demask.coverings.catalogue import KINDS
from demask.dataset.shards import FaceShards
from demask.dataset.split import split_of
from demask.faces.finder import Finder, FinderSettings
from demask.rng import rng_for
from demask.training.data.portraits import portrait_of
from demask.types import Face, ImageU8
from demask.weights.sessions import open_session

SAME_FACE = 0.35
"""Overlap from which a found box is a listed face; the lists' boxes come from several detectors."""

LOWEST_SCORE = 0.05
"""Both are asked down to here; what counts is cut at the threshold afterwards."""

Box = tuple[float, float, float, float]


class Truth(NamedTuple):
    """A picture and what is known about it."""

    name: str
    photo: ImageU8
    faces: list[Box]
    unclear: list[Box]
    points: list[Any]  # float32 [5, 2] per face, where known


@dataclass
class Tally:
    """What one detector did on one set."""

    faces: int = 0
    boxes: list[tuple[float, bool]] = field(default_factory=list)  # score, whether it is a listed face
    found: set[tuple[str, int]] = field(default_factory=set)
    pictures: int = 0
    pictures_found: int = 0  # with at least one listed face found
    milliseconds: list[float] = field(default_factory=list)
    point_errors: list[float] = field(default_factory=list)

    def false_at(self, threshold: float) -> int:
        """How many boxes at or above a score are no face."""
        return sum(not right and score >= threshold for score, right in self.boxes)

    def found_at(self, threshold: float) -> int:
        """How many faces are found at or above a score."""
        return sum(right and score >= threshold for score, right in self.boxes)

    def found_within(self, false: int) -> int:
        """How many faces are found at the lowest threshold with at most so many false boxes."""
        wrong = sorted((score for score, right in self.boxes if not right), reverse=True)
        above = wrong[false] if false < len(wrong) else -1.0
        return sum(right and score > above for score, right in self.boxes)


def main() -> None:
    """Run every set through every detector; report."""
    arguments = _arguments()
    _common.use_neighbouring_weights()
    threads = arguments.threads or 1
    cv2.setNumThreads(threads)
    weights: str | Path = arguments.finder or "finder"

    def ours(**settings: Any) -> Finder:
        session = open_session(weights, device="cpu", threads=threads)
        return Finder(session, FinderSettings(min_score=LOWEST_SCORE, **settings))

    detectors: dict[str, tuple[Callable[[ImageU8], list[Face]], float]] = {
        # As shipped: a second look at large photos, a margin around small ones.
        "finder": (ours(), arguments.threshold),
        # One look with the longest side at 320 and nothing else: exactly what YuNet gets.
        "finder, one look at 320": (ours(closeup_px=32, margin=0.0), arguments.threshold),
        "YuNet, one look at 320": (_common.YuNet(longest_px=320, threshold=LOWEST_SCORE), 0.6),
    }
    results: dict[str, Any] = {"threads": threads, "sets": {}}
    truths = {
        "real_masked": lambda: _listed(arguments, "real_masked"),
        "real_masked_scenes": lambda: _listed(arguments, "real_masked_scenes"),
        "small faces, 40 to 80 px": lambda: _small_faces(arguments),
        "backgrounds without people": lambda: _backgrounds(arguments, unseen=False),
        "of them, never trained on": lambda: _backgrounds(arguments, unseen=True),
    }
    for name, pictures in truths.items():
        print(name, file=sys.stderr)
        sheet = Sheet(arguments.pages, name.replace(" ", "_"), columns=8, rows=10, side_px=120)
        results["sets"][name] = _run(detectors, pictures(), sheet)
        sheet.close()
    _common.write_report(arguments.out, results, table=_table(results))


def _arguments() -> argparse.Namespace:
    parser = _common.parser(__doc__)
    parser.add_argument("--finder", type=Path, default=None, help="an .onnx file instead of the shipped one")
    parser.add_argument(
        "--threshold", type=float, default=FinderSettings().min_score, help="lowest score of ours"
    )
    parser.add_argument("--data", type=Path, default=Path("runs/faces"), help="shards of bare faces")
    parser.add_argument("--mosaics", type=int, default=100, help="pictures of eight small faces each")
    parser.add_argument("--limit", type=int, default=None, help="only the first so many of each set")
    parser.add_argument(
        "--pages", type=Path, required=True, metavar="FOLDER", help="where false boxes are shown"
    )
    arguments = parser.parse_args()
    _common.outside_repository(arguments.pages)
    return arguments


def _run(
    detectors: dict[str, tuple[Callable[[ImageU8], list[Face]], float]], truths: Iterator[Truth], sheet: Sheet
) -> dict[str, Any]:
    tallies = {name: Tally() for name in detectors}
    for number, truth in enumerate(truths):
        # In turn, and each one first as often as the others: caches and clocks favour nobody.
        names = list(detectors)
        first = number % len(names)
        for name in names[first:] + names[:first]:
            detect, threshold = detectors[name]
            if number == 0:
                detect(truth.photo)  # Warm.
            began = time.perf_counter()
            found = detect(truth.photo)
            tallies[name].milliseconds.append(1000 * (time.perf_counter() - began))
            false = _count(tallies[name], truth, found, threshold)
            if name == "finder":
                for face in false:
                    rows, columns = around(truth.photo, face.box)
                    sheet.add(f"{truth.name[:9]} {face.score:.2f}", [truth.photo[rows, columns]])
        _common.show_progress(number + 1, number + 1)
    return {name: _summary(tallies, name, detectors[name][1]) for name in detectors}


def _count(tally: Tally, truth: Truth, found: list[Face], threshold: float) -> list[Face]:
    """Match boxes to faces, best score first; return the false ones above the threshold."""
    tally.pictures += 1
    tally.faces += len(truth.faces)
    free = set(range(len(truth.faces)))
    false, any_found = [], False
    for face in sorted(found, key=lambda face: -face.score):
        best = max(free, key=lambda index: _common.overlap(face.box, truth.faces[index]), default=None)
        if best is not None and _common.overlap(face.box, truth.faces[best]) >= SAME_FACE:
            free.discard(best)
            tally.boxes.append((face.score, True))
            if face.score >= threshold:
                any_found = True
                tally.found.add((truth.name, best))
                if truth.points:
                    x0, y0, x1, y1 = truth.faces[best]
                    distance = np.linalg.norm(face.points - truth.points[best], axis=1).mean()
                    tally.point_errors.append(float(distance / np.sqrt((x1 - x0) * (y1 - y0))))
        elif not any(_common.overlap(face.box, box) >= 0.2 for box in truth.unclear):
            tally.boxes.append((face.score, False))
            if face.score >= threshold:
                false.append(face)
    tally.pictures_found += any_found
    return false


def _summary(tallies: dict[str, Tally], name: str, threshold: float) -> dict[str, Any]:
    tally, yunet = tallies[name], tallies["YuNet, one look at 320"]
    facts: dict[str, Any] = {
        "threshold": threshold,
        "pictures": tally.pictures,
        "faces": tally.faces,
        "found": tally.found_at(threshold),
        "false": tally.false_at(threshold),
        "false_per_100_pictures": round(100 * tally.false_at(threshold) / max(1, tally.pictures), 2),
        "ms": _common.spread(tally.milliseconds),
    }
    if tally.faces:
        facts |= {
            "pictures_with_a_face_found": tally.pictures_found,
            "found_by_it_alone": len(tally.found - yunet.found),
            "found_by_yunet_alone": len(yunet.found - tally.found),
            "found_at_yunets_false_count": tally.found_within(yunet.false_at(0.6)),
        }
    if tally.point_errors:
        facts["point_error_share_of_size"] = round(float(np.mean(tally.point_errors)), 4)
    return facts


def _listed(arguments: argparse.Namespace, folder: str) -> Iterator[Truth]:
    """Real photographs with the faces that were judged by eye."""
    listed: dict[str, list[tuple[Box, str]]] = {}
    with (_common.REPOSITORY / "docs/measured/real_masked_faces.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            box = (float(row["x0"]), float(row["y0"]), float(row["x1"]), float(row["y1"]))
            listed.setdefault(row["file"], []).append((box, row["kind"]))
    for path in _common.photos_in(_common.data_folder(folder))[: arguments.limit]:
        rows = listed.get(f"{folder}/{path.name}", [])
        faces, unclear = ([box for box, kind in rows if kind == wanted] for wanted in ("face", "unclear"))
        yield Truth(path.name, _common.pixels_of(path), faces, unclear, [])


def _small_faces(arguments: argparse.Namespace) -> Iterator[Truth]:
    """Pictures of 640 x 480 px with eight whole portraits, bare and covered in turn.

    The longer side of each face's box is 40 to 80 px. Portraits are of the test split, backgrounds
    never trained on; the coverings are of all kinds, also those held out.
    """
    shards = FaceShards(arguments.data, split="test")
    grounds = [truth.photo for truth in _backgrounds(arguments, unseen=True)]
    order = rng_for(0, "small faces", "order").permutation(len(shards))
    for number in range(min(arguments.mosaics, arguments.limit or arguments.mosaics)):
        rng = rng_for(0, "small faces", str(number))
        canvas = cv2.resize(grounds[number % len(grounds)], (640, 480), interpolation=cv2.INTER_LINEAR)
        faces, points = [], []
        for cell in range(8):
            portrait = portrait_of(shards[int(order[(8 * number + cell) % len(order)])])
            photo = portrait.photo
            if cell % 2:
                photo = draw(photo, portrait.landmarks, rng, kinds=tuple(KINDS)).masked
            scale = rng.uniform(40, 80) / (portrait.box.reshape(2, 2)[1] - portrait.box[:2]).max()
            height, width = (max(2, round(side * scale)) for side in photo.shape[:2])
            tile = cv2.resize(
                photo, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            )
            # Cells of 160 x 240 px; what does not fit is cut off, far from the face.
            left, top = 160 * (cell % 4), 240 * (cell // 4)
            width, height = min(width, 160), min(height, 240)
            x, y = left + int(rng.integers(0, 161 - width)), top + int(rng.integers(0, 241 - height))
            canvas[y : y + height, x : x + width] = tile[:height, :width]
            ratio = np.array([tile.shape[1] / photo.shape[1], tile.shape[0] / photo.shape[0]])
            box = ((portrait.box.reshape(2, 2) + 0.5) * ratio - 0.5 + (x, y)).reshape(4)
            faces.append((float(box[0]), float(box[1]), float(box[2]), float(box[3])))
            points.append((portrait.points + 0.5) * ratio - 0.5 + (x, y))
        yield Truth(f"mosaic {number}", np.asarray(canvas, np.uint8), faces, [], points)


def _backgrounds(arguments: argparse.Namespace, *, unseen: bool) -> Iterator[Truth]:
    """Pictures that hold neither people nor likenesses."""
    groups = _common.names_in(_common.REPOSITORY / "docs/measured/backgrounds_with_people.txt")
    left_out = {name for names in groups.values() for name in names}
    paths = [
        path for path in _common.photos_in(_common.data_folder("backgrounds")) if path.name not in left_out
    ]
    for path in [path for path in paths if not unseen or split_of(path.name) != "train"][: arguments.limit]:
        yield Truth(path.name, _common.pixels_of(path), [], [], [])


def _table(results: dict[str, Any]) -> str:
    lines = [
        "| set | detector | found | false | found at YuNet's false count | ms |",
        "|---|---|---|---|---|---|",
    ]
    for name, by_detector in results["sets"].items():
        for detector, facts in by_detector.items():
            found = f"{facts['found']} of {facts['faces']}" if facts["faces"] else "-"
            equal = facts.get("found_at_yunets_false_count", "-")
            false = f"{facts['false']} ({facts['false_per_100_pictures']} per 100 pictures)"
            lines.append(f"| {name} | {detector} | {found} | {false} | {equal} | {facts['ms']['median']} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
