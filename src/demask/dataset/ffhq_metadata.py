"""FFHQ's `ffhq-dataset-v2.json`: whose photographs the pictures are, and under which licence."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demask.errors import DatasetError

METADATA = "ffhq-dataset-v2.json"
_DATASET_LICENCE = "dataset: CC BY-NC-SA 4.0, non-commercial"

# Whatever else stands in a record (68 points three times over, checksums) is thrown away while
# reading, or the 255 MB of text would become more than a gigabyte of Python objects.
_WANTED = frozenset({"category", "metadata", "author", "license", "license_url", "photo_url"})


@dataclass(frozen=True, kw_only=True, slots=True)
class FfhqFacts:
    """What the metadata says of one picture.

    Attributes:
        labels: category (training or validation), author, photo_url, licence; only those that are there.
        licence: The photograph's licence and the data set's, or empty.
    """

    labels: dict[str, str] = field(default_factory=dict)
    licence: str = ""


def read_metadata(*folders: Path) -> dict[str, FfhqFacts]:
    """Read the first metadata file found; none = nothing is known.

    Args:
        folders: Where to look.

    Returns:
        Facts keyed by the picture's five digits.

    Raises:
        DatasetError: The file is there but cannot be read.
    """
    path = next((folder / METADATA for folder in folders if (folder / METADATA).is_file()), None)
    if path is None:
        return {}
    try:
        with path.open(encoding="utf-8") as text:
            records = json.load(text, object_pairs_hook=_kept)
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"cannot read {path}: {error}; download it again, or move it away to do without its licences"
        ) from error
    if not isinstance(records, dict) or not all(
        number.isdigit() and isinstance(record, dict) for number, record in records.items()
    ):
        raise DatasetError(f'{path} holds no records of pictures; need {{"0": {{"metadata": ...}}, ...}}')
    return {number.zfill(5): _facts(record) for number, record in records.items()}


def _kept(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: value for key, value in pairs if key in _WANTED or (key.isascii() and key.isdigit())}


def _facts(record: dict[str, Any]) -> FfhqFacts:
    about = record.get("metadata")
    said = {**(about if isinstance(about, dict) else {}), "category": record.get("category")}
    text = {key: value for key, value in said.items() if isinstance(value, str) and value}
    labels = {key: text[key] for key in ("category", "author", "photo_url") if key in text}
    if "license" not in text:
        return FfhqFacts(labels=labels)
    url = f" ({text['license_url']})" if "license_url" in text else ""
    return FfhqFacts(
        labels={**labels, "licence": text["license"]},
        licence=f"picture: {text['license']}{url}; {_DATASET_LICENCE}",
    )
