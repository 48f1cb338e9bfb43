"""Every weights file that demask knows: what it is, whose it is, its checksum, and where it lies.

`REGISTRY` holds what comes with the package and what can be downloaded. `UNPUBLISHED` holds exports of
published networks that no public address has: used where somebody has put them, and needed by nothing.

A name is looked up in three places, in this order: the folder that `DEMASK_WEIGHTS` names, the files
shipped inside the package, and the download folder (`DEMASK_HOME`, else `XDG_CACHE_HOME/demask`, else
`~/.cache/demask`). The checksums of the shipped files stand in `SHA256SUMS` beside them.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from demask.atomic import replacing
from demask.errors import WeightsError

SHIPPED_FOLDER = Path(__file__).parent
SHIPPED_SUMS = SHIPPED_FOLDER / "SHA256SUMS"


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """One weights file.

    Attributes:
        name: What `demask weights get NAME` calls it.
        file: Its file name, the same in every folder.
        what: What the network does, in a few words.
        licence: SPDX identifier, or words where there is none.
        home: Page of the project it comes from.
        sha256: Checksum in hex; None for a shipped file, whose checksum `SHA256SUMS` holds.
        url: Where the very file can be downloaded; None where it is shipped or unpublished.
        shipped: Whether it comes with the package.
        also: Other files of the same weights that will do, name and sha256.
        recipe: Of `demask train`, for a network that everyone trains alone: any file of its name will do.
    """

    name: str
    file: str
    what: str
    licence: str
    home: str
    sha256: str | None = None
    url: str | None = None
    shipped: bool = False
    also: Mapping[str, str] = field(default_factory=dict)
    recipe: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """Names under which the weights may lie, the first choice first."""
        return (self.file, *self.also)

    def expected_sha256(self, file: str | None = None) -> str | None:
        """The checksum that a file of these names should have; None while a shipped one has none on record."""
        if self.shipped:
            return _shipped_sums().get(self.file)
        return self.also.get(file or self.file, self.sha256)


def _shipped(name: str, what: str) -> Weights:
    return Weights(
        name=name,
        file=f"{name}.onnx",
        what=what,
        licence="see the model card",
        home="shipped with demask",
        shipped=True,
    )


REGISTRY: dict[str, Weights] = {
    weights.name: weights
    for weights in (
        _shipped("finder", "faces and five points in a whole photo, bare or covered"),
        _shipped("hole", "which pixels of an aligned crop are covered"),
        _shipped("restorer", "fills the hole of an aligned crop"),
        _shipped("landmarks", "468 points of the face in an aligned crop; training and measuring use it"),
        Weights(
            name="yunet",
            file="face_detection_yunet_2023mar.onnx",
            what="YuNet face detector, for cv2.FaceDetectorYN",
            licence="MIT",
            home="https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet",
            sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
            url="https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/"
            "face_detection_yunet_2023mar.onnx",
        ),
        Weights(
            name="squeeze_backbone",
            file="squeezenet1_1-b8a52dc0.pth",
            what="SqueezeNet 1.1, for LPIPS as a loss and as a metric",
            licence="BSD-3-Clause",
            home="https://github.com/pytorch/vision",
            # Torchvision vouches for the first eight digits, in the name; other projects have the rest.
            sha256="b8a52dc049b60e4b6ab68ad0df457362afab8b6304b2febdc1650a5dab4d7e7b",
            url="https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth",
            # The same without its classifier.
            also={"squeeze.backbone.pth": "435cedb387e95bc8291893f61a3a64f0345b8c23a05139aceef43947efb3d52d"},
        ),
        Weights(
            name="lpips_squeeze_linear",
            file="lpips_squeeze_linear.pth",
            what="linear layers of LPIPS v0.1 on SqueezeNet",
            licence="BSD-2-Clause",
            home="https://github.com/richzhang/PerceptualSimilarity",
            sha256="4a5350f23600cb79923ce65bb07cbf57dca461329894153e05a1346bd531cf76",
            url="https://github.com/richzhang/PerceptualSimilarity/raw/master/lpips/weights/v0.1/squeeze.pth",
        ),
        Weights(
            name="alexnet_backbone",
            file="alexnet-owt-7be5be79.pth",
            what="AlexNet, for LPIPS with AlexNet",
            licence="BSD-3-Clause",
            home="https://github.com/pytorch/vision",
            sha256="7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
            url="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        ),
        Weights(
            name="lpips_alex_linear",
            file="lpips_alex_linear.pth",
            what="linear layers of LPIPS v0.1 on AlexNet",
            licence="BSD-2-Clause",
            home="https://github.com/richzhang/PerceptualSimilarity",
            sha256="df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
            url="https://github.com/richzhang/PerceptualSimilarity/raw/master/lpips/weights/v0.1/alex.pth",
        ),
        Weights(
            name="vgg16_backbone",
            file="vgg16-397923af.pth",
            what="VGG-16, for LPIPS with VGG",
            licence="BSD-3-Clause",
            home="https://github.com/pytorch/vision",
            sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
            url="https://download.pytorch.org/models/vgg16-397923af.pth",
        ),
        Weights(
            name="lpips_vgg_linear",
            file="lpips_vgg_linear.pth",
            what="linear layers of LPIPS v0.1 on VGG-16",
            licence="BSD-2-Clause",
            home="https://github.com/richzhang/PerceptualSimilarity",
            sha256="a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
            url="https://github.com/richzhang/PerceptualSimilarity/raw/master/lpips/weights/v0.1/vgg.pth",
        ),
    )
}

UNPUBLISHED: dict[str, Weights] = {
    weights.name: weights
    for weights in (
        Weights(
            name="facemesh",
            file="facemesh_468.onnx",
            what="MediaPipe FaceMesh, 468 points: an export of the PyTorch port",
            licence="Apache-2.0",
            home="https://github.com/zmurez/MediaPipePyTorch",
            sha256="771d4c40e418f8ce20b3f41cf8ee0ae34bc101602faae447dc05c8d7933a6351",
        ),
        Weights(
            name="mobileface",
            file="mobileface_v2.onnx",
            what="MobileFace embedding, to measure identity: an export of the MXNet network",
            licence="MIT",
            home="https://github.com/becauseofAI/MobileFace",
            sha256="354be8fa37ec21d83244aab5647af3ec536a4f5102cf5f21d528413ca6ed6549",
        ),
        Weights(
            name="expression",
            file="expression.onnx",
            what="names one of seven expressions, to measure whether it is kept",
            licence="as the photographs that it was trained on",
            home="trained with demask",
            recipe="expression",
        ),
    )
}


def lookup(name: str) -> Weights:
    """Return the entry of a name, in the registry or among the unpublished.

    Raises:
        WeightsError: The name is unknown; the message gives the nearest one.
    """
    if name in REGISTRY or name in UNPUBLISHED:
        return REGISTRY.get(name) or UNPUBLISHED[name]
    near = difflib.get_close_matches(name, REGISTRY, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise WeightsError(f"no weights are called {name!r}; {hint}`demask weights list` shows all")


def download_folder() -> Path:
    """Where downloads go: `DEMASK_HOME`, else `XDG_CACHE_HOME/demask`, else `~/.cache/demask`.

    Raises:
        WeightsError: None of them is known, as for a user that exists only as a number in a container.
    """
    if home := os.environ.get("DEMASK_HOME"):
        return Path(home).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(cache).expanduser() if cache else Path.home() / ".cache") / "demask"
    except RuntimeError as error:
        raise WeightsError("this user has no home folder; name a folder in DEMASK_HOME") from error


def candidates(name: str) -> list[Path]:
    """The paths at which a name is looked for, first choice first."""
    weights = lookup(name)
    extra = os.environ.get("DEMASK_WEIGHTS")
    folders = [Path(extra).expanduser()] if extra else []
    if weights.shipped:
        folders.append(SHIPPED_FOLDER)
    with contextlib.suppress(WeightsError):  # What is shipped can be used without a home folder.
        folders.append(download_folder())
    return [folder / file for folder in folders for file in weights.files]


def locate(name: str) -> Path | None:
    """Path of the first file of that name that is there, unchecked; None if there is none."""
    return next((path for path in candidates(name) if path.is_file()), None)


def find(name: str) -> Path:
    """Path of a weights file, its checksum verified.

    One of our own networks may be replaced by a file in the `DEMASK_WEIGHTS` folder, which is
    then taken as it is, and so is one that everyone trains; every other file must have the checksum of the
    registry.

    Raises:
        WeightsError: The name is unknown, no file is there, or its checksum is wrong.
    """
    weights = lookup(name)
    path = locate(name)
    if path is None:
        places = ", ".join(dict.fromkeys(str(candidate.parent) for candidate in candidates(name)))
        raise WeightsError(f"the weights {name!r} ({weights.file}) are in none of {places}; {remedy(weights)}")
    if not is_replaced(weights, path):
        check(weights, path)
    return path


def is_replaced(weights: Weights, path: Path | None) -> bool:
    """Whether a file of the user's own is taken, which has no checksum on record."""
    if weights.recipe:
        return path is not None
    return weights.shipped and path is not None and path.parent != SHIPPED_FOLDER


def remedy(weights: Weights) -> str:
    """What to do where a file is missing."""
    if weights.shipped:
        return "reinstall demask"
    if weights.recipe:
        return (
            f"train it: `demask train {weights.recipe} --data SHARDS --run RUN`, then `demask export RUN -o "
            f"FOLDER/{weights.file}`, where DEMASK_WEIGHTS names FOLDER"
        )
    if weights.url is not None:
        return f"run `demask weights get {weights.name}`"
    return (
        "it cannot be downloaded: no public address has that file "
        f"({weights.what}; {weights.home}). Whoever has it puts it into a folder that DEMASK_WEIGHTS names"
    )


def check(weights: Weights, path: Path) -> None:
    """Compare a file with the checksum of its registry entry.

    Raises:
        WeightsError: They differ, no checksum is on record, or the file cannot be read.
    """
    expected = weights.expected_sha256(path.name)
    if expected is None:
        raise WeightsError(f"{path} has no checksum on record in {SHIPPED_SUMS}; export the network again")
    try:
        got = sha256_of(path)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from error
    if got != expected:
        raise WeightsError(
            f"{path} is damaged or another version: its sha256 is {got[:12]}..., expected "
            f"{expected[:12]}...; delete it and fetch it again"
        )


def sha256_of(path: Path) -> str:
    """The checksum of a file, in hex; computed again only where the file has changed.

    Raises:
        OSError: It cannot be read.
    """
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


def record_shipped(path: Path) -> None:
    """Write the checksum of a shipped file, just exported, into `SHA256SUMS` beside it."""
    sums = {**_shipped_sums(), path.name: sha256_of(path)}
    text = "".join(f"{digest}  {file}\n" for file, digest in sorted(sums.items()))
    with replacing(SHIPPED_SUMS) as temporary:
        temporary.write_text(text, encoding="utf-8")


def fingerprint(what: object) -> str:
    """A short name for a network or for what stands in its place, as labels and reports tell it.

    Args:
        what: A name of the registry or the path of a network: the first 16 digits of the file's sha256. Any
            other text, up to a colon, stands for itself, and anything else for its class or function.
    """
    if isinstance(what, str | Path):
        path = locate(what) if what in REGISTRY else Path(what)
        if path is None or path.suffix != ".onnx" or not path.is_file():
            return str(what).partition(":")[0]  # Not what it works with: that may be somebody's folder.
        return sha256_of(path)[:16]
    return str(getattr(what, "__qualname__", type(what).__qualname__))


@functools.lru_cache(maxsize=64)
def _sha256(path: Path, size_bytes: int, mtime_ns: int) -> str:
    # Size and time are part of the key only: a file that was replaced is read again.
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _shipped_sums() -> dict[str, str]:
    if not SHIPPED_SUMS.is_file():
        return {}
    lines = SHIPPED_SUMS.read_text(encoding="utf-8").splitlines()
    pairs = (line.split(maxsplit=1) for line in lines if line.strip())
    return {file.strip(): digest for digest, file in pairs}
