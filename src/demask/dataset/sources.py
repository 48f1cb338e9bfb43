"""Where bare faces come from: a plain folder, one with an `index.csv`, or a known data set's own layout."""

from __future__ import annotations

import csv
import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from demask.dataset.entry import LICENCES, PHOTO_SUFFIXES, Entry, Listing, make_face_id, photo_files
from demask.dataset.layouts import KDEF_ANGLES, LAYOUTS, LayoutName
from demask.errors import ConfigError, DatasetError, UsageError

NOT_BARE = frozenset({"real_masked", "real_masked_scenes", "backgrounds"})
"""Sources of an index that are never read as bare faces unless they are named."""
INDEX_COLUMNS = ("file", "source", "identity")
STUDY_B_MIX: Mapping[str, int] = MappingProxyType({"ffhq": 1400, "kdef": 588, "utkface": 343})
"""Pictures that study B trained on (`docs/mission.md`, system 2): 2,331 in all.

Which ones is not published, so ours are drawn by the seed. The figures count photographs: those in
which no face is found are skipped and reported, not replaced.
"""
MIXES: Mapping[str, Mapping[str, int]] = MappingProxyType({"study-b": STUDY_B_MIX})


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A folder of photographs and how to read it; made by `folder`, `index` or `layout`.

    Attributes:
        kind: How to read it.
        path: The folder.
        name: What `take` and the manifest call it.
        only: Of an index, the sources to read; of KDEF, the angles; empty = all.
        licence: Rights, where the source itself does not say.
        take: How many of the photographs to use; None = all. Which ones is decided per photograph,
            by a hash of its face id: new files replace few of the chosen.
        seed: Another seed takes others.
    """

    kind: Literal["folder", "index"] | LayoutName
    path: Path
    name: str
    only: tuple[str, ...] = ()
    licence: str = "not stated"
    take: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.take is not None and self.take < 1:
            raise ConfigError(f"take of {self.name} is {self.take}; need at least 1, or leave the source out")

    def entries(self) -> list[Entry]:
        """List the photographs to use, sorted by face id; errors as in `listing`."""
        return self.listing().entries

    def listing(self) -> Listing:
        """List the photographs to use, sorted by face id, and the files whose names were refused.

        Raises:
            DatasetError: The folder, its index or metadata cannot be read, it holds nothing of what was
                asked for, or fewer photographs than `take`.
        """
        if self.kind == "folder":
            found = Listing(entries=_folder_entries(self))
        elif self.kind == "index":
            found = Listing(entries=_index_entries(self))
        else:
            found = LAYOUTS[self.kind](self.path)
            if self.only:
                angled = [entry for entry in found.entries if entry.labels.get("angle") in self.only]
                found = Listing(entries=angled, refused=found.refused)
        found = _without_broken_names(found)
        if not found.entries:
            raise DatasetError(
                f"no photographs in {self.path}"
                + (f" for {', '.join(self.only)}" if self.only else "")
                + f"; need files ending in {', '.join(sorted(PHOTO_SUFFIXES))}"
            )
        return Listing(entries=sorted(self._taken(found.entries), key=_face_id), refused=found.refused)

    def _taken(self, entries: list[Entry]) -> list[Entry]:
        if self.take is None:
            return entries
        if self.take > len(entries):
            raise DatasetError(
                f"{self.name} has {len(entries)} photographs in {self.path} but {self.take} shall be taken; "
                f"name a fuller folder, or take at most {len(entries)} (--take {self.name}={len(entries)})"
            )

        def draw(entry: Entry) -> bytes:
            return blake2b(f"{self.seed}/take/{entry.face_id}".encode(), digest_size=16).digest()

        return sorted(entries, key=draw)[: self.take]


def folder(path: Path, *, name: str | None = None, licence: str = "not stated") -> Source:
    """A plain folder, read with its subfolders.

    A photograph inside a subfolder has that (innermost) subfolder as its identity: one folder per
    person. A photograph at the top is its own identity.
    """
    return Source(kind="folder", path=Path(path), name=name or Path(path).resolve().name, licence=licence)


def index(path: Path, *, sources: tuple[str, ...] = ()) -> Source:
    """A folder with an `index.csv`: columns file, source, identity, licence if there is one, more as labels.

    Args:
        path: The folder, or the `index.csv` itself.
        sources: Which values of the column `source` to read; empty = all but `NOT_BARE`.
    """
    path = Path(path)
    root = path.parent if path.suffix == ".csv" else path
    return Source(kind="index", path=root, name=root.resolve().name, only=tuple(sorted(sources)))


def layout(name: LayoutName, path: Path, *, angles: tuple[str, ...] = ()) -> Source:
    """A data set in the folders and file names of its publisher, see `demask.dataset.layouts`.

    Args:
        name: ffhq, kdef or utkface.
        path: Its folder.
        angles: Of KDEF, the angles to read, as codes (`S`, `HL`, ...); empty = all five.

    Raises:
        ConfigError: An angle is unknown, or the data set has none.
    """
    unknown = [angle for angle in angles if angle.upper() not in KDEF_ANGLES]
    if unknown or (angles and name != "kdef"):
        raise ConfigError(
            f"there is no angle {', '.join(unknown or angles)} of {name}; "
            f"only kdef has angles: {', '.join(KDEF_ANGLES)}"
        )
    only = tuple(sorted({KDEF_ANGLES[angle.upper()] for angle in angles}))
    return Source(kind=name, path=Path(path), name=name, only=only, licence=LICENCES[name])


def read_takes(texts: Sequence[str], *, mix: str | None = None) -> dict[str, int]:
    """Read `NAME=NUMBER` of several sources, and add those of a named mix.

    Raises:
        UsageError: A text has another form, a name comes twice, or there is no such mix.
    """
    takes: dict[str, int] = {}
    if mix is not None:
        if mix not in MIXES:
            raise UsageError(f"there is no mix {mix!r}{_nearest(mix, MIXES)}; need one of {', '.join(MIXES)}")
        takes |= MIXES[mix]
    for text in texts:
        name, equals, number = text.rpartition("=")
        if not equals or not name or not (number.isascii() and number.isdigit()) or not 0 < int(number) < 10**9:
            raise UsageError(f"--take {text!r} cannot be read; need NAME=NUMBER, such as ffhq=1400")
        if name in takes:
            both = f"--mix {mix} and --take" if mix and name in MIXES[mix] else "--take"
            raise UsageError(f"{both} name {name} twice; give one number per source")
        takes[name] = int(number)
    return takes


def with_takes(sources: Sequence[Source], takes: Mapping[str, int], *, seed: int) -> tuple[Source, ...]:
    """Give each named source its number; sources that are not named are used whole.

    Args:
        sources: All sources of a build.
        takes: Photographs per source name.
        seed: Which photographs; see `Source`.

    Raises:
        UsageError: A name is no source of this build, or of more than one.
    """
    counts = Counter(source.name for source in sources)
    for name in takes:
        if name in LAYOUTS and not counts[name]:
            raise UsageError(f"{takes[name]} photographs of {name} are wanted; name its folder: --{name} DIR")
        if not counts[name]:
            raise UsageError(
                f"--take names {name!r}, which is no source of this build{_nearest(name, counts)}; "
                f"its sources are {', '.join(sorted(counts)) or 'none'}"
            )
        if counts[name] > 1:
            raise UsageError(f"--take {name} could be any of {counts[name]} sources; rename their folders")
    return tuple(
        replace(source, take=takes[source.name], seed=seed) if source.name in takes else source
        for source in sources
    )


def _face_id(entry: Entry) -> str:
    return entry.face_id


def _without_broken_names(found: Listing) -> Listing:
    """Refuse names that are no Unicode: neither JSON nor a tar could keep them."""
    entries: list[Entry] = []
    refused: dict[str, str] = {}
    for entry in found.entries:
        try:
            f"{entry.file}{entry.identity}".encode()
            entries.append(entry)
        except UnicodeEncodeError:
            refused[entry.file] = "its name or its folder's is no Unicode text; rename it"
    refused = {
        file.encode(errors="backslashreplace").decode(): reason
        for file, reason in (found.refused | refused).items()
    }
    return Listing(entries=entries, refused=refused)


def _folder_entries(source: Source) -> list[Entry]:
    entries = []
    for path, file in photo_files(source.path):
        person = file.rpartition("/")[0] or file
        entries.append(
            Entry(
                path=path,
                file=file,
                face_id=make_face_id(source.name, file),
                source=source.name,
                identity=f"{source.name}/{person}",
                licence=source.licence,
            )
        )
    return entries


def _index_entries(source: Source) -> list[Entry]:
    table = source.path / "index.csv"
    try:
        with table.open(newline="", encoding="utf-8") as lines:
            reader = csv.DictReader(lines)
            missing = [name for name in INDEX_COLUMNS if name not in (reader.fieldnames or [])]
            if missing:
                raise DatasetError(
                    f"{table} has no column {', '.join(missing)}; need {', '.join(INDEX_COLUMNS)}"
                )
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"cannot read {table}: {error}; need a CSV file of photographs") from error
    for number, row in enumerate(rows, start=1):
        if not row["file"] or not row["source"]:
            raise DatasetError(f"{table}, row {number} names no file or no source; complete or delete it")
    present = {row["source"] for row in rows}
    if unknown := [name for name in source.only if name not in present]:
        raise DatasetError(f"{table} has no source {', '.join(unknown)}; it has {', '.join(sorted(present))}")
    wanted = set(source.only) or present - NOT_BARE
    return [_row_entry(source, row) for row in rows if row["source"] in wanted]


def _row_entry(source: Source, row: dict[str, str]) -> Entry:
    told = (*INDEX_COLUMNS, "licence")
    labels = {key: value for key, value in row.items() if key and value and key not in told}
    return Entry(
        path=source.path / row["file"],
        file=row["file"],
        face_id=make_face_id(row["source"], row["file"]),
        source=row["source"],
        identity=row["identity"] or row["file"],
        labels=labels,
        licence=row.get("licence") or LICENCES.get(row["source"], source.licence),
    )


def _nearest(name: str, names: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {near[0]}?" if near else ""
