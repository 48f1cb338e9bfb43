"""onnxruntime-web: what runs the networks in a browser. Not shipped (41 MB); taken from npm's package by hash.

The lock file in `runtime/` pins the package by npm's integrity hashes, `SHA256SUMS` the six files that are used
of it: each comes in two builds, for processors and for graphics cards.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from demask.atomic import remove_leftovers, replacing
from demask.errors import OutputError, UsageError, WeightsError
from demask.weights.registry import download_folder

LOCK_FOLDER = Path(__file__).parent / "runtime"
LICENCE = LOCK_FOLDER / "LICENSE.onnxruntime-web.txt"
PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
BUILDS = {
    "wasm": {
        "module": "ort.wasm.min.mjs",
        "script": "ort-wasm-simd-threaded.mjs",
        "binary": "ort-wasm-simd-threaded.wasm",
    },
    "webgpu": {
        "module": "ort.webgpu.min.mjs",
        "script": "ort-wasm-simd-threaded.asyncify.mjs",
        "binary": "ort-wasm-simd-threaded.asyncify.wasm",
    },
}
"""The files of each build: what the engine imports, and the two that this one loads."""

_NPM_S = 600


@dataclass(frozen=True, kw_only=True, slots=True)
class WebRuntime:
    """The files of onnxruntime-web, each with the checksum that it should have.

    Attributes:
        folder: Where they lie.
    """

    folder: Path

    @property
    def files(self) -> dict[str, Path]:
        """Path of each file by its name."""
        return {name: self.folder / name for name in checksums()}


def checksums() -> dict[str, str]:
    """The sha256 of each file that is used."""
    lines = (LOCK_FOLDER / "SHA256SUMS").read_text("utf-8").split("\n")
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines) if name}


def kept_folder() -> Path:
    """Where `fetch_runtime` puts the files, and where they are looked for."""
    return download_folder() / f"{PACKAGE}-{VERSION}"


def find_runtime(folder: Path | None = None) -> WebRuntime:
    """The runtime in a folder, checked file by file.

    Args:
        folder: npm's folder of the package, its `dist`, or any folder with the files; None = `kept_folder`.

    Raises:
        UsageError: A file is not there.
        WeightsError: A file is not the one it should be.
    """
    places = [kept_folder()] if folder is None else [folder, folder / "dist", folder / PACKAGE / "dist"]
    place = next((one for one in places if all((one / name).is_file() for name in checksums())), None)
    if place is None:
        raise UsageError(
            f"{PACKAGE} {VERSION} is not in {places[0]}; run `demask page --fetch`, which takes it from npm, "
            "or name npm's folder of the package with --runtime"
        )
    for name, expected in checksums().items():
        got = hashlib.sha256((place / name).read_bytes()).hexdigest()
        if got != expected:
            raise WeightsError(
                f"{place / name} is not that of {PACKAGE} {VERSION}: its sha256 is {got[:12]}..., expected "
                f"{expected[:12]}...; install the version of the lock file"
            )
    return WebRuntime(folder=place)


def fetch_runtime() -> WebRuntime:
    """Take the package from npm, as the lock file pins it, and keep the files that are used.

    Raises:
        UsageError: There is no npm.
        WeightsError: npm failed, or the files are not those of the checksums.
        OutputError: The files cannot be kept.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise UsageError(
            f"there is no npm here; get {PACKAGE} {VERSION} where there is one, and name its folder with "
            "--runtime"
        )
    with tempfile.TemporaryDirectory(prefix="demask-npm-") as name:
        project = Path(name)
        for file in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copyfile(LOCK_FOLDER / file, project / file)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(
            command, cwd=project, capture_output=True, text=True, timeout=_NPM_S, check=False, env=os.environ
        )
        if done.returncode:
            last = (done.stderr.strip() or "no message").splitlines()[-1]
            raise WeightsError(f"npm could not take {PACKAGE} {VERSION}: {last}")
        found = find_runtime(project / "node_modules" / PACKAGE)
        return _keep(found)


def _keep(found: WebRuntime) -> WebRuntime:
    kept = kept_folder()
    try:
        kept.mkdir(parents=True, exist_ok=True)
        remove_leftovers(kept)
        for name, path in found.files.items():
            with replacing(kept / name) as temporary:
                shutil.copyfile(path, temporary)
    except OSError as error:
        raise OutputError(f"cannot write to {kept}: {error.strerror}; set DEMASK_HOME") from error
    return WebRuntime(folder=kept)
