"""The shipped networks as a repository of the Hugging Face Hub: files, checksums, model card with metadata."""

from __future__ import annotations

import shutil
from pathlib import Path

from demask.atomic import replacing
from demask.errors import OutputExists
from demask.version import __version__
from demask.weights.registry import REGISTRY, SHIPPED_FOLDER, SHIPPED_SUMS, check

_CARD = """---
license: other
license_name: research-and-personal-use
library_name: demask
pipeline_tag: image-to-image
tags:
- onnx
- image-inpainting
- face-masks
---

# demask {version}

The networks that `demask` ships, as ONNX: uint8 in, uint8 out. A photograph of people wearing face masks in;
the same photograph without them out.

**The lower face that comes out is invented.** It is not the person's. Never use it to identify anyone.

| file | does |
|---|---|
{rows}

Use: `pip install demask`, which brings them; or put them into a folder that `DEMASK_WEIGHTS` names. Trained
on face photographs some of whose publishers allow non-commercial use only: for research and personal use.
What they were trained on, how good they are and where they fail is in demask's own model card.
"""


def write_hub_folder(folder: Path) -> None:
    """Write the folder.

    Raises:
        OutputExists: Something is there.
        WeightsError: A network is missing or damaged.
        OSError: The disk is full, or the place cannot be written.
    """
    if folder.exists():
        raise OutputExists(f"{folder} exists; name a folder that does not")
    shipped = [weights for weights in REGISTRY.values() if weights.shipped]
    with replacing(folder) as part:
        part.mkdir(parents=True)
        for weights in shipped:
            check(weights, SHIPPED_FOLDER / weights.file)  # Not what a user put in its place.
            shutil.copyfile(SHIPPED_FOLDER / weights.file, part / weights.file)
        shutil.copyfile(SHIPPED_SUMS, part / "SHA256SUMS")
        rows = "\n".join(f"| `{weights.file}` | {weights.what} |" for weights in shipped)
        (part / "README.md").write_text(_CARD.format(version=__version__, rows=rows), encoding="utf-8")
