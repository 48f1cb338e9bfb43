r"""Ideas for the filled-in face, each measured beside the pipeline as it is, on the validation set.

demask dataset freeze runs/faces -o runs/frozen_val --split val --per-slice 80 --portraits 80 \
    --textures DATA/backgrounds
python benchmarks/ideas.py --data runs/frozen_val --out docs/measured/ideas.json

`--hole NAME=ONNX` and `--restorer NAME=ONNX` put other networks into the same pipeline, one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

import _common
from demask.dataset.frozen_set import PORTRAIT, FrozenPicture, load_frozen, read_info
from demask.evaluation.bootstrap import mean_interval, paired_difference
from demask.evaluation.metrics.suite import FIGURES, Suite
from demask.faces.hole import HoleFinder
from demask.faces.judge import JudgeSettings, judge
from demask.faces.reach import coverage_from_photo
from demask.geometry import Framed, to_frame
from demask.photo.paste import PasteConfig, paste_back
from demask.restorers.registry import fill, get_restorer
from demask.types import Alpha, Hole, ImageU8, Restorer
from demask.weights.sessions import open_session

SHOWN = ("lpips", "hole_lpips", "hole_psnr", "ssim", "identity")
BASE = "as it is"
STILL = np.eye(2, 3)

Find = Callable[[ImageU8], Alpha]


@dataclass(frozen=True, kw_only=True, slots=True)
class Idea:
    """One change of the pipeline.

    Attributes:
        hole: From coverage to hole.
        paste: How the face is put back.
        find: Coverage of crops.
        fill: Faces of crops.
        oracle: The true hole instead of the found one; a bound, not an idea.
    """

    find: Find
    fill: Restorer
    hole: JudgeSettings = field(default_factory=JudgeSettings)
    paste: PasteConfig = field(default_factory=PasteConfig)
    oracle: bool = False

    def __call__(self, picture: FrozenPicture) -> tuple[ImageU8, float, float]:
        """The face put back, and how much of the true hole was missed and of the filled one is too much."""
        framed, coverage = Framed(matrix=STILL, crop=picture.masked, valid=picture.valid), picture.hole
        if picture.slice == PORTRAIT:  # Framed by its true points; the finder is measured elsewhere.
            framed = Framed.cut(picture.masked, to_frame(picture.points))
            coverage = coverage_from_photo(picture.hole, framed.matrix)
        crop, valid = framed.crop, framed.valid
        true = (coverage > 0.5) & valid
        hole, coverage = true, true.astype(np.float32)
        if not self.oracle:
            found = judge(self.find(crop[None])[0], crop, valid, self.hole)
            hole, coverage = found.hole, found.coverage
        if not hole.any():
            return picture.masked, 1.0, 0.0
        drawn = fill(self.fill, crop[None], hole[None])[0]
        pasted = paste_back(picture.masked, drawn, coverage, framed, config=self.paste)
        return pasted.pixels, float((true & ~hole).sum() / true.sum()), float((hole & ~true).sum() / hole.sum())


def main() -> None:
    """Measure, then write the report."""
    parser = _common.parser(__doc__)
    parser.add_argument("--data", type=Path, default=Path("runs/frozen_val"), help="a frozen validation set")
    parser.add_argument("--limit", type=int, default=100, help="only the first so many pictures of each slice")
    parser.add_argument("--slices", default="seen,unseen_types,portrait", help="comma-separated")
    for what in ("hole", "restorer"):
        parser.add_argument(
            f"--{what}", action="append", default=[], metavar="NAME=ONNX", help="may be repeated"
        )
    parser.add_argument(
        "--only-networks", action="store_true", help="none of the ideas, only the other networks"
    )
    arguments = parser.parse_args()
    _common.use_neighbouring_weights()
    threads: int | None = arguments.threads
    find = HoleFinder.shipped(device="cpu", threads=threads)
    restorer = get_restorer("network", device="cpu", threads=threads)
    ideas = {BASE: Idea(find=find, fill=restorer)}
    if not arguments.only_networks:
        alone = HoleFinder(open_session("hole", device="cpu", threads=threads), mirrored=False)
        ideas |= _ideas(find, alone, restorer)
    for text in arguments.hole:
        name, file = text.split("=", 1)
        other = HoleFinder(open_session(Path(file), device="cpu", threads=threads))
        ideas[f"hole network: {name}"] = Idea(find=other, fill=restorer)
    for text in arguments.restorer:
        name, file = text.split("=", 1)
        ideas[f"restorer: {name}"] = Idea(find=find, fill=get_restorer(file, device="cpu", threads=threads))
    ideas["true hole (a bound)"] = Idea(
        find=find, fill=restorer, oracle=True, paste=PasteConfig(feather_px=0.5)
    )

    info, suite = read_info(arguments.data), Suite.open(threads=threads)
    slices = {}
    for name in arguments.slices.split(","):
        pictures = islice(load_frozen(arguments.data, slices=[name]), arguments.limit)
        slices[name] = _measure(ideas, pictures, suite, min(arguments.limit, info["slices"][name]))
    results = {"frozen_set": {"sha256": info["sha256"], "split": info["config"].get("split")}, "slices": slices}
    _common.write_report(arguments.out, results, table=_tables(slices))


def _ideas(find: HoleFinder, alone: HoleFinder, restorer: Restorer) -> dict[str, Idea]:
    def mirrored_fill(masked: ImageU8, hole: Hole) -> ImageU8:
        pictures = [restorer(masked, hole), restorer(masked[:, ::-1], hole[:, ::-1])[:, ::-1]]
        return np.rint(np.mean(pictures, axis=0)).astype(np.uint8)

    def evenly(crops: ImageU8) -> Alpha:
        return np.float32(0.5) * (alone(crops) + alone(crops[:, :, ::-1])[:, :, ::-1])

    def found(hole: JudgeSettings) -> Idea:
        return Idea(find=find, fill=restorer, hole=hole)

    def pasted(paste: PasteConfig) -> Idea:
        return Idea(find=find, fill=restorer, paste=paste)

    return {
        "hole not widened": found(JudgeSettings(widen_px=0)),
        "widened by 1 px": found(JudgeSettings(widen_px=1)),
        "widened by 4 px": found(JudgeSettings(widen_px=4)),
        "covered above 0.5": found(JudgeSettings(threshold=0.5)),
        "covered above 0.2": found(JudgeSettings(threshold=0.2)),
        "covered above 0.5, widened by 3 px, feather of 2 px": Idea(
            find=find,
            fill=restorer,
            hole=JudgeSettings(threshold=0.5, widen_px=3),
            paste=PasteConfig(feather_px=2.0),
        ),
        "the photograph's colours count for nothing": found(JudgeSettings(colour_weight=0)),
        "the photograph's colours count half as much": found(JudgeSettings(colour_weight=0.3)),
        "the photograph's colours count in full": found(JudgeSettings(colour_weight=1)),
        "coverage not averaged with the mirrored crop's": Idea(find=alone, fill=restorer),
        "both crops' coverage counts the same": Idea(find=evenly, fill=restorer),
        "face averaged with the mirrored crop's": Idea(find=find, fill=mirrored_fill),
        "feather of 2 px": pasted(PasteConfig(feather_px=2.0)),
        "tone not matched": pasted(PasteConfig(match_tone=False)),
        "grain not matched": pasted(PasteConfig(match_grain=False)),
        "coarse grain matched in full": pasted(PasteConfig(coarse_grain=1.0)),
    }


def _measure(ideas: Mapping[str, Idea], pictures: Any, suite: Suite, total: int) -> dict[str, Any]:
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in ideas}
    for number, picture in enumerate(pictures):
        for name, idea in ideas.items():
            answer, missed, extra = idea(picture)
            figures = suite(answer, picture.face, hole=picture.hole, valid=picture.valid, points=picture.points)
            rows[name].append({**{key: figures[key] for key in SHOWN}, "missed": missed, "extra": extra})
        _common.show_progress(number + 1, total)
    base = rows[BASE]
    return {
        name: {
            "mean": {key: mean_interval([row[key] for row in found]).as_json() for key in found[0]},
            "minus_base": {
                key: paired_difference([row[key] for row in found], [row[key] for row in base]).as_json()
                for key in SHOWN
            },
        }
        for name, found in rows.items()
    }


def _tables(slices: Mapping[str, Any]) -> str:
    heads = [FIGURES[key] for key in SHOWN]
    parts = [
        "Differences to the first row on the same pictures, 95 % intervals. Missed: share of the true hole "
        "that was not filled; extra: share of the filled hole that was not covered."
    ]
    for name, ideas in slices.items():
        num = ideas[BASE]["mean"]["lpips"]["num"]
        parts += [f"\n### {name}, {num} crops\n", "| | " + " | ".join([*heads, "missed", "extra"]) + " |"]
        parts.append("| --- " * (len(heads) + 3) + "|")
        for idea, facts in ideas.items():
            cells = [_cell(facts, key, base=idea == BASE) for key in SHOWN]
            cells += [f"{100 * facts['mean'][key]['value']:.1f} %" for key in ("missed", "extra")]
            parts.append(f"| {idea} | " + " | ".join(cells) + " |")
    return "\n".join(parts) + "\n"


def _cell(facts: Mapping[str, Any], key: str, *, base: bool) -> str:
    estimate, sign = facts["mean" if base else "minus_base"][key], "" if base else "+"
    if estimate["value"] is None:
        return "-"
    places = 2 if key.endswith("psnr") else 4
    low, high = (f"{estimate[end]:.{places}f}" for end in ("low", "high"))
    return f"{estimate['value']:{sign}.{places}f} [{low}, {high}]"


if __name__ == "__main__":
    main()
