"""The browser engine in a real Chromium: the static page on a plain server, and its worker asked directly."""

from __future__ import annotations

import base64
import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}


class WebSpace:
    """A web server that gives files and knows nothing of demask.

    Attributes:
        url: Where it listens, with the last slash.
        asked: The paths that were asked for, in order.
    """

    def __init__(self, folder: Path, *, isolated: bool) -> None:
        self.asked: list[str] = []
        asked, headers = self.asked, ISOLATED if isolated else {}

        class Handler(http.server.SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                super().do_GET()

            def end_headers(self) -> None:
                for name, value in headers.items():
                    self.send_header(name, value)
                super().end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        Handler.extensions_map = {**Handler.extensions_map, ".mjs": "text/javascript"}
        answer = functools.partial(Handler, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), answer)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it; twice does no harm."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


_START = """async ([wants]) => {
  const policy = trustedTypes.createPolicy("demask-test", { createScriptURL: (url) => url });
  const url = policy.createScriptURL(new URL("engine/worker.js", document.baseURI).href);
  const worker = new Worker(url, { type: "module" });
  let number = 0;
  window.ask = (message) => new Promise((resolve, reject) => {
    const id = ++number;
    worker.onmessage = ({ data }) => {
      if (data.step || data.id !== id) return;
      if (data.trouble) resolve({ trouble: data.trouble });
      else resolve({ ...data.answer, used: data.used });
    };
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage({ ...message, id });
  });
  return window.ask({ ask: "load", wants });
}"""

_TO_BYTES = "const toBytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));"

_FIND = f"""async ([photo, name]) => {{
  {_TO_BYTES}
  const found = await window.ask({{ ask: "find", file: new File([toBytes(photo)], name) }});
  found.hole?.close();
  return {{ ...found, hole: Boolean(found.hole) }};
}}"""

_REMOVE = f"""async ([hole, message]) => {{
  {_TO_BYTES}
  const made = await window.ask({{ ask: "remove", ...message, hole: hole && new Blob([toBytes(hole)]) }});
  if (!made.photo) return made;
  const bytes = new Uint8Array(await made.photo.arrayBuffer());
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return {{ ...made, photo: btoa(text), type: made.photo.type }};
}}"""


class Engine:
    """The engine's worker in a page.

    Attributes:
        page: The page that holds it.
        ready: What it says of itself: `provider`, `threads`, `files`.
    """

    def __init__(self, page: Page, *, threads: int | None = None, provider: str | None = None) -> None:
        self.page = page
        wants = {"threads": threads, "provider": provider}
        given = {name: value for name, value in wants.items() if value is not None}
        self.ready: dict[str, Any] = page.evaluate(_START, [given])

    def find(self, photo: bytes, name: str = "photo.jpg") -> dict[str, Any]:
        """Find the faces of a photo: the answer, or `trouble`."""
        found: dict[str, Any] = self.page.evaluate(_FIND, [base64.b64encode(photo).decode(), name])
        return found

    def remove(
        self,
        faces: list[int],
        *,
        hole: bytes | None = None,
        format: str | None = None,
        grain: bool = True,
    ) -> dict[str, Any]:
        """Restore faces of the photo found last: the answer with the `photo` as bytes, or `trouble`."""
        message = {"faces": faces, "format": format, "grain": grain}
        given = None if hole is None else base64.b64encode(hole).decode()
        made: dict[str, Any] = self.page.evaluate(_REMOVE, [given, message])
        return {**made, "photo": base64.b64decode(made["photo"])} if "photo" in made else made


@contextmanager
def engine_page(browser: Browser, url: str, **options: Any) -> Iterator[Page]:
    """The static page, ready, without its service worker unless `service_workers` says otherwise."""
    context = browser.new_context(**{"service_workers": "block", **options})
    try:
        page = context.new_page()
        page.set_default_timeout(240_000)
        page.goto(url)
        page.locator("html[data-ready]").wait_for(state="attached")
        yield page
    finally:
        context.close()
