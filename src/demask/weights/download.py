"""Fetching third-party weights: https only, checked, and never half a file under its real name."""

from __future__ import annotations

import hashlib
import os
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

from demask.errors import WeightsError
from demask.weights import registry

CHUNK_BYTES = 1 << 18
TIMEOUT_S = 30.0

Progress = Callable[[int, int | None], None]
"""Called with the bytes so far and the total, None where the server does not say."""


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
        WeightsError: No download address is known, the download failed, or the checksum is wrong.
    """
    weights = registry.lookup(name)
    present = registry.locate(name)
    if present is not None:
        registry.check(weights, present)
        return present
    folder = registry.download_folder()
    if weights.url is None or weights.sha256 is None:
        raise WeightsError(
            f"no download address is known for {name!r}; get {weights.file} from {weights.home} "
            f"(licence {weights.licence}) and put it into {folder}"
        )
    if urllib.parse.urlsplit(weights.url).scheme != "https":
        raise WeightsError(f"{weights.url} is not https; nothing was fetched")
    opener = opener or urllib.request.build_opener(_HttpsOnly)
    target = folder / weights.file
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary_name = tempfile.mkstemp(prefix=f".{weights.file}.", suffix=".part", dir=folder)
    except OSError as error:
        raise WeightsError(f"cannot write to {folder}: {error.strerror}; set DEMASK_HOME") from error
    temporary = Path(temporary_name)
    try:
        with os.fdopen(handle, "wb") as file, opener.open(weights.url, timeout=TIMEOUT_S) as answer:
            length = answer.headers.get("Content-Length")
            total = int(length) if length else None
            digest, done = hashlib.sha256(), 0
            while chunk := answer.read(CHUNK_BYTES):
                file.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, total)
        if digest.hexdigest() != weights.sha256:
            raise WeightsError(
                f"what {weights.url} sent has sha256 {digest.hexdigest()[:12]}..., expected "
                f"{weights.sha256[:12]}...; it was thrown away"
            )
        temporary.chmod(0o644)
        temporary.replace(target)
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise WeightsError(
            f"{weights.url} could not be fetched: {reason}; try again, or get {weights.file} from "
            f"{weights.home} and put it into {folder}"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return target
