"""Error of the shipped landmark network against its teacher, FaceMesh, on test faces it never saw.

Bare faces as photographed, by how far the head is turned; the same heads turned further by
`coverings/head.py`, whose labels are the teacher's moved along; and covered ones, where only the
teacher saw the face. Beside it the linear guess from five points that a covering was fitted by before.

python benchmarks/landmarks.py --data runs/faces --out docs/measured/landmarks.json
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

import _common
from demask import geometry
from demask.coverings import draw
from demask.coverings.head import Turn
from demask.dataset.record import FaceRecord
from demask.dataset.shards import FaceShards
from demask.evaluation.bootstrap import mean_interval
from demask.evaluation.traits import head_turn
from demask.faces.landmarks import landmarks_from_points
from demask.geometry import EYE_DISTANCE_PX
from demask.rng import rng_for
from demask.types import ImageU8, Landmarks
from demask.weights.sessions import open_session

YAWS_DEG = (15.0, 30.0, 45.0)


def main() -> None:
    """Measure, then write the report."""
    parser = _common.parser(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of `demask dataset build`")
    parser.add_argument("--split", default="test")
    parser.add_argument("--limit", type=int, default=None)
    arguments = parser.parse_args()
    session = open_session("landmarks", device="cpu", threads=arguments.threads)
    shards = FaceShards(arguments.data, split=arguments.split)
    count = min(len(shards), arguments.limit or len(shards))
    errors: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for number in range(count):
        record = shards[number]
        for name, (crop, wanted, points) in _cases(record).items():
            ours = session.run(["points"], {"crop": crop[None]})[0][0]
            errors[name]["network"].append(_error(ours, wanted))
            errors[name]["five points"].append(_error(landmarks_from_points(points), wanted))
        _common.show_progress(number + 1, count)
    summary = {
        name: {
            how: {**mean_interval(values, seed=0).as_json(), "p95": float(np.quantile(values, 0.95))}
            for how, values in both.items()
        }
        for name, both in errors.items()
    }
    _common.write_report(arguments.out, {"unit": "eye distances", "summary": summary}, table=_table(summary))


Case = tuple[ImageU8, Landmarks, Any]


def _cases(record: FaceRecord) -> dict[str, Case]:
    """Crop, the teacher's points in it, and the five points it was aligned by."""
    points = geometry.apply(record.photo_to_crop, record.photo_points)
    cases: dict[str, Case] = {f"bare, {head_turn(points)}": (record.crop, record.landmarks, points)}
    rng = rng_for(0, "landmark benchmark", record.face_id)
    to_photo = geometry.invert(record.photo_to_crop)
    in_photo = geometry.apply(to_photo, record.landmarks)
    for yaw in YAWS_DEG:
        turn = Turn.of(in_photo, yaw_deg=yaw * rng.choice([-1, 1]), pitch_deg=0)
        five = turn.moved(record.photo_points).astype(np.float32)
        matrix = geometry.to_frame(five)
        crop, _ = geometry.crop_to_frame(turn.picture(record.photo), matrix)
        wanted = geometry.apply(matrix, turn.landmarks(in_photo))
        cases[f"turned by {yaw:g} degrees more"] = (crop, wanted, geometry.apply(matrix, five))
    cases["covered"] = (draw(record.crop, record.landmarks, rng).masked, record.landmarks, points)
    return cases


def _error(points: Landmarks, wanted: Landmarks) -> float:
    return float(np.linalg.norm((points - wanted)[:, :2], axis=1).mean() / EYE_DISTANCE_PX)


def _table(summary: dict[str, Any]) -> str:
    lines = [
        "Mean distance to the teacher's 468 points, per cent of the distance between the eyes.\n",
        "| faces | number | network | 95th percentile | guessed from five points |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, both in sorted(summary.items()):
        ours, guess = both["network"], both["five points"]
        mean, low, high = (100 * ours[key] for key in ("value", "low", "high"))
        lines.append(
            f"| {name} | {ours['num']} | {mean:.2f} [{low:.2f}, {high:.2f}] | {100 * ours['p95']:.2f} | "
            f"{100 * guess['value']:.2f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
