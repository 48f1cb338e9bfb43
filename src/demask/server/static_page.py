"""The page as static files: for any web space, and without a net after the first visit."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from demask.atomic import replacing
from demask.errors import OutputError, OutputExists
from demask.server.browser_files import ISOLATED, PAGE_FOLDER, WORKER_POLICY, browser_files, page_files
from demask.server.web_runtime import BUILDS, LICENCE, WebRuntime

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "media-src 'self' blob:; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'"
)
"""What the page may load: its own files and nothing else."""

_WORKER = "service_worker.js"
_ICON_SIZES = (192, 512)
_ACCENT, _PAPER = (23, 92, 85), (247, 245, 240)


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """What was written.

    Attributes:
        folder: Where.
        num_files: How many files.
    """

    folder: Path
    num_files: int

    def download_bytes(self) -> dict[str, int]:
        """What a visitor's browser loads once, by the build of the runtime, gzipped."""
        sizes = {
            str(path.relative_to(self.folder)): len(gzip.compress(path.read_bytes(), 6))
            for path in self.folder.rglob("*")
            if path.is_file()
        }
        of_runtime = {name: size for name, size in sizes.items() if name.startswith("runtime/")}
        always = sum(sizes.values()) - sum(of_runtime.values())
        return {
            build: always + sum(of_runtime[f"runtime/{name}"] for name in names.values())
            for build, names in BUILDS.items()
        }


def write_page(folder: Path, runtime: WebRuntime) -> Written:
    """Write the page, its engine, the networks and the runtime into a new folder.

    Args:
        folder: Must not be there, or be empty.
        runtime: onnxruntime-web.

    Raises:
        OutputExists: There is something in the folder.
        OutputError: It cannot be written.
        WeightsError: A network is missing or damaged.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputExists(f"{folder} exists; name a folder that is not there, or an empty one")
    files = _files(runtime)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            folder.rmdir()
        with replacing(folder) as temporary:
            for name, data in files.items():
                path = temporary / name
                path.parent.mkdir(parents=True, exist_ok=True)
                if isinstance(data, Path):
                    shutil.copyfile(data, path)
                else:
                    path.write_bytes(data)
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror}") from error
    return Written(folder=folder, num_files=len(files))


def _files(runtime: WebRuntime) -> dict[str, bytes | Path]:
    engine = browser_files(runtime, engines=("browser",), offline=True)
    files: dict[str, bytes | Path] = {**page_files(), **engine.on_disk, **engine.made}
    html = (PAGE_FOLDER / "index.html").read_text("utf-8")
    files["index.html"] = _static_html(html).encode()
    files["page.webmanifest"] = json.dumps(_manifest(), indent=1).encode()
    for size in _ICON_SIZES:
        files[f"icon-{size}.png"] = _icon(size)
    files["LICENSE.onnxruntime-web.txt"] = LICENCE
    files["_headers"] = _headers().encode()
    # Kept at the first visit; of networks and runtime what the browser uses, once it is known.
    kept = sorted(name for name in files if not name.startswith(("networks/", "runtime/", "_", "LICENSE")))
    version = hashlib.sha256()
    for name in sorted(files):
        version.update(name.encode() + b"\0" + hashlib.sha256(_read(files[name])).digest())
    script = (PAGE_FOLDER / "offline" / _WORKER).read_text("utf-8")
    told = {
        "VERSION": version.hexdigest()[:16],
        "FILES": ["./", *kept],
        "PAGE_POLICY": f"{PAGE_POLICY}; frame-ancestors 'none'",
        "WORKER_POLICY": WORKER_POLICY,
    }
    lines = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in told.items())
    files[_WORKER] = (lines + script).encode()
    return files


def _read(data: bytes | Path) -> bytes:
    return data.read_bytes() if isinstance(data, Path) else data


def _static_html(html: str) -> str:
    """The page's HTML with what a server says in headers, and no link to a server's other pages."""
    head = (
        f'<meta http-equiv="Content-Security-Policy" content="{PAGE_POLICY}">\n  <meta name="referrer" '
        'content="no-referrer">\n  <link rel="manifest" href="page.webmanifest">\n  '
    )
    html = html.replace("<title>", f"{head}<title>", 1)
    needs = '<p class="problem">This page needs JavaScript.</p>'
    html = re.sub(r"(<noscript>).*?(</noscript>)", rf"\1{needs}\2", html, flags=re.DOTALL)
    footer = '<p class="small"><a href="LICENSE.onnxruntime-web.txt">onnxruntime-web (MIT)</a></p>'
    return re.sub(r"(<footer>).*?(</footer>)", rf"\1{footer}\2", html, flags=re.DOTALL)


def _manifest() -> dict[str, object]:
    """What makes the page one that can be installed (W3C, Web Application Manifest)."""
    icons = [
        {"src": f"icon-{size}.png", "sizes": f"{size}x{size}", "type": "image/png", "purpose": "any"}
        for size in _ICON_SIZES
    ]
    return {
        "name": "demask",
        "short_name": "demask",
        "description": "Take face masks off photographs. The face is invented. No photo leaves the browser.",
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "background_color": "#{:02x}{:02x}{:02x}".format(*_PAPER),
        "theme_color": "#{:02x}{:02x}{:02x}".format(*_ACCENT),
        "icons": icons,
    }


def _icon(size: int) -> bytes:
    """The page's sign, a face mask, as PNG."""
    from PIL import Image, ImageDraw

    large = 4 * size
    image = Image.new("RGB", (large, large), _ACCENT)
    drawing = ImageDraw.Draw(image)
    unit = large / 32
    outline = [(7, 12), (10, 10.8), (13, 10), (16, 9.8), (19, 10), (22, 10.8), (25, 12), (25, 16), (24, 20)]
    outline += [(21, 24), (16, 26), (11, 24), (8, 20), (7, 16)]
    drawing.polygon([(x * unit, y * unit) for x, y in outline], fill=_PAPER)
    buffer = io.BytesIO()
    image.resize((size, size), Image.Resampling.LANCZOS).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _headers() -> str:
    """What a web space should answer with, in the form that several of them read from a file `_headers`."""
    everywhere = {
        **ISOLATED,
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    lines = ["/*", *(f"  {name}: {value}" for name, value in everywhere.items())]
    for place in ("engine", "runtime"):
        lines += [f"/{place}/*", f"  Content-Security-Policy: {WORKER_POLICY}"]
    return "\n".join(lines) + "\n"
