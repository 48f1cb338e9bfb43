"""Every figure that the browser engine needs, told by the code that owns it: none is typed twice.

The engine's modules (`page/engine/`) do in a browser what `faces`, `restorers` and `photo` do here. They hold
the same arithmetic and no figure of their own: thresholds, sizes and points come from here as one JSON
document.
"""

from __future__ import annotations

import base64
from dataclasses import asdict
from types import ModuleType
from typing import Any

import numpy as np

from demask import covered_faces
from demask.faces import colours, finder, judge, painted, turned
from demask.geometry import FRAME_POINTS, FRAME_PX, WIDE
from demask.photo import grain, paste, tone
from demask.photo.provenance import WHOLLY_INVENTED, labelled
from demask.types import Hole
from demask.weights import registry

MAX_MEGAPIXELS = 50.0
"""What the browser engine takes. Decoded four times over, 50 megapixels are 1 GB, about what a tab is given."""

MAX_FILE_BYTES = 100_000_000
"""The largest file that the browser engine reads."""


def browser_figures() -> dict[str, Any]:
    """The figures, ready for `json.dumps`; the names are those of the code, in lower case."""
    return {
        "frame": {"px": FRAME_PX, "points": FRAME_POINTS.tolist(), "wide": asdict(WIDE)},
        "finder": asdict(finder.FinderSettings()),
        "finder_grid": _constants(finder),
        "turned": _constants(turned),
        "painted": _constants(painted),
        "judge": asdict(judge.JudgeSettings()),
        "running_on": _constants(judge),
        "regions": {"lower_face": _packed(judge.LOWER_FACE), "mouth": _packed(judge.MOUTH)},
        "colours": _constants(colours),
        "tone": _constants(tone),
        "grain": _constants(grain),
        "paste": asdict(paste.PasteConfig()),
        "own_paste": asdict(covered_faces.OWN_HOLE_PASTE),
        "paste_work": _constants(paste),
        "label": {"packet": labelled(None, networks=_networks()).decode(), "whole": WHOLLY_INVENTED},
        "limits": {"max_megapixels": MAX_MEGAPIXELS, "max_file_bytes": MAX_FILE_BYTES},
    }


def _networks() -> dict[str, str]:
    """What each shipped network is for, and its name in labels."""
    return {name: registry.fingerprint(name) for name in ("finder", "hole", "restorer")}


def _constants(module: ModuleType) -> dict[str, Any]:
    """The numbers and points that a module names in capitals, private ones too: they are its figures."""
    named = {name.strip("_").lower(): value for name, value in vars(module).items() if name.isupper()}
    numbers = {name: value for name, value in named.items() if isinstance(value, int | float)}
    points = {
        name: value.tolist()
        for name, value in named.items()
        if isinstance(value, np.ndarray) and value.size <= 10
    }
    return numbers | points


def _packed(region: Hole) -> dict[str, Any]:
    """A region of the frame: its size, and one bit for each pixel, rows one after the other."""
    height, width = region.shape
    bits = base64.b64encode(np.packbits(region).tobytes()).decode()
    return {"width": width, "height": height, "bits": bits}
