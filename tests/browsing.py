"""A real `demask serve` and a real Chromium for tests of the page."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from demask.types import Hole, ImageU8

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]
PATIENCE_MS = 60_000
"""How long to wait for what a calm machine does in a second."""

TYPES = {".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".txt": "text/plain"}

Serve = Callable[..., "Served"]


class Served:
    """A running `demask serve`.

    Attributes:
        url: Where it listens, without the last slash.
    """

    def __init__(self, args: tuple[str, ...], variables: dict[str, str]) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DEMASK_")}
        port = () if "--port" in args else ("--port", "0")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "demask", "serve", *port, *args],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env={**kept, "OMP_NUM_THREADS": "1", **variables},
        )
        assert self._process.stderr is not None
        self._reader: threading.Thread | None = None
        lines = []
        for line in self._process.stderr:
            lines.append(line)
            if '"listening"' in line:
                self.url = json.loads(line)["url"].rstrip("/")
                # A log that nobody reads fills its pipe, and then the server waits for ever.
                self._reader = threading.Thread(target=self._process.stderr.read, daemon=True)
                self._reader.start()
                return
        self.stop()
        raise AssertionError(f"demask serve ended: {''.join(lines)}")

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    def stop(self) -> None:
        """End it at once, also twice; stopping with grace is a matter of other tests."""
        self._process.kill()
        self._process.wait()
        if self._reader is not None:
            self._reader.join()
        if self._process.stderr is not None:
            self._process.stderr.close()


_GIVE = """({kind, where, files}) => {
  const transfer = new DataTransfer();
  for (const {name, type, base64} of files) {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, {type}));
  }
  const options = {bubbles: true, cancelable: true};
  const target = document.querySelector(where);
  if (kind === "paste") {
    return target.dispatchEvent(new ClipboardEvent("paste", {...options, clipboardData: transfer}));
  }
  for (const name of ["dragenter", "dragover", "drop"]) {
    target.dispatchEvent(new DragEvent(name, {...options, dataTransfer: transfer}));
  }
}"""


def give(page: Page, *photos: tuple[str, bytes], kind: str = "drop", where: str = "body") -> None:
    """Drop or paste files, as (name, bytes)."""
    files = [
        {"name": name, "type": TYPES.get(Path(name).suffix, ""), "base64": base64.b64encode(data).decode()}
        for name, data in photos
    ]
    page.evaluate(_GIVE, {"kind": kind, "where": where, "files": files})


def wait_until_done(page: Page) -> None:
    """Until the page has done what it was asked, well or badly."""
    page.locator("#work[aria-busy=false]").wait_for()


WATCH_FORMS = """
window.forms = [];
const send = XMLHttpRequest.prototype.send;
XMLHttpRequest.prototype.send = function (form) {
  window.forms.push(form);
  return send.call(this, form);
};
"""
"""A script to run first in a page: the browser does not tell its driver of files in a form."""

_FORMS = """async () => {
  const read = async (form) => {
    const fields = {};
    for (const [name, value] of form) {
      const bytes = new Uint8Array(await new Blob([value]).arrayBuffer());
      let text = "";
      for (const byte of bytes) text += String.fromCharCode(byte);
      fields[name] = btoa(text);
    }
    return fields;
  };
  return Promise.all(window.forms.map(read));
}"""


def sent_forms(page: Page) -> list[dict[str, bytes]]:
    """The fields of all forms that the page sent since it was loaded; needs `WATCH_FORMS`."""
    forms = page.evaluate(_FORMS)
    return [{name: base64.b64decode(value) for name, value in form.items()} for form in forms]


def last_form(page: Page) -> dict[str, bytes]:
    """The fields of the form that the page sent last."""
    return sent_forms(page)[-1]


def uploads(page: Page) -> list[bytes]:
    """The photos that the page sent, one for each time."""
    return [form["photo"] for form in sent_forms(page) if "photo" in form]


def photo_of(answer: dict[str, Any]) -> bytes:
    """The picture in an answer of /v1/remove."""
    return base64.b64decode(answer["photo"]["base64"])


def hole_of(data: bytes) -> Hole:
    """A hole's PNG as bool [H, W]."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("L")) > 127


def pixels_of(data: bytes) -> ImageU8:
    """A picture as RGB."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def bytes_of(pixels: ImageU8, format: str = "PNG", **options: Any) -> bytes:
    """RGB or RGBA pixels as a picture file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format, **options)
    return buffer.getvalue()


def on_stage(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where the photo's point (x, y), in parts of its size, is in the window."""
    box = page.locator("#layers").bounding_box()
    assert box is not None
    return box["x"] + x * box["width"], box["y"] + y * box["height"]
