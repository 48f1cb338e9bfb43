"""Outside the hole nothing changes: real photographs through the command line to PNG, pixels counted.

    python benchmarks/untouched.py --out docs/measured/untouched.json

Input and output are decoded with Pillow alone, so neither our reader nor our writer judges itself.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import _common
from demask.rng import rng_for


def main() -> None:
    """Run `demask remove` over the photographs and compare file with file."""
    arguments = _arguments()
    _common.use_neighbouring_weights()
    photos = _common.photos_in(arguments.data)
    order = rng_for(0, "untouched", arguments.data.name).permutation(len(photos))
    chosen = sorted(photos[i] for i in order[: arguments.count])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        for path in chosen:
            shutil.copyfile(path, folder / "in" / path.name)
        reports = _run(folder, arguments)
        rows = [_compare(folder, report) for report in reports]
    if len(rows) != len(chosen):
        raise SystemExit(f"demask reported {len(rows)} of {len(chosen)} photographs")
    restored = [row for row in rows if row["status"] == "restored"]
    results = {
        "photographs": len(rows),
        "restored": len(restored),
        "photographs_with_a_pixel_changed_outside_the_hole": sum(row["outside"] > 0 for row in rows),
        "pixels_changed_outside_the_hole": sum(row["outside"] for row in rows),
        "pixels_compared_outside": sum(row["compared_outside"] for row in rows),
        "pixels_changed_inside_the_hole": sum(row["inside"] for row in rows),
        "per_photo": rows,
    }
    table = "\n".join(
        f"- {key.replace('_', ' ')}: {value:,}" for key, value in results.items() if isinstance(value, int)
    )
    _common.write_report(arguments.out, results, table=table)
    if not restored:
        raise SystemExit("nothing was restored, so nothing was shown")
    if results["pixels_changed_outside_the_hole"]:
        raise SystemExit(1)


def _arguments() -> argparse.Namespace:
    parser = _common.parser(__doc__)
    parser.add_argument("--data", type=Path, default=_common.data_folder("real_masked"), help="photographs")
    parser.add_argument("--count", type=int, default=100, help="how many of them")
    parser.add_argument("--restorer", default="network", help="network, telea, navier-stokes or an .onnx file")
    return parser.parse_args()


def _run(folder: Path, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "demask", "remove", str(folder / "in"), "-o", str(folder / "out")]
    command += [
        "--format",
        "png",
        "--holes",
        str(folder / "holes"),
        "--json",
        "--restorer",
        arguments.restorer,
    ]
    if arguments.threads:
        command += ["--threads", str(arguments.threads)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=os.environ, check=False)
    if done.returncode not in (0, 3):
        raise SystemExit(f"demask remove failed with exit code {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def _compare(folder: Path, report: dict[str, Any]) -> dict[str, Any]:
    before = _common.pixels_of(report["input"])
    row = {"file": Path(report["input"]).name, "status": report["status"]}
    if report["output"] is None:
        raise SystemExit(f"{row['file']} has no output: {report['error']}")
    after = _common.pixels_of(report["output"])
    with Image.open(folder / "holes" / f"{Path(report['input']).name}.hole.png") as picture:
        hole = np.asarray(picture.convert("L")) > 127
    if before.shape != after.shape or hole.shape != before.shape[:2]:
        raise SystemExit(f"{row['file']}: sizes differ: {before.shape}, {after.shape}, hole {hole.shape}")
    changed = (before != after).any(axis=2)
    return row | {
        "outside": int((changed & ~hole).sum()),
        "inside": int((changed & hole).sum()),
        "compared_outside": int((~hole).sum()),
    }


if __name__ == "__main__":
    main()
