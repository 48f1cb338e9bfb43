"""The files that the page needs to work in the browser: the engine, its figures, networks and runtime.

Every figure that the browser engine needs, told by the code that owns it: none is typed twice.
The engine's modules (`page/engine/`) do in a browser what `faces`, `restorers` and `photo` do here. They hold
the same arithmetic and no figure of their own: thresholds, sizes and points come from here as one JSON
document.
"""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from demask import covered_faces
from demask.faces import colours, finder, judge, painted, turned
from demask.geometry import FRAME_POINTS, FRAME_PX, WIDE
from demask.photo import grain, paste, tone
from demask.photo.provenance import WHOLLY_INVENTED, labelled
from demask.server.web_runtime import BUILDS, PACKAGE, VERSION, WebRuntime
from demask.types import Hole
from demask.weights import registry

NETWORKS = ("finder", "hole", "restorer")
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
    ".webmanifest": "application/manifest+json",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
}
WORKER_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'self'"
)
"""For the scripts of the engine, which run in workers: nothing but the page's own files, and WebAssembly."""
ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
"""What a page must be told to use more than one thread."""
NO_ENGINE = b'{"engines":["server"]}'
"""What `engines.json` says where the browser cannot do the work."""
MAX_MEGAPIXELS = 50.0
"""What the browser engine takes. Decoded four times over, 50 megapixels are 1 GB, about what a tab is given."""
MAX_FILE_BYTES = 100_000_000
"""The largest file that the browser engine reads."""
PAGE_FOLDER = Path(__file__).parent / "page"


@dataclass(frozen=True, kw_only=True, slots=True)
class BrowserFiles:
    """What is served beside the page, by its path below the page's own.

    Attributes:
        on_disk: Files as they are.
        made: Files that are made here.
    """

    on_disk: dict[str, Path]
    made: dict[str, bytes]

    def read(self, name: str) -> bytes:
        """The bytes of one of them."""
        return self.made[name] if name in self.made else self.on_disk[name].read_bytes()


def browser_files(runtime: WebRuntime, *, engines: tuple[str, ...], offline: bool = False) -> BrowserFiles:
    """Everything for the browser engine.

    Args:
        runtime: onnxruntime-web.
        engines: What the page may choose from, the first being its choice at first: `browser`, `server`.
        offline: Whether a service worker keeps the page.

    Raises:
        WeightsError: A network is missing or damaged.
    """
    on_disk = {f"engine/{path.name}": path for path in sorted((PAGE_FOLDER / "engine").glob("*.js"))}
    networks = {}
    for name in NETWORKS:
        path = registry.find(name)
        networks[name] = {"file": path.name, "bytes": path.stat().st_size, "sha256": registry.sha256_of(path)}
        on_disk[f"networks/{path.name}"] = path
    on_disk |= {f"runtime/{name}": path for name, path in runtime.files.items()}
    told = {"runtime": {"package": PACKAGE, "version": VERSION, **BUILDS}, "networks": networks}
    choice = {"engines": engines, "offline": offline}
    made = {
        "engine/figures.json": _json({**browser_figures(), **told}),
        "engines.json": _json(choice),
    }
    return BrowserFiles(on_disk=on_disk, made=made)


def page_files() -> dict[str, Path]:
    """The files of the page itself, by their names."""
    return {
        path.name: path for path in sorted(PAGE_FOLDER.iterdir()) if path.suffix in (".html", ".css", ".js")
    }


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


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()


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
