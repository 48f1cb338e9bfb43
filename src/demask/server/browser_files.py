"""The files that the page needs to work in the browser: the engine, its figures, networks and runtime."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demask.server.figures import browser_figures
from demask.server.web_runtime import BUILDS, PACKAGE, VERSION, WebRuntime
from demask.weights import registry

PAGE_FOLDER = Path(__file__).parent / "page"
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


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
