"""The folder layouts of FFHQ, KDEF and UTKFace as their publishers made them: file names to labels.

A face is named after what its publisher calls the picture (`00042`, `AF01ANS`), not after its folder,
so that a flat copy and the full tree give the same faces, splits and choices. A name that does not
follow the publisher's pattern is refused with a reason, never dropped in silence.

FFHQ: Karras, Laine and Aila, "A style-based generator architecture for generative adversarial
networks", CVPR 2019, and the readme of its data set. KDEF: Lundqvist, Flykt and Öhman, "The Karolinska
Directed Emotional Faces", Karolinska Institutet 1998, codes as on the publisher's site. UTKFace: Zhang,
Song and Qi, "Age progression/regression by conditional adversarial autoencoder", CVPR 2017, labels as
on the data set's page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from demask.dataset.entry import LICENCES, Entry, Listing, make_face_id, photo_files
from demask.errors import DatasetError

LayoutName = Literal["ffhq", "kdef", "utkface"]
GENDERS = {"male": "0", "female": "1"}
"""Codes of the label `gender`, in every layout; UTKFace's own."""
ETHNICITIES = ("White", "Black", "Asian", "Indian", "Others")
"""The label `ethnicity` is the place in this list; UTKFace's own order."""
KDEF_EXPRESSIONS = {
    "AF": "afraid",
    "AN": "angry",
    "DI": "disgusted",
    "HA": "happy",
    "NE": "neutral",
    "SA": "sad",
    "SU": "surprised",
}
KDEF_ANGLES = {
    "FL": "full left profile",
    "HL": "half left profile",
    "S": "straight",
    "HR": "half right profile",
    "FR": "full right profile",
}
FFHQ_FOLDERS = ("images1024x1024", "thumbnails128x128")
"""The first of these that is there is read: both hold the same pictures."""
_FFHQ_WILD = "in-the-wild-images"  # Whole photographs, often with several of the faces in them.
_FFHQ_NAME = re.compile(r"[0-6][0-9]{4}")
_KDEF_NAME = re.compile(
    rf"([AB])([FM])(0[1-9]|[12][0-9]|3[0-5])({'|'.join(KDEF_EXPRESSIONS)})({'|'.join(KDEF_ANGLES)})"
)
_UTKFACE_MAX_AGE = 116
_UTKFACE_TIME = re.compile(r"[0-9]{14,17}")  # yyyymmddHHMMSS and a fraction.
METADATA = "ffhq-dataset-v2.json"
_DATASET_LICENCE = "dataset: CC BY-NC-SA 4.0, non-commercial"
# Whatever else stands in a record (68 points three times over, checksums) is thrown away while
# reading, or the 255 MB of text would become more than a gigabyte of Python objects.
_WANTED = frozenset({"category", "metadata", "author", "license", "license_url", "photo_url"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    """What a file name says.

    Attributes:
        code: The publisher's name of the picture.
        person: Whose face, inside the source.
        labels: What the name says about the face.
    """

    code: str
    person: str
    labels: dict[str, str] = field(default_factory=dict)


def parse_ffhq(name: str) -> Named | str:
    """Read `00042.png`: its own identity. Returns the reason if the name does not fit."""
    stem = name.split(".", 1)[0]
    if not _FFHQ_NAME.fullmatch(stem):
        return "not an FFHQ name; need 00000 to 69999, such as 00042.png"
    return Named(code=stem, person=stem)


def parse_kdef(name: str) -> Named | str:
    """Read `AF01ANS.JPG`: session, gender, number, expression, angle, in either case.

    Both sessions show the same person. Returns the reason if the name does not fit.
    """
    stem = name.split(".", 1)[0].upper()
    found = _KDEF_NAME.fullmatch(stem)
    if not found:
        return (
            "not a KDEF name; need session A or B, gender F or M, number 01 to 35, expression "
            f"{' '.join(KDEF_EXPRESSIONS)}, angle {' '.join(KDEF_ANGLES)}, such as AF01ANS.JPG"
        )
    session, gender, number, expression, angle = found.groups()
    labels = {
        "session": session,
        "gender": GENDERS["female" if gender == "F" else "male"],
        "expression": KDEF_EXPRESSIONS[expression],
        "angle": KDEF_ANGLES[angle],
    }
    return Named(code=stem, person=gender + number, labels=labels)


def parse_utkface(name: str) -> Named | str:
    """Read `26_1_3_20170117175041574.jpg.chip.jpg`: age, gender, ethnicity, time of collection.

    Some published names lack a field or hold a stray space (`61_1_20170109142408075`,
    `53__0_20170116184028385`, `55_0_0_20170116232725357jpg`); such a face keeps the labels that its
    name has. With one field between age and time, 0 and 1 are read as the gender, whose place it is;
    2 to 4 can only be the ethnicity. Returns the reason if the name does not fit.
    """
    stem = name.split(".", 1)[0].strip()
    stem = re.sub(r"\s*(jpg)?$", "", stem, flags=re.IGNORECASE)
    age, *middle, time = stem.split("_") if "_" in stem else ("", stem)
    if not re.fullmatch(r"[0-9]{1,3}", age) or not _UTKFACE_TIME.fullmatch(time) or len(middle) > 2:
        return (
            "not a UTKFace name; need age_gender_ethnicity_time, such as 26_1_3_20170117175041574.jpg.chip.jpg"
        )
    if int(age) > _UTKFACE_MAX_AGE:
        return f"age {age} is out of range; UTKFace has 0 to {_UTKFACE_MAX_AGE}"
    if len(middle) == 1:
        middle = ["", *middle] if middle[0] not in GENDERS.values() else [*middle, ""]
    gender, ethnicity = middle or ("", "")
    labels = {"age": str(int(age))}
    if gender in GENDERS.values():
        labels["gender"] = gender
    if ethnicity in map(str, range(len(ETHNICITIES))):
        labels["ethnicity"] = ethnicity
    return Named(code=stem, person=stem, labels=labels)


def read_ffhq(root: Path) -> Listing:
    """List FFHQ: the tree as published, one of its picture folders, or a flat copy of one.

    Args:
        root: Folder with `images1024x1024`, else `thumbnails128x128`, else the pictures themselves.
            With `ffhq-dataset-v2.json` in it (or beside the picture folder), each face gets its
            author, photo page and licence.

    Raises:
        DatasetError: `root` is not a folder, or the metadata is damaged.
    """
    top = next((root / part for part in FFHQ_FOLDERS if (root / part).is_dir()), root)
    facts = read_metadata(root, *([root.parent] if root.name in FFHQ_FOLDERS else []))
    return _read(root, top, "ffhq", parse_ffhq, facts=facts)


def read_kdef(root: Path) -> Listing:
    """List KDEF: one folder per person and session, or all pictures in one.

    Raises:
        DatasetError: `root` is not a folder.
    """
    return _read(root, root, "kdef", parse_kdef)


def read_utkface(root: Path) -> Listing:
    """List UTKFace: aligned chips or the wild pictures, in any folders.

    Raises:
        DatasetError: `root` is not a folder.
    """
    return _read(root, root, "utkface", parse_utkface)


LAYOUTS: dict[str, Callable[[Path], Listing]] = {
    "ffhq": read_ffhq,
    "kdef": read_kdef,
    "utkface": read_utkface,
}


def _read(
    root: Path,
    top: Path,
    source: LayoutName,
    parse: Callable[[str], Named | str],
    *,
    facts: Mapping[str, FfhqFacts] | None = None,
) -> Listing:
    """Name every photograph under `top`; of two with one name the first in the alphabet stays."""
    entries: dict[str, Entry] = {}
    refused: dict[str, str] = {}
    for path, inside in photo_files(top):
        file = inside if top == root else f"{top.name}/{inside}"
        named = parse(path.name)
        if source == "ffhq" and _FFHQ_WILD in (root.name, *path.relative_to(root).parts):
            named = f"of {_FFHQ_WILD}, which hold several people; need the aligned pictures"
        if isinstance(named, str):
            refused[file] = named
        elif named.code in entries:
            refused[file] = f"has the same name as {entries[named.code].file}"
        else:
            known = (facts or {}).get(named.code)
            entries[named.code] = Entry(
                path=path,
                file=file,
                face_id=make_face_id(source, named.code),
                source=source,
                identity=f"{source}/{named.person}",
                labels=named.labels | (known.labels if known else {}),
                licence=known.licence if known and known.licence else LICENCES[source],
            )
    if not entries and refused:
        first = min(refused)
        raise DatasetError(
            f"none of the {len(refused)} pictures in {root} can be read as {source}: {first} is "
            f"{refused[first]}; photographs of any other name are read by --folder"
        )
    return Listing(entries=list(entries.values()), refused=refused)


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
