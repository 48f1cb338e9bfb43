"""How often the expression network is right on faces of people whom it never saw, bare and half covered.

    python benchmarks/expression.py runs/expression.onnx --data runs/faces --out docs/measured/expression.json

`--split all --sources taiwanese` with a network trained on the other sources alone (`--set "sources=('cfee',
'london')"`) shows what the letters of that source stand for.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from demask.atomic import write_atomic
from demask.dataset.expression_labels import EXPRESSIONS
from demask.dataset.split import SPLITS
from demask.errors import DatasetError
from demask.rng import rng_for
from demask.training.data.expression_faces import ExpressionFace, covered_below, expression_faces
from demask.weights.registry import sha256_of
from demask.weights.sessions import open_session

ROUNDS = 2000


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="shards with the label `expression`")
    parser.add_argument("--split", choices=(*SPLITS, "all"), default="test")
    parser.add_argument("--sources", default="", help="only these, with commas between them")
    parser.add_argument("--out", type=Path, help="JSON; default: printed")
    asked = parser.parse_args()
    session = open_session(asked.network, device="cpu", threads=1)
    sources = tuple(filter(None, asked.sources.split(",")))
    faces: list[ExpressionFace] = []
    for split in SPLITS if asked.split == "all" else (asked.split,):
        try:
            faces += expression_faces(asked.data, split=split, sources=sources)
        except DatasetError:
            if asked.split != "all":
                raise
    bare = [face.crop for face in faces]
    covered = [covered_below(face.crop, rng_for(0, "half covered", face.face_id)) for face in faces]
    report: dict[str, Any] = {
        "network": sha256_of(asked.network)[:16],
        "split": asked.split,
        "faces": len(faces),
        "people": len({face.identity for face in faces}),
        "chance_of_the_commonest": max(Counter(face.label for face in faces).values()) / len(faces),
    }
    for name, crops in (("bare", bare), ("lower half covered", covered)):
        said = np.concatenate(
            [
                session.run(None, {"crops": np.stack(crops[i : i + 32])})[0].argmax(1)
                for i in range(0, len(crops), 32)
            ]
        )
        report[name] = {
            "all": _accuracy(faces, said),
            **{
                f"source {source}": _accuracy(*_only(faces, said, source))
                for source in sorted({face.source for face in faces})
            },
            "named": {
                EXPRESSIONS[label]: dict(
                    Counter(
                        EXPRESSIONS[int(one)]
                        for face, one in zip(faces, said, strict=True)
                        if face.label == label
                    )
                )
                for label in sorted({face.label for face in faces})
            },
        }
    text = json.dumps(report, indent=2) + "\n"
    if asked.out:
        write_atomic(asked.out, text.encode(), overwrite=True)
    print(text)


def _only(faces: Sequence[ExpressionFace], said: Any, source: str) -> tuple[list[ExpressionFace], Any]:
    chosen = [i for i, face in enumerate(faces) if face.source == source]
    return [faces[i] for i in chosen], said[chosen]


def _accuracy(faces: Sequence[ExpressionFace], said: Any) -> dict[str, float]:
    """Accuracy, and its 95 % interval by a bootstrap over people."""
    right: dict[str, list[bool]] = defaultdict(list)
    for face, one in zip(faces, said, strict=True):
        right[face.identity].append(int(one) == face.label)
    people = list(right.values())
    rng = rng_for(0, "expression bootstrap", "people")
    means = []
    for _ in range(ROUNDS):
        drawn = [people[int(i)] for i in rng.integers(len(people), size=len(people))]
        means.append(sum(map(sum, drawn)) / sum(map(len, drawn)))
    low, high = np.percentile(means, [2.5, 97.5])
    mean = sum(map(sum, people)) / sum(map(len, people))
    return {
        "mean": round(mean, 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
        "num": len(faces),
    }


if __name__ == "__main__":
    main()
