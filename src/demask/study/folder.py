"""A study's folder: plan, pictures, assignment and database, made once and opened by every other command.

::

    plan.toml        the plan, byte for byte
    study.json       pictures by id with condition, face, size and sha256; labels; seed
    assignment.csv   every trial of every planned person
    pictures/        copies named by their id (none where pictures are referred to)
    words/           languages of the plan that we do not bring
    study.sqlite     people and answers (unless they live in PostgreSQL)
    simulated.sqlite a rehearsal's, by `demask study simulate`
    machines.sqlite  what networks answered, by `demask study judge`
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demask.csv_text import csv_text
from demask.errors import InputError, OutputError, OutputExists, UsageError
from demask.study.anchors import make_anchors
from demask.study.assign import Assignment
from demask.study.blocks import ANCHOR, REFERENCE, TRUTH, MushraBlock
from demask.study.database import sqlite_url
from demask.study.effects import Effects
from demask.study.language import Language, read_languages
from demask.study.pictures import Picture, collect, picture_id, read_labels
from demask.study.plan import Plan
from demask.study.plan_file import parse_plan, read_plan
from demask.study.simulate import simulate
from demask.study.store import Store
from demask.study.trials import FaceLabel, Trial

_PLAN, _STUDY, _ASSIGNMENT, _PICTURES = "plan.toml", "study.json", "assignment.csv", "pictures"
_WORDS = "words"
_REAL, _SIMULATED, _MACHINES = "study.sqlite", "simulated.sqlite", "machines.sqlite"


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyFolder:
    """An opened study.

    Attributes:
        path: The folder.
        plan: What it asks of whom.
        plan_text: The plan file's text.
        labels: What is known of each face.
        files: Picture id to file.
        ids: (condition, face) to picture id.
        languages: Words of the pages by language.
    """

    path: Path
    plan: Plan
    plan_text: str
    labels: Mapping[str, FaceLabel]
    files: Mapping[str, Path]
    ids: Mapping[tuple[str, str], str]
    languages: Mapping[str, Language]

    def url(self, database: str | None = None, *, simulated: bool = False) -> str:
        """The URL of the people's database, or of the rehearsal's."""
        if simulated:
            return sqlite_url(self.path / _SIMULATED)
        return database or sqlite_url(self.path / _REAL)

    def store(self, database: str | None = None, *, simulated: bool = False) -> Store:
        """Open the database.

        Args:
            database: URL where the study does not keep its people in the folder.
            simulated: Open the rehearsal's instead.

        Raises:
            InputError: There was no rehearsal yet, or the database holds no study, another one, or answers of
                another kind.
        """
        if simulated and not (self.path / _SIMULATED).exists():
            raise InputError(f"{self.path} was not rehearsed yet; run `demask study simulate {self.path}`")
        if not simulated and not database and not (self.path / _REAL).exists():
            raise InputError(f"{self.path} has no {_REAL}; name its database with --database URL")
        store = Store.open(self.url(database, simulated=simulated))
        if store.plan_text != self.plan_text:
            store.close()
            raise InputError(f"the database holds another study than {self.path}; name the right one")
        if store.simulated != simulated:
            kind = "networks" if store.machines else "simulated people" if store.simulated else "real people"
            store.close()
            raise InputError(f"the database holds answers of {kind}, which mix with no others; name another")
        return store

    def machines(self) -> Store:
        """Open what networks answered.

        Raises:
            InputError: They have not judged this study.
        """
        path = self.path / _MACHINES
        if not path.exists():
            raise InputError(f"no machine has judged {self.path} yet; run `demask study judge {self.path}`")
        return Store.open(sqlite_url(path))

    def new_machines(self, *, overwrite: bool = False) -> Store:
        """Make the database that networks answer into.

        Raises:
            OutputExists: There is one already and `overwrite` is False.
        """
        path = self.path / _MACHINES
        _make_room(path, overwrite=overwrite, again="to judge again")
        return Store.create(sqlite_url(path), self.plan_text, self.labels, machines=True)

    def rehearse(self, effects: Effects, *, people: int, seed: int = 0, overwrite: bool = False) -> Store:
        """Let simulated people take part, in a database of their own.

        Raises:
            OutputExists: There was a rehearsal already and `overwrite` is False.
        """
        path = self.path / _SIMULATED
        _make_room(path, overwrite=overwrite, again="to rehearse again")
        store = Store.create(sqlite_url(path), self.plan_text, self.labels, simulated=True)
        simulate(store, effects, people=people, seed=seed)
        return store


def _make_room(path: Path, *, overwrite: bool, again: str) -> None:
    if path.exists():
        if not overwrite:
            raise OutputExists(f"{path} exists; pass --overwrite {again}")
        for end in ("", "-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """What `new_study` made: counts for the user."""

    num_faces: int
    num_pictures: int
    trials_per_person: int
    people: int


def new_study(
    plan_path: Path,
    out: Path,
    folders: Mapping[str, Path],
    *,
    labels: Path | None = None,
    words: Mapping[str, Path] | None = None,
    refer: bool = False,
    database: str | None = None,
    dry_run: bool = False,
) -> Made:
    """Make a study's folder; it appears whole or not at all.

    Args:
        plan_path: TOML file.
        out: Folder to make.
        folders: Condition (systems, `truth`, `masked`) to folder of pictures.
        labels: CSV, see `pictures.read_labels`.
        words: Language to a TOML file of its words, see `language`.
        refer: Leave the pictures where they are instead of copying them.
        database: URL to keep people in; None = SQLite in the folder.
        dry_run: Check everything, write nothing.

    Raises:
        OutputExists: `out` exists, or the database holds a study.
        OutputError: `out` cannot be made.
        ConfigError, InputError, UsageError: Plan, pictures or labels that cannot be used.
    """
    if out.exists():
        raise OutputExists(f"{out} exists; a study is never changed, name a new folder")
    plan = read_plan(plan_path)
    for code in words or {}:
        if code not in plan.languages:
            raise UsageError(f"the plan does not speak {code!r}; its languages are {', '.join(plan.languages)}")
    read_languages(plan.languages, words or {})
    with ExitStack() as stack:
        if ANCHOR in plan.conditions and ANCHOR not in folders and TRUTH in folders:
            made_here = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="demask-anchor-")))
            folders = {**folders, ANCHOR: make_anchors(folders[TRUTH], made_here)}
        return _new(plan, plan_path, out, folders, labels, words or {}, refer, database, dry_run)


def _new(
    plan: Plan,
    plan_path: Path,
    out: Path,
    folders: Mapping[str, Path],
    labels: Path | None,
    words: Mapping[str, Path],
    refer: bool,
    database: str | None,
    dry_run: bool,
) -> Made:
    pictures = collect(plan, folders)
    known = read_labels(labels, sorted({picture.face for picture in pictures}))
    assignment = Assignment(plan, known)
    made = Made(
        num_faces=len(known),
        num_pictures=len(pictures),
        trials_per_person=len(assignment.trials(0)),
        people=plan.people,
    )
    if dry_run:
        return made
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as name:
            part = Path(name) / "study"
            part.mkdir()
            _write(part, plan_path, pictures, known, assignment, words, refer=refer)
            url = database or sqlite_url(part / _REAL)
            Store.create(url, (part / _PLAN).read_text(encoding="utf-8"), known).close()
            part.rename(out)
    except OSError as error:
        raise OutputError(
            f"cannot make {out}: {error.strerror or error}; name another place or free it"
        ) from error
    return made


def open_study(path: Path) -> StudyFolder:
    """Open what `new_study` made.

    Raises:
        InputError: The folder holds no study.
    """
    try:
        facts = json.loads((path / _STUDY).read_text(encoding="utf-8"))
        plan_text = (path / _PLAN).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"{path} holds no study; make one with `demask study new`") from error
    pictures = facts["pictures"]
    named = {(picture["condition"], picture["face"]): name for name, picture in pictures.items()}
    files = {name: path / picture["file"] for name, picture in pictures.items()}
    plan = parse_plan(plan_text)
    if any(isinstance(block, MushraBlock) for block in plan.blocks):
        # Its open reference is the hidden one under another name.
        for (condition, face), name in [*named.items()]:
            if condition == TRUTH:
                named[REFERENCE, face] = picture_id(facts["seed"], REFERENCE, face)
                files[named[REFERENCE, face]] = files[name]
    own = {code: path / _WORDS / f"{code}.toml" for code in plan.languages}
    return StudyFolder(
        path=path,
        plan=plan,
        plan_text=plan_text,
        labels={face: FaceLabel(**label) for face, label in facts["labels"].items()},
        files=files,
        ids=named,
        languages=read_languages(plan.languages, {code: file for code, file in own.items() if file.exists()}),
    )


def _write(
    part: Path,
    plan_path: Path,
    pictures: list[Picture],
    labels: Mapping[str, FaceLabel],
    assignment: Assignment,
    words: Mapping[str, Path],
    *,
    refer: bool,
) -> None:
    shutil.copyfile(plan_path, part / _PLAN)
    for code, path in words.items():
        (part / _WORDS).mkdir(exist_ok=True)
        shutil.copyfile(path, part / _WORDS / f"{code}.toml")
    listed: dict[str, Any] = {}
    for picture in pictures:
        file = str(picture.path.resolve())
        if not refer or picture.condition == ANCHOR:
            (part / _PICTURES).mkdir(exist_ok=True)
            file = f"{_PICTURES}/{picture.picture_id}{picture.path.suffix.lower()}"
            shutil.copyfile(picture.path, part / file)
        listed[picture.picture_id] = {
            "condition": picture.condition,
            "face": picture.face,
            "file": file,
            "sha256": picture.sha256,
            "width": picture.size[0],
            "height": picture.size[1],
        }
    facts = {
        "title": assignment.plan.title,
        "seed": assignment.plan.seed,
        "labels": {face: dataclasses.asdict(label) for face, label in sorted(labels.items())},
        "pictures": listed,
    }
    (part / _STUDY).write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (part / _ASSIGNMENT).write_text(_assignment_csv(assignment), encoding="utf-8")


def _assignment_csv(assignment: Assignment) -> str:
    names = [field.name for field in dataclasses.fields(Trial)]
    trials = (trial for slot in range(assignment.plan.people) for trial in assignment.trials(slot))
    return csv_text(names, ([getattr(trial, name) for name in names] for trial in trials))
