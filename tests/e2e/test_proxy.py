"""The page behind nginx at a path of its own, by the very block of the guide."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browsing import PATIENCE_MS, Serve, bytes_of, give
from tiny_networks import make_photo

sync_api = pytest.importorskip("playwright.sync_api")

GUIDE = Path(__file__).parents[2] / "site" / "pages" / "guides" / "nginx.md"
MASKED = ("masked.png", bytes_of(make_photo()))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def proxied(serve: Serve, tiny_weights: Path, tmp_path: Path) -> Iterator[Any]:
    """Start the server and nginx before it; gives the page's address there."""
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    if nginx is None:
        pytest.skip("nginx is not installed")
    (block,) = re.findall(r"^```nginx\n(.*?)^```$", GUIDE.read_text("utf-8"), re.M | re.S)
    started = []

    def start(*options: str) -> str:
        server = serve("--workers", "1", *options, DEMASK_WEIGHTS=str(tiny_weights))
        port = free_port()
        text = block.replace("listen 80;", f"listen 127.0.0.1:{port};").replace(
            "server_name photos.example", "server_name photos.localhost"
        )
        text = text.replace("http://127.0.0.1:8000/", f"{server.url}/")
        folders = "".join(
            f"{kind}_temp_path {tmp_path}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        config = tmp_path / "nginx.conf"
        config.write_text(
            f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/log;\nevents {{}}\n"
            f"http {{ access_log off;\n{folders}{text} }}\n"
        )
        started.append(subprocess.Popen([nginx, "-c", config, "-p", tmp_path], stderr=subprocess.DEVNULL))
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        return f"http://photos.localhost:{port}/demask/"

    yield start
    for process in started:
        process.terminate()
        process.wait(20)


def test_the_page_works_below_a_path(chromium, proxied: Any) -> None:
    context = chromium.new_context(locale="en-GB")
    context.set_default_timeout(PATIENCE_MS)
    page, missed = context.new_page(), []
    page.on("response", lambda answer: answer.status >= 400 and missed.append(answer.url))
    page.goto(proxied("--allow-host", "photos.localhost"))
    give(page, MASKED)
    sync_api.expect(page.locator("#headline")).to_have_text("1 face mask is gone.")
    page.get_by_role("link", name="HTTP API").click()
    sync_api.expect(page.get_by_role("heading", name="POST /v1/remove")).to_be_visible()
    page.get_by_role("link", name="the page").click()
    sync_api.expect(page.locator("#start-title")).to_be_visible()
    assert missed == []
    context.close()
