r"""Ideas for the filled-in face, each measured beside the pipeline as it is, on the validation set.

demask dataset freeze runs/faces -o runs/frozen_val --split val --per-slice 80 --portraits 80 \
    --textures DATA/backgrounds
python benchmarks/ideas.py --data runs/frozen_val --out docs/measured/ideas.json

`--hole NAME=ONNX` and `--restorer NAME=ONNX` put other networks into the same pipeline, one at a time. The
path, the figures and the tables are those of `demask benchmark`, in its setting `found`; only what differs from
the shipped pipeline stands here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import _common
from _paired import System as Idea
from _paired import measured
from demask.evaluation.answers import Answering
from demask.evaluation.figure_tables import all_tables
from demask.evaluation.table_parts import markdown_of
from demask.faces.crop_networks import HoleFinder
from demask.faces.finder import Finder
from demask.faces.judge import JudgeSettings
from demask.photo.paste import PasteConfig
from demask.restorers.by_name import get_restorer
from demask.types import Alpha, Hole, ImageU8, Restorer
from demask.weights.sessions import open_session

BASE = "as it is"
SHOWN = ("figures", "holes", "differences", "wins")


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
    ideas = _ideas(arguments)
    _, report = measured(
        ideas, arguments.data, slices=arguments.slices, limit=arguments.limit, threads=arguments.threads
    )
    shown = [table for table in all_tables(report) if table.name in SHOWN]
    _common.write_report(arguments.out, report, table=markdown_of(shown))


def _ideas(arguments: Any) -> dict[str, Idea]:
    """Every idea by name: how holes are found and pasted, and what fills them."""
    threads: int | None = arguments.threads
    find = HoleFinder.shipped(device="cpu", threads=threads)
    finder = Finder.shipped("cpu", threads=threads)
    restorer = get_restorer("network", device="cpu", threads=threads)

    def idea(
        *, find: Any = find, fill: Restorer = restorer, paste: PasteConfig | None = None, **hole: Any
    ) -> Idea:
        answering = Answering(finder=finder, hole_finder=find, config=JudgeSettings(**hole), paste=paste)
        return answering, fill

    ideas = {BASE: idea()}
    if not arguments.only_networks:
        alone = HoleFinder(open_session("hole", device="cpu", threads=threads), mirrored=False)

        def mirrored_fill(masked: ImageU8, hole: Hole) -> ImageU8:
            pictures = [restorer(masked, hole), restorer(masked[:, ::-1], hole[:, ::-1])[:, ::-1]]
            return np.rint(np.mean(pictures, axis=0)).astype(np.uint8)

        def evenly(crops: ImageU8) -> Alpha:
            return np.float32(0.5) * (alone(crops) + alone(crops[:, :, ::-1])[:, :, ::-1])

        ideas |= {
            "hole not widened": idea(widen_px=0),
            "widened by 1 px": idea(widen_px=1),
            "widened by 4 px": idea(widen_px=4),
            "covered above 0.5": idea(threshold=0.5),
            "covered above 0.2": idea(threshold=0.2),
            "covered above 0.5, widened by 3 px, feather of 2 px": idea(
                threshold=0.5, widen_px=3, paste=PasteConfig(feather_px=2.0)
            ),
            "the photograph's colours count for nothing": idea(colour_weight=0),
            "the photograph's colours count half as much": idea(colour_weight=0.3),
            "the photograph's colours count in full": idea(colour_weight=1),
            "coverage not averaged with the mirrored crop's": idea(find=alone),
            "both crops' coverage counts the same": idea(find=evenly),
            "face averaged with the mirrored crop's": idea(fill=mirrored_fill),
            "feather of 2 px": idea(paste=PasteConfig(feather_px=2.0)),
            "tone not matched": idea(paste=PasteConfig(match_tone=False)),
            "grain not matched": idea(paste=PasteConfig(match_grain=False)),
            "coarse grain matched in full": idea(paste=PasteConfig(coarse_grain=1.0)),
        }
    for text in arguments.hole:
        name, file = text.split("=", 1)
        other = HoleFinder(open_session(Path(file), device="cpu", threads=threads))
        ideas[f"hole network: {name}"] = idea(find=other)
    for text in arguments.restorer:
        name, file = text.split("=", 1)
        ideas[f"restorer: {name}"] = idea(fill=get_restorer(file, device="cpu", threads=threads))
    return ideas


if __name__ == "__main__":
    main()
