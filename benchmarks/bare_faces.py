"""What must be left alone: bare faces that are touched, and faces found where nobody is.

python benchmarks/bare_faces.py --data runs/faces --out docs/measured/bare_faces.json --pages runs/bare_faces
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

import _common
from _sheets import Sheet, overlaid
from demask.dataset.shards import FaceShards
from demask.evaluation.bootstrap import mean_interval
from demask.remover import Remover


def main() -> None:
    """Look at both kinds of picture; report, and lay out every mistake."""
    arguments = _arguments()
    _common.use_neighbouring_weights()
    remover = Remover(
        device="cpu",
        restorer="telea",  # Nothing is restored here: finding is all that is asked.
        threads=arguments.threads,
        finder=_common.make_finder(arguments.finder),
    )
    results: dict[str, Any] = {
        "finder": arguments.finder,
        "bare": _bare(remover, arguments),
        "backgrounds": _backgrounds(remover, arguments),
    }
    _common.write_report(arguments.out, results, table=_table(results))


def _arguments() -> argparse.Namespace:
    parser = _common.parser(__doc__)
    parser.add_argument("--data", type=Path, default=Path("runs/faces"), help="shards of bare faces")
    parser.add_argument("--split", default="val", help="which split of them")
    parser.add_argument(
        "--backgrounds", type=Path, default=_common.data_folder("backgrounds"), help="pictures without faces"
    )
    parser.add_argument(
        "--people",
        type=Path,
        default=_common.REPOSITORY / "docs/measured/backgrounds_with_people.txt",
        help="names of the backgrounds that hold people or likenesses after all",
    )
    parser.add_argument("--pages", type=Path, required=True, metavar="FOLDER", help="where mistakes are shown")
    parser.add_argument("--finder", choices=("shipped", "yunet"), default="shipped")
    parser.add_argument("--limit", type=int, default=None, help="only the first so many of each")
    arguments = parser.parse_args()
    _common.outside_repository(arguments.pages)
    return arguments


def _bare(remover: Remover, arguments: argparse.Namespace) -> dict[str, Any]:
    """Whole photographs of bare faces: is any face taken for covered?"""
    shards = FaceShards(arguments.data, split=arguments.split)
    sheet = Sheet(arguments.pages, "touched", columns=4, rows=5, side_px=200)
    total = len(shards) if arguments.limit is None else min(arguments.limit, len(shards))
    rows = []
    for i in range(total):
        record = shards[i]
        found = remover.find(record.photo)
        touched = any(face.covered is True for face in found.faces)
        rows.append((record.source, touched, bool(found.faces), record.face_id))
        if touched:
            sheet.add(record.face_id[:46], [record.photo, overlaid(record.photo, found.hole)])
        _common.show_progress(i + 1, total)
    sheet.close()
    sources = sorted({source for source, *_ in rows})
    return {
        "split": arguments.split,
        "num": len(rows),
        "touched": _common.fraction([touched for _, touched, *_ in rows]),
        "found": _common.fraction([found for _, _, found, _ in rows]),
        "by_source": {
            source: _common.fraction([touched for name, touched, *_ in rows if name == source])
            for source in sources
        },
        "touched_ids": [face_id for _, touched, _, face_id in rows if touched],
    }


def _backgrounds(remover: Remover, arguments: argparse.Namespace) -> dict[str, Any]:
    """Photographs without people: every face found is false."""
    listed = _common.names_in(arguments.people)
    people, likenesses = set(listed["people"]), set(listed["likenesses"])
    photos = [path for path in _common.photos_in(arguments.backgrounds) if path.name not in people]
    photos = photos[: arguments.limit]
    sheet = Sheet(arguments.pages, "false-faces", columns=5, rows=5, side_px=260)
    counts: dict[str, int] = {}
    touched: list[str] = []
    for done, path in enumerate(photos, start=1):
        photo = _common.pixels_of(path)
        found = remover.find(photo)
        counts[path.name] = len(found.faces)
        if found.hole is not None:
            touched.append(path.name)
        if found.faces:
            scores = " ".join(f"{face.face.score:.2f}" for face in found.faces)
            sheet.add(f"{path.stem} {scores}", [_with_boxes(photo, found.faces)])
        _common.show_progress(done, len(photos))
    sheet.close()
    nobody = [count for name, count in counts.items() if name not in likenesses]
    return {
        "num_left_out_for_people": len(people),
        "nobody": {
            "num": len(nobody),
            "false_faces": sum(nobody),
            "false_faces_per_100": mean_interval([100.0 * count for count in nobody]).as_json(),
            "touched": [name for name in touched if name not in likenesses],
        },
        "likenesses": {
            "num": len(counts) - len(nobody),
            "faces": sum(count for name, count in counts.items() if name in likenesses),
            "touched": [name for name in touched if name in likenesses],
        },
        "where": dict(Counter({name: count for name, count in counts.items() if count})),
    }


def _with_boxes(photo: Any, faces: Any) -> Any:
    import cv2

    shown = photo.copy()
    for face in faces:
        x0, y0, x1, y1 = (round(value) for value in face.face.box)
        cv2.rectangle(shown, (x0, y0), (x1, y1), (255, 40, 40), 2)
    return shown


def _table(results: dict[str, Any]) -> str:
    bare, nobody = results["bare"], results["backgrounds"]["nobody"]
    likenesses = results["backgrounds"]["likenesses"]
    rate = nobody["false_faces_per_100"]
    lines = [
        "| | measured | goal |",
        "| --- | --- | --- |",
        f"| bare faces touched ({bare['split']}, whole photos) | {_common.percent(bare['touched'])} "
        "| at most 3 % |",
        f"| the same faces found | {_common.percent(bare['found'])} | |",
        *(f"| touched, {source} | {_common.percent(facts)} | |" for source, facts in bare["by_source"].items()),
        f"| false faces per 100 pictures without people ({nobody['num']}) | {rate['value']:.2f} "
        f"[{rate['low']:.2f}, {rate['high']:.2f}] | at most 2 |",
        f"| of these pictures touched | {len(nobody['touched'])} | |",
        f"| faces in {likenesses['num']} pictures of statues, carvings, dolls | {likenesses['faces']} | |",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
