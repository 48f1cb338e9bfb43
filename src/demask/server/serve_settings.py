"""What the server allows and how it is set up; which picture formats it takes, told by their first bytes."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from demask.errors import UsageError
from demask.webkit.access import check_key
from demask.webkit.responses import Refusal
from demask.webkit.wire import WireLimits

MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
}
"""By Pillow's name. Fewer than `demask remove` reads: each decoder is one more that strangers can feed."""
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits(WireLimits):
    """What one client, and all of them together, may ask for; bytes and connections are those of `WireLimits`.

    Attributes:
        max_megapixels: Width times height of a photo, checked before it is decoded.
        max_waiting: Photos that may wait while all workers are busy.
        deadline_s: Seconds from the body's last byte to the answer.
        max_kept: Photos kept in memory for pages that go on with them.
        max_kept_bytes: Bytes of all of these, with what was found in them.
        keep_s: Seconds that one is kept after its last use; 0 keeps none.
    """

    max_body_bytes: int = 64 * 2**20
    max_held_bytes: int = 512 * 2**20
    max_megapixels: float = 50
    max_waiting: int = 16
    deadline_s: float = 60
    max_kept: int = 64
    max_kept_bytes: int = 128 * 2**20
    keep_s: float = 300

    def __post_init__(self) -> None:
        WireLimits.__post_init__(self)  # `super()` does not find itself in a class with slots.
        for name in ("max_megapixels", "deadline_s"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be above 0")
        for name in ("max_waiting", "max_kept", "max_kept_bytes", "keep_s"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be 0 or more")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How the server is set up.

    Attributes:
        host: Address to bind.
        port: Port to bind; 0 takes a free one.
        key: What clients must send; needed to bind anything but loopback.
        hosts: Names that the `Host` header may have beside those of the loopback interface. With a key
            and no names, any: the key stops a page of another address that makes its name point here.
        workers: Photos worked on at the same time.
        threads: Threads of each network.
        device: Where the networks run.
        restorer: Name of the restorer.
        c2pa: Certificate chain and key (PEM files) that restored photos are signed with.
        runtime: Folder of onnxruntime-web, with which the page can also work in the browser; None = it cannot.
        limits: See `Limits`.

    Raises:
        UsageError: The address is open to others and there is no key, or a setting makes no sense.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    key: str | None = None
    hosts: tuple[str, ...] = ()
    workers: int = 1
    threads: int = 1
    device: str = "auto"
    restorer: str = "network"
    c2pa: tuple[Path, Path] | None = None
    runtime: Path | None = None
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        check_key(self.host, self.key, how="set DEMASK_KEY or --key-file")
        if self.workers < 1 or self.threads < 1:
            raise UsageError(f"workers is {self.workers} and threads {self.threads}; both must be 1 or more")


@functools.cache
def accepted_formats() -> tuple[str, ...]:
    """Pillow's names of the formats that this installation takes."""
    import importlib.util

    from PIL import features

    names = ["JPEG", "PNG", "WEBP"]
    if features.check("avif"):
        names.append("AVIF")
    if importlib.util.find_spec("pillow_heif") is not None:
        names.append("HEIF")
    return tuple(names)


def format_of_bytes(data: bytes) -> str | None:
    """Pillow's name of the format that the first bytes announce; None for all that we never take."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        if data[8:12] in (b"avif", b"avis") or b"avif" in data[16:40]:
            return "AVIF"
        if data[8:12] in _HEIF_BRANDS:
            return "HEIF"
    return None


def require_format(data: bytes, *, field: str, formats: tuple[str, ...]) -> None:
    """Let only some formats through to a decoder.

    Raises:
        Refusal: 415, another kind of file.
    """
    got = format_of_bytes(data)
    if got not in formats:
        what = got or ("no picture that we know" if data else "nothing")
        known = ", ".join(formats)
        raise Refusal(
            415,
            "wrong_photo_type",
            f"the field {field} holds {what}; send {known}",
            details={"field": field, "formats": [MEDIA_TYPES[name] for name in formats]},
        )
