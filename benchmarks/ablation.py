r"""Both studies' systems on the frozen set, side by side, and beside the hole-first pipeline.

The translators get the masked crop and nothing else, and their whole answer is judged, as the studies do;
`hole first` is what a user of demask gets: hole found, filled and pasted.

python benchmarks/ablation.py --model pix2pix=runs/pix2pix/pix2pix.onnx --model study-b=... \\
    --data runs/frozen --out docs/measured/ablation.json
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

import _common
from _sheets import Sheet
from demask.dataset.frozen_set import PORTRAIT, load_frozen, read_info
from demask.evaluation.bootstrap import mean_interval, paired_difference
from demask.evaluation.metrics.landmarks import LandmarkError
from demask.evaluation.metrics.suite import FIGURES, Suite
from demask.faces.landmark_network import LandmarkFinder
from demask.geometry import FRAME_POINTS
from demask.remover import Remover
from demask.restorers.registry import get_restorer
from demask.types import Face, ImageU8
from demask.weights import registry

SHOWN = ("psnr", "ssim", "lpips", "landmark", "hole_psnr", "hole_ssim", "hole_lpips")
HEADS = {**FIGURES, "landmark": "landmark error, eye distances"}
STUDY_B = {"ssim": 0.926, "lpips": 0.0459}  # Network of the LPIPS not stated, own test set, 300 epochs.

Figures = dict[str, float]


def main() -> None:
    """Measure, then write the report."""
    parser = _common.parser(__doc__)
    parser.add_argument("--model", action="append", required=True, metavar="NAME=ONNX", help="may be repeated")
    parser.add_argument("--data", type=Path, default=Path("runs/frozen"), help="the frozen test set")
    parser.add_argument("--limit", type=int, default=None, help="only the first so many pictures of each slice")
    parser.add_argument("--sheets", type=Path, default=None, metavar="FOLDER", help="also write contact sheets")
    parser.add_argument("--note", default="", help="how the models were trained, kept in the report")
    arguments = parser.parse_args()
    if arguments.sheets:
        _common.outside_repository(arguments.sheets)
    _common.use_neighbouring_weights()
    threads = arguments.threads
    files = dict(text.split("=", 1) for text in arguments.model)
    models = {name: get_restorer(file, device="cpu", threads=threads) for name, file in files.items()}
    suite = Suite.open(threads=threads)
    landmarks = None
    if registry.locate("landmarks"):
        landmarks = LandmarkError(LandmarkFinder.shipped(device="cpu", threads=threads))
    ours = Remover(finder=_told, device="cpu", threads=threads)

    info = read_info(arguments.data)
    rows: dict[str, list[dict[str, Figures]]] = {}
    for name in (slice_ for slice_ in info["slices"] if slice_ != PORTRAIT):
        sheet = Sheet(arguments.sheets, name, columns=1, rows=12, side_px=160) if arguments.sheets else None
        rows[name] = []
        for picture in islice(load_frozen(arguments.data, slices=[name]), arguments.limit):
            answers: dict[str, ImageU8] = {"masked": picture.masked}
            answers |= {key: model(picture.masked, picture.hole) for key, model in models.items()}
            answers["hole first"] = ours(picture.masked).photo
            row = {}
            for system, answer in answers.items():
                row[system] = suite(
                    answer, picture.face, hole=picture.hole, valid=picture.valid, points=picture.points
                )
                if landmarks:
                    black = np.uint8(0)
                    seen = [np.where(picture.valid[..., None], x, black) for x in (answer, picture.face)]
                    row[system]["landmark"] = landmarks(*seen)
            rows[name].append(row)
            if sheet and len(rows[name]) % 10 == 1:
                sheet.add(str(picture.recipe.get("kind")), [picture.face, *answers.values()])
            _common.show_progress(len(rows[name]), arguments.limit or info["slices"][name])
        if sheet:
            sheet.close()
    results = {
        "models": {name: _about(Path(file)) for name, file in files.items()},
        "note": arguments.note,
        "frozen_set": {"sha256": info["sha256"], "slices": {name: len(found) for name, found in rows.items()}},
        "study_b": STUDY_B,
        "slices": {name: _summary(found, base=next(iter(files))) for name, found in rows.items()},
    }
    _common.write_report(arguments.out, results, table=_tables(results))


def _told(photo: ImageU8) -> list[Face]:
    """A crop is its own frame: the face is where the frame says."""
    height, width = photo.shape[:2]
    return [Face(box=(0.0, 0.0, float(width), float(height)), points=FRAME_POINTS, score=1.0)]


def _about(path: Path) -> dict[str, Any]:
    """Steps and settings of the run that a model was exported from, where its folder says."""
    config, metrics = path.parent / "config.json", path.parent / "metrics.jsonl"
    if not config.is_file():
        return {}
    saved = json.loads(config.read_text(encoding="utf-8"))
    steps = [json.loads(line)["step"] for line in metrics.read_text(encoding="utf-8").splitlines()]
    task = saved["settings"]
    kept = ("batch_size", "l1_weight", "adversarial_weight", "pixel_weight", "landmark_weight")
    settings = {key: task[key] for key in kept if key in task}
    return {"steps": max(steps, default=0), "pictures": max(steps, default=0) * task["batch_size"], **settings}


def _summary(rows: list[dict[str, Figures]], *, base: str) -> dict[str, Any]:
    """Means of every system, and paired differences to the base model."""
    table: dict[str, Any] = {}
    for system in rows[0]:
        columns = {key: [row[system][key] for row in rows] for key in SHOWN if key in rows[0][system]}
        bases = {key: [row[base][key] for row in rows] for key in columns}
        table[system] = {
            "mean": {key: mean_interval(values, seed=0).as_json() for key, values in columns.items()},
            "against_base": {
                key: paired_difference(values, bases[key], seed=0).as_json() for key, values in columns.items()
            },
        }
    return table


def _tables(results: Mapping[str, Any]) -> str:
    parts = [results["note"]] if results["note"] else []
    for name, systems in results["slices"].items():
        for kind, title in (("mean", "mean"), ("against_base", f"minus {next(iter(results['models']))}")):
            figures = list(next(iter(systems.values()))["mean"])
            parts += [f"\n### {name}: {title}\n", "| | " + " | ".join(HEADS[key] for key in figures) + " |"]
            parts += ["| --- " * (len(figures) + 1) + "|"]
            for system, facts in systems.items():
                cells = [_cell(facts[kind][key], key) for key in figures]
                parts.append(f"| {system} | " + " | ".join(cells) + " |")
    parts.append(
        f"\nStudy B states SSIM {STUDY_B['ssim']} and LPIPS {STUDY_B['lpips']} on its own test photographs, "
        "framing and an LPIPS network it does not name, after 300 epochs."
    )
    return "\n".join(parts) + "\n"


def _cell(interval: Mapping[str, Any], figure: str) -> str:
    if interval["value"] is None:
        return "-"
    places = 2 if figure.endswith("psnr") else 4
    return f"{interval['value']:.{places}f} [{interval['low']:.{places}f}, {interval['high']:.{places}f}]"


if __name__ == "__main__":
    main()
