"""Weights from elsewhere and to elsewhere: fetched and checked, or laid out as a repository of a hub."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

from demask.atomic import remove_leftovers, replacing
from demask.errors import OutputExists, WeightsError
from demask.version import __version__
from demask.weights import registry
from demask.weights.registry import REGISTRY, SHIPPED_FOLDER, SHIPPED_SUMS, check

CHUNK_BYTES = 1 << 18
TIMEOUT_S = 30.0
_WIRE_ERRORS = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError)
Progress = Callable[[int, int | None], None]
"""Called with the bytes so far and the total, None where the server does not say."""
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


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follow redirects, but never down to plain http."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        """Refuse any target that is not https; otherwise as the base class does."""
        if urllib.parse.urlsplit(newurl).scheme != "https":
            raise WeightsError(f"the server redirects to {newurl}, which is not https; nothing was fetched")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def get(
    name: str, *, progress: Progress | None = None, opener: urllib.request.OpenerDirector | None = None
) -> Path:
    """Download a weights file into the download folder, unless a good copy is there already.

    Args:
        name: A name of the registry.
        progress: Called now and then while bytes arrive.
        opener: What opens the URL; the default follows https redirects only.

    Returns:
        Path of the checked file.

    Raises:
        WeightsError: There is no download address, the download failed, or the checksum is wrong.
    """
    weights = registry.lookup(name)
    present = registry.locate(name)
    if present is not None:
        registry.check(weights, present)
        return present
    folder = registry.download_folder()
    if weights.url is None or weights.sha256 is None:
        raise WeightsError(f"{weights.file} is not here, and {registry.remedy(weights)}")
    url = weights.url
    if mirror := os.environ.get("DEMASK_WEIGHTS_URL"):  # The checksum decides whether it is the same file.
        url = f"{mirror.rstrip('/')}/{weights.file}"
    if urllib.parse.urlsplit(url).scheme != "https":
        raise WeightsError(f"{url} is not https; nothing was fetched")
    opener = opener or urllib.request.build_opener(_HttpsOnly)
    target = folder / weights.file
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
        with replacing(target) as temporary:
            _fetch(opener, url, weights.sha256, temporary, progress or (lambda done, total: None))
    except OSError as error:  # A URLError is one: it is caught where it can be told apart.
        raise WeightsError(f"cannot write to {folder}: {error.strerror}; set DEMASK_HOME") from error
    return target


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


def _fetch(
    opener: urllib.request.OpenerDirector, url: str, sha256: str, path: Path, progress: Progress
) -> None:
    """Download into a file, comparing the checksum."""
    digest, done = hashlib.sha256(), 0
    with path.open("xb") as file:
        try:
            with opener.open(url, timeout=TIMEOUT_S) as answer:
                length = answer.headers.get("Content-Length")
                total = int(length) if length and length.isdecimal() else None
                while chunk := answer.read(CHUNK_BYTES):
                    file.write(chunk)
                    digest.update(chunk)
                    done += len(chunk)
                    progress(done, total)
        except _WIRE_ERRORS as error:
            reason = getattr(error, "reason", None) or error
            raise WeightsError(
                f"{url} could not be fetched: {reason}; try again, or fetch the file by other means and put "
                f"it into {path.parent}"
            ) from error
    if digest.hexdigest() != sha256:
        raise WeightsError(
            f"what {url} sent has sha256 {digest.hexdigest()[:12]}..., expected {sha256[:12]}...; "
            "it was thrown away"
        )
