"""Content Credentials (C2PA 2.2): a signed manifest that says what was done, and to which original.

The original goes along as the ingredient `parentOf`, with its own manifest where it has one, so the chain that
a camera or an editor began is not cut. Needs c2pa-python, which the extra `c2pa` brings.
"""

from __future__ import annotations

import datetime
import io
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from demask.errors import InputError, OutputError, UsageError
from demask.extras import install_command
from demask.photo.provenance import DIGITAL_SOURCE_TYPE
from demask.types import Hole, ImageU8
from demask.version import __version__

MIME = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
    "HEIF": "image/heic",
}
"""Media types by Pillow's names, of all formats that can be signed."""
CLIP_MIME = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime"}
"""Media types of clips that can be signed, by suffix."""
_ORIGINAL = "original"
_MAX_REGIONS = 64
_THUMBNAIL_PX = 1024
_logger = logging.getLogger(__name__)

Box = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Original:
    """The photo that was edited.

    Attributes:
        data: Its file; None names it without its manifest and metadata, by a small picture of its pixels.
        format: Pillow's name of its format.
        pixels: uint8 RGB [H, W, 3], upright.
    """

    data: bytes | None
    format: str
    pixels: ImageU8


def require_signer(cert: Path, key: Path) -> None:
    """Check a certificate chain and its key before any work is done.

    Raises:
        UsageError: c2pa-python is not installed.
        InputError: A file cannot be read, or the two do not sign.
    """
    from PIL import Image

    picture = io.BytesIO()
    Image.new("RGB", (16, 16)).save(picture, "PNG")
    pixels = np.zeros((16, 16, 3), np.uint8)
    try:
        original = Original(data=picture.getvalue(), format="PNG", pixels=pixels)
        sign(picture.getvalue(), "PNG", cert, key, original=original)
    except OutputError as error:
        raise InputError(str(error)) from error


def sign(
    data: bytes,
    format: str,
    cert: Path,
    key: Path,
    *,
    original: Original,
    changed: Hole | None = None,
    networks: Mapping[str, str] | None = None,
) -> bytes:
    """Sign an encoded picture with a manifest that names the edit.

    Args:
        data: The encoded output, label and all; later changes would break the signature.
        format: Pillow's name of its format, one of `MIME`.
        cert: Certificate chain in PEM, the signer's first. The signer's certificate must allow
            digital signatures and name an extended key use such as e-mail protection.
        key: Its private key in PEM (PKCS#8); its kind decides the algorithm.
        original: What was edited.
        changed: The pixels that changed, bool [H, W]; told as rectangles.
        networks: What each network is for, and its name.

    Returns:
        The signed file.

    Raises:
        UsageError: c2pa-python is not installed, or the format cannot be signed.
        InputError: The certificate or the key cannot be read.
        OutputError: The signer refused the certificate or the picture.
    """
    c2pa = require_library("signing")
    if format not in MIME:
        raise UsageError(f"cannot sign {format} with C2PA; write one of {', '.join(MIME)}")
    chain, private = _read_pair(cert, key)
    boxes = [] if changed is None else boxes_of(changed)
    manifest = json.dumps(_manifest(MIME[format], boxes, networks or {}))
    try:
        info = c2pa.C2paSignerInfo(_algorithm(c2pa, private), chain, private, None)
        with c2pa.Signer.from_info(info) as signer:
            for one in (original, Original(data=None, format=original.format, pixels=original.pixels)):
                with c2pa.Builder(manifest) as builder:
                    if not _add(c2pa, builder, one):
                        continue
                    signed = io.BytesIO()
                    builder.sign(signer, MIME[format], io.BytesIO(data), signed)
                    return signed.getvalue()
        raise OutputError("C2PA signing failed: the original cannot be named as ingredient")
    except c2pa.C2paError as error:
        raise OutputError(f"C2PA signing failed: {error}; check the certificate chain and the key") from error


def sign_clip(
    unsigned: Path,
    signed: Path,
    cert: Path,
    key: Path,
    *,
    suffix: str,
    original: Path,
    shown: ImageU8,
    networks: Mapping[str, str],
) -> None:
    """Sign a clip from file to file; it is never held in memory.

    Args:
        unsigned: The output, label and all.
        signed: Where the signed one is written.
        cert: As for `sign`.
        key: As for `sign`.
        suffix: Of the output, one of `CLIP_MIME`.
        original: The clip that was edited; named by `shown` where its own kind cannot be signed.
        shown: Its first frame, uint8 RGB [H, W, 3].
        networks: What each network is for, and its name.

    Raises:
        UsageError: c2pa-python is not installed.
        InputError: The certificate or the key cannot be read.
        OutputError: The signer refused the certificate or the clip.
    """
    c2pa = require_library("signing")
    chain, private = _read_pair(cert, key)
    mime, own = CLIP_MIME[suffix], CLIP_MIME.get(original.suffix.lower())
    manifest = json.dumps(_manifest(mime, [], networks))
    try:
        info = c2pa.C2paSignerInfo(_algorithm(c2pa, private), chain, private, None)
        with c2pa.Signer.from_info(info) as signer, c2pa.Builder(manifest) as builder:
            if own is None:
                _add(c2pa, builder, Original(data=None, format="", pixels=shown))
            else:
                named = {"title": "the clip", "relationship": "parentOf", "label": _ORIGINAL, "format": own}
                with original.open("rb") as before:
                    builder.add_ingredient(json.dumps(named), own, before)
            with unsigned.open("rb") as data, signed.open("w+b") as written:
                builder.sign(signer, mime, data, written)
    except c2pa.C2paError as error:
        raise OutputError(f"C2PA signing failed: {error}; check the certificate chain and the key") from error


def _read_pair(cert: Path, key: Path) -> tuple[bytes, bytes]:
    """The certificate chain and the private key, PEM."""
    try:
        return cert.read_bytes(), key.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {error.filename}: {error.strerror}; give PEM files") from error


def require_library(purpose: str) -> Any:
    """The module `c2pa`.

    Raises:
        UsageError: It is not installed.
    """
    try:
        import c2pa
    except ImportError:
        raise UsageError(f"{purpose} needs c2pa-python; run: {install_command('c2pa')}") from None
    return c2pa


def boxes_of(changed: Hole) -> list[Box]:
    """Rectangles (x, y, width, height) around the connected parts of a hole, largest first, at most 64.

    Args:
        changed: bool [H, W].
    """
    _, _, stats, _ = cv2.connectedComponentsWithStats(changed.astype(np.uint8), connectivity=8)
    parts = sorted(stats[1:].tolist(), key=lambda part: -part[cv2.CC_STAT_AREA])
    return [(part[0], part[1], part[2], part[3]) for part in parts[:_MAX_REGIONS]]


def _manifest(mime: str, boxes: Sequence[Box], networks: Mapping[str, str]) -> dict[str, Any]:
    agent = {"name": "demask", "version": __version__}
    edited: dict[str, Any] = {
        "action": "c2pa.edited",
        "digitalSourceType": DIGITAL_SOURCE_TYPE,
        "softwareAgent": agent,
        "when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "description": "The face under a face mask was invented by trained networks. It is not the person's.",
    }
    if networks:
        edited["parameters"] = {"demask.networks": dict(networks)}
    if boxes:
        edited["changes"] = [
            {
                "description": "invented",
                "region": [
                    {
                        "type": "spatial",
                        "shape": {
                            "type": "rectangle",
                            "unit": "pixel",
                            "origin": {"x": x, "y": y},
                            "width": width,
                            "height": height,
                        },
                    }
                    for x, y, width, height in boxes
                ],
            }
        ]
    opened = {"action": "c2pa.opened", "softwareAgent": agent, "parameters": {"ingredientIds": [_ORIGINAL]}}
    return {
        "claim_generator_info": [agent],
        "format": mime,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [opened, edited]}}],
    }


def _add(c2pa: Any, builder: Any, original: Original) -> bool:
    """Name the original as what the picture was made from; False where its file is one that cannot be named."""
    ingredient = {"title": "the photograph", "relationship": "parentOf", "label": _ORIGINAL}
    data, mime = original.data, MIME.get(original.format)
    if data is None or mime is None:
        data, mime = _thumbnail(original.pixels), MIME["JPEG"]
    try:
        builder.add_ingredient(json.dumps(ingredient | {"format": mime}), mime, io.BytesIO(data))
    except c2pa.C2paError as error:
        if original.data is None:
            raise
        _logger.warning("the photo's own manifest cannot be read (%s) and is not carried over", error)
        return False
    return True


def _thumbnail(pixels: ImageU8) -> bytes:
    from PIL import Image

    small, written = Image.fromarray(pixels), io.BytesIO()
    small.thumbnail((_THUMBNAIL_PX, _THUMBNAIL_PX))
    small.save(written, "JPEG", quality=80)
    return written.getvalue()


def _algorithm(c2pa: Any, private: bytes) -> Any:
    """The signature algorithm that a private key is for (C2PA 2.2, "Signature algorithms")."""
    algorithms = c2pa.C2paSigningAlg
    try:
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        key = load_pem_private_key(private, None)
    except (ImportError, ValueError, TypeError):
        return algorithms.ES256  # The signer itself says what is wrong with it.
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return algorithms.ED25519
    if isinstance(key, rsa.RSAPrivateKey):
        return algorithms.PS256
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return {384: algorithms.ES384, 521: algorithms.ES512}.get(key.curve.key_size, algorithms.ES256)
    return algorithms.ES256
