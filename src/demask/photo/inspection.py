"""What a picture file says of its own making: the label, the marks it carries, and its C2PA manifest."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from demask.errors import InputError, UsageError
from demask.photo.ancillary import holds_manifest
from demask.photo.credentials import MIME, require_library
from demask.photo.decode import read_photo
from demask.photo.location import holds_location
from demask.photo.notes import iptc_of
from demask.photo.provenance import Label, read_label

ManifestState = Literal["none", "unread", "invalid", "valid", "trusted"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """What a C2PA manifest says, as far as it concerns us.

    Attributes:
        state: `none`; `unread`: there is one but c2pa-python is not installed, or cannot read it; `invalid`:
            it does not fit the file; `valid`: it fits, but who signed is on no list of trust that was given;
            `trusted`: and the signer is.
        signer: The signing certificate's organisation.
        when: Time of signing where a time stamp says, else what the edit says.
        actions: What was done, in order, such as `c2pa.opened`, `c2pa.edited`.
        networks: Ours in the action's parameters.
        originals: Titles of the ingredients; with ` (signed)` where one brought a manifest.
        problems: The reader's codes for what is wrong.
    """

    state: ManifestState = "none"
    signer: str | None = None
    when: str | None = None
    actions: tuple[str, ...] = ()
    networks: tuple[tuple[str, str], ...] = ()
    originals: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspection:
    """What is known of a picture file.

    Attributes:
        format: Pillow's name.
        size: (H, W), upright.
        label: What its XMP says of how it was made.
        restored: Whether it says that demask restored it. A file that says nothing may still have been.
        manifest: Its Content Credentials.
        holds: Which of EXIF, XMP, IPTC, ICC, comment and location it holds.
    """

    format: str
    size: tuple[int, int]
    label: Label
    restored: bool
    manifest: Manifest
    holds: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The record of `demask inspect --json`."""
        manifest = self.manifest
        return {
            "format": self.format,
            "width": self.size[1],
            "height": self.size[0],
            "restored": self.restored,
            "label": {
                "digital_source_type": self.label.source_type,
                "system": self.label.system,
                "version": self.label.version,
                "networks": self.label.networks,
            },
            "manifest": {
                "state": manifest.state,
                "signer": manifest.signer,
                "when": manifest.when,
                "actions": list(manifest.actions),
                "networks": dict(manifest.networks),
                "originals": list(manifest.originals),
                "problems": list(manifest.problems),
            },
            "holds": list(self.holds),
        }


def inspect_photo(
    source: Path | bytes, *, max_megapixels: float = 100, trust: Path | None = None
) -> Inspection:
    """Read what a picture file says of itself.

    Args:
        source: The file, or its bytes.
        max_megapixels: Limit, checked before any pixel is decoded.
        trust: Certificates in PEM whose signatures are to be trusted; None trusts nobody's.

    Raises:
        InputError: The file, or `trust`, cannot be read.
        UsageError: `trust` was given and c2pa-python is not installed.
    """
    photo = read_photo(source, max_megapixels=max_megapixels)
    label = read_label(photo.xmp) or Label()
    manifest = _manifest(photo.source_bytes, photo.format, photo.xmp, trust)
    held = {
        "EXIF": photo.exif,
        "XMP": photo.xmp,
        "IPTC": iptc_of(photo.notes),
        "ICC": photo.icc,
        "comment": photo.notes.comments,
        "location": holds_location(photo),
    }
    return Inspection(
        format=photo.format,
        size=(photo.pixels.shape[0], photo.pixels.shape[1]),
        label=label,
        restored=label.is_ours or bool(manifest.networks),
        manifest=manifest,
        holds=tuple(name for name, there in held.items() if there),
    )


def _manifest(data: bytes, format: str, xmp: bytes | None, trust: Path | None) -> Manifest:
    there = holds_manifest(data, format, xmp)
    if trust is None and not there:
        return Manifest()
    try:
        c2pa = require_library("reading a manifest")
    except UsageError:
        if trust is not None:
            raise
        return Manifest(state="unread")
    settings: dict[str, Any] = {"verify": {"verify_trust": True, "remote_manifest_fetch": False}}
    if trust is not None:
        try:
            settings["trust"] = {"trust_anchors": trust.read_text("ascii")}
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise InputError(f"cannot read {trust}: {reason}; give certificates as PEM") from error
    if not there or format not in MIME:
        return Manifest(state="unread" if there else "none")
    try:
        with (
            c2pa.Context(c2pa.Settings.from_dict(settings)) as context,
            c2pa.Reader(MIME[format], io.BytesIO(data), context=context) as reader,
        ):
            return _told(json.loads(reader.json()), str(reader.get_validation_state()))
    except c2pa.C2paError as error:
        return Manifest(state="unread", problems=(str(error),))


def _told(store: dict[str, Any], verdict: str) -> Manifest:
    states: dict[str, ManifestState] = {"Valid": "valid", "Trusted": "trusted"}
    active = store.get("manifests", {}).get(store.get("active_manifest"), {})
    signature = active.get("signature_info", {})
    actions: list[dict[str, Any]] = [
        action
        for assertion in active.get("assertions", ())
        if str(assertion.get("label", "")).startswith("c2pa.actions")
        for action in assertion.get("data", {}).get("actions", ())
    ]
    networks: dict[str, str] = {}
    for action in actions:
        networks |= action.get("parameters", {}).get("demask.networks", {})
    return Manifest(
        state=states.get(verdict, "invalid"),
        signer=signature.get("issuer"),
        when=signature.get("time") or next((action["when"] for action in actions if "when" in action), None),
        actions=tuple(str(action.get("action")) for action in actions),
        networks=tuple(networks.items()),
        originals=tuple(
            str(ingredient.get("title", "untitled")) + (" (signed)" if "active_manifest" in ingredient else "")
            for ingredient in active.get("ingredients", ())
        ),
        problems=tuple(
            str(entry.get("code"))
            for entry in store.get("validation_status", ())
            if entry.get("code") != "signingCredential.untrusted"
        ),
    )
