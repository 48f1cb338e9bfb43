"""Every command block of the documents that a stranger begins with runs, on drawn pictures, for two steps."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from demask.weights.registry import REGISTRY
from document_runner import ROOT, wire_file
from tiny_networks import GREEN, make_photo

DOCUMENTS = (
    "README.md",
    "docs/training.md",
    "docs/data.md",
    "docs/benchmark.md",
    "docs/provenance.md",
    "docs/python.md",
)
NOT_RUN = {"README.md": 1}  # Blocks that say beside them why they are not run.

FIRES = {
    3: (64, 16, 64), 4: (128, 16, 64), 6: (128, 32, 128), 7: (256, 32, 128), 9: (256, 48, 192),
    10: (384, 48, 192), 11: (384, 64, 256), 12: (512, 64, 256),
}  # fmt: skip
"""SqueezeNet 1.1's: channels in, squeezed, expanded."""

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```\n(?:\n\(Not run by the tests: ([^)]+)\))?", re.MULTILINE | re.DOTALL)
# A command writes itself down, one line of JSON each; what it would do comes afterwards.
_RECORD = (
    'import json, sys; open(sys.argv[1], "a").write(json.dumps(sys.argv[2:]) + "\\n")'  # bash has no JSON.
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """A fenced block of a document."""

    language: str
    text: str
    reason: str  # Why it is not run; empty = it is.


def blocks_of(document: str) -> list[Block]:
    text = (ROOT / document).read_text(encoding="utf-8")
    return [
        Block(language=language, text=inner, reason=reason) for language, inner, reason in _BLOCK.findall(text)
    ]


def commands_of(block: Block, number: int, folder: Path) -> None:
    """Append the commands of a block, its loops and variables expanded by bash."""
    log = folder / "commands.jsonl"
    if block.language == "python":
        script = folder / f"block{number}.py"
        script.write_text(block.text)
        text = f"python-block {script}"
    else:
        text = block.text
    names = ("demask", "pip", "cp", "python-block")
    record = f'"{sys.executable}" -S -c \'{_RECORD}\' "{log}"'
    functions = "\n".join(f'function {name} {{ {record} {name} "$@"; }}' for name in names)
    subprocess.run(["bash", "-eu", "-c", f"{functions}\n{text}"], check=True, cwd=folder)


def draw_bare(seed: int, *, side: int = 256) -> np.ndarray:
    """A bare face as the tiny finder knows it, before a background that no other has."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(90, 170, (9, 9, 3), dtype=np.uint8)
    photo = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    near, far = round(0.31 * side), round(0.69 * side)
    photo[round(0.46 * side) : round(0.85 * side), near:far] = GREEN
    return photo


def save(path: Path, photo: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(photo).save(path, quality=95)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the documents take for granted: photographs, published data sets, a folder of the project."""
    save(tmp_path / "photo.jpg", make_photo())
    save(tmp_path / "portrait.jpg", make_photo(GREEN))
    save(tmp_path / "holiday" / "beach" / "one.jpg", make_photo())
    save(tmp_path / "holiday" / "two.jpg", make_photo(None))
    for seed in range(16):
        save(tmp_path / "photos" / f"p{seed}.jpg", draw_bare(seed))
        save(tmp_path / "DATA" / "faces" / f"p{seed}.jpg", draw_bare(seed))
    for seed in range(30):
        rough = np.random.default_rng(seed).integers(0, 255, (20, 20, 3), dtype=np.uint8)
        save(tmp_path / "DATA" / "backgrounds" / f"b{seed}.jpg", np.kron(rough, np.ones((16, 16, 1), np.uint8)))
    with (tmp_path / "DATA" / "index.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "source", "identity"])
        rows.writerows([f"faces/p{seed}.jpg", "drawn", f"person {seed}"] for seed in range(16))
    for seed in range(3):
        save(tmp_path / "FFHQ" / f"{seed:05d}.png", draw_bare(100 + seed))
        save(tmp_path / "KDEF" / f"AF0{seed + 1}NES.JPG", draw_bare(200 + seed))
        save(tmp_path / "UTKFACE" / f"30_0_0_2017011717504157{seed}.jpg", draw_bare(300 + seed))
    measured = Path("docs/measured/backgrounds_with_people.txt")
    (tmp_path / measured.parent).mkdir(parents=True)
    shutil.copy(ROOT / measured, tmp_path / measured)
    (tmp_path / "src/demask/weights").mkdir(parents=True)
    return tmp_path


def write_wire(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that stand for downloads: LPIPS of chance weights, as torchvision and its authors lay them out."""
    torch = pytest.importorskip("torch")
    monkeypatch.setattr("document_runner.FOLDER", folder)
    (folder / "wire").mkdir()
    shapes = {"0": (64, 3, 3, 3), "classifier.1": (1000, 512, 1, 1)}
    for place, (inner, squeezed, expanded) in FIRES.items():
        shapes |= {
            f"{place}.squeeze": (squeezed, inner, 1, 1),
            f"{place}.expand1x1": (expanded, squeezed, 1, 1),
        }
        shapes |= {f"{place}.expand3x3": (expanded, squeezed, 3, 3)}
    backbone = {}
    for layer, shape in shapes.items():
        name = layer if layer.startswith("classifier") else f"features.{layer}"
        backbone |= {f"{name}.weight": 0.05 * torch.randn(shape), f"{name}.bias": torch.zeros(shape[0])}
    channels = (64, 128, 256, 384, 384, 512, 512)
    linear = {f"lin{i}.model.1.weight": torch.rand(1, count, 1, 1) for i, count in enumerate(channels)}
    for name, stored in (("squeeze_backbone", backbone), ("lpips_squeeze_linear", linear)):
        url = REGISTRY[name].url
        assert url is not None
        torch.save(stored, wire_file(url))


@pytest.mark.timeout(900)  # A minute on two idle cores; others may be at work on them.
@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_block_runs(
    document: str,
    folder: Path,
    tiny_weights: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_wire(folder, monkeypatch)
    blocks = blocks_of(document)
    assert sum(bool(block.reason) for block in blocks) == NOT_RUN.get(document, 0)
    for number, block in enumerate(blocks):
        assert block.language in ("sh", "python"), f"{document}: a block of {block.language or 'no language'}"
        if not block.reason:
            commands_of(block, number, folder)
    if document == "docs/benchmark.md":  # It goes on from what docs/data.md builds.
        shutil.copytree(request.getfixturevalue("shards"), folder / "runs" / "faces")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DEMASK_")}
    with (folder / "said.txt").open("wb") as said:
        done = subprocess.run(
            [sys.executable, str(ROOT / "tests" / "document_runner.py"), str(folder)],
            cwd=folder,
            env={**kept, "DEMASK_WEIGHTS": str(tiny_weights), "DEMASK_HOME": str(folder / "home")},
            stdout=said,
            stderr=subprocess.STDOUT,
            timeout=850,
            check=False,
        )
    assert done.returncode == 0, (folder / "said.txt").read_text(errors="replace")[-4000:]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_stand_in_fenced_blocks(document: str) -> None:
    outside = _BLOCK.sub("", (ROOT / document).read_text(encoding="utf-8"))
    assert not re.findall(r"^ {4}demask .*$", outside, re.MULTILINE)
