"""`demask dataset build`: folders of face photographs to tar shards.

Photographs are labelled in parts of 100. A finished part is kept on disk, so a killed run goes on where
it was. When all parts are there, duplicates are dropped, splits assigned, and the shards put together
from the parts' bytes; `dataset.json` comes last and says that the set is complete.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from demask.atomic import remove_leftovers, replacing
from demask.dataset.assemble import SKIPPED_MEMBER, assemble
from demask.dataset.entry import Entry
from demask.dataset.manifest import DATASET
from demask.dataset.record import dump_facts
from demask.dataset.shards import ShardWriter
from demask.dataset.sources import Source
from demask.dataset.worker import Job, LabellerFactory, Outcome, OwnLabellers, TeacherLabellers, running_workers
from demask.errors import ConfigError, DatasetError, OutputError

logger = logging.getLogger(__name__)

FORMAT_VERSION = 1
PART_FACES = 100
PARTS_FOLDER = ".parts"


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildConfig:
    """What to build and how."""

    sources: tuple[Source, ...]  # From `demask.dataset.sources.folder`, `.index` and `.layout`.
    out: Path  # A new folder, or one that a killed build left.
    seed: int = 0  # Order of the faces inside the shards; never the split.
    shard_size: int = 500  # Faces per shard.
    jpeg_quality: int = 95
    photo_px: int = 384  # Longest side of the kept photograph.
    workers: int = 2
    val_percent: int = 10
    test_percent: int = 10
    labels: str = "own"  # The networks of the package; or "teachers", YuNet and FaceMesh.
    weights: Path | None = None  # Folder of the teachers; None = where the weights registry finds them.

    def __post_init__(self) -> None:
        for name, low, high in (
            ("shard_size", 1, 100_000),
            ("jpeg_quality", 1, 100),
            ("photo_px", 64, 8192),
            ("workers", 1, 1024),
            ("val_percent", 0, 100),
            ("test_percent", 0, 100),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"{name} is {value}; need {low} to {high}")
        if self.val_percent + self.test_percent > 100:
            raise ConfigError(
                f"val_percent {self.val_percent} and test_percent {self.test_percent} exceed 100 together"
            )
        if self.labels not in ("own", "teachers"):
            raise ConfigError(f"labels is {self.labels!r}; choose own or teachers")
        if self.weights is not None and self.labels != "teachers":
            raise ConfigError("weights names a folder of the teachers, but labels is 'own'; choose one")
        if not self.sources:
            raise ConfigError("no source named; need at least one folder of photographs")


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildReport:
    """What a build did."""

    out: Path
    num_faces: int
    num_shards: int
    per_split: dict[str, int]
    per_source: dict[str, int]
    skipped: dict[str, str] = field(default_factory=dict)  # face_id: reason.
    refused: dict[str, str] = field(default_factory=dict)  # source/file whose name does not fit: reason.
    duplicates: dict[str, str] = field(default_factory=dict)  # face_id left out: face_id kept.
    near_pairs: int = 0
    resumed: int = 0  # Photographs that an earlier run had done.


def build(
    config: BuildConfig,
    *,
    progress: Callable[[int, int, str], None] | None = None,
    labellers: LabellerFactory | None = None,
) -> BuildReport:
    """Build the set; a second call after a kill goes on, after the end returns the same report.

    Args:
        config: What to build.
        progress: Called as (done, total, file) after each photograph.
        labellers: Makes, once per process, what labels photographs; None = as `config.labels` says. Must be
            picklable if there is more than one worker.

    Raises:
        DatasetError: `config.out` holds another set, a source is empty, or no face was found at all.
        OutputError: `config.out` cannot be written, or the disk is full; what is done is kept.
        WeightsError: The teachers are missing.
    """
    parts_folder = config.out / PARTS_FOLDER
    for folder in (config.out, parts_folder):
        remove_leftovers(folder)
    entries, refused = _planned(config)
    plan = _digest(config, entries)
    done = _finished(config, plan)
    if done is not None:
        return done
    if labellers is None:
        own = config.labels == "own"
        labellers = OwnLabellers.checked() if own else TeacherLabellers.checked(config.weights)
    chunks = [entries[at : at + PART_FACES] for at in range(0, len(entries), PART_FACES)]
    parts = [parts_folder / f"part-{_digest(config, chunk)}.tar" for chunk in chunks]
    tell = progress or (lambda done, total, file: None)
    try:
        parts_folder.mkdir(parents=True, exist_ok=True)
        resumed = sum(len(chunk) for chunk, part in zip(chunks, parts, strict=True) if part.exists())
        count = 0
        with running_workers(config.workers if resumed < len(entries) else 0, labellers) as run:
            for chunk, part in zip(chunks, parts, strict=True):
                if part.exists():
                    count += len(chunk)
                    tell(count, len(entries), chunk[-1].file)
                    continue
                for file in _write_part(config, chunk, part, run):
                    count += 1
                    tell(count, len(entries), file)
        facts = assemble(
            parts,
            config.out,
            shard_size=config.shard_size,
            val_percent=config.val_percent,
            test_percent=config.test_percent,
        )
        facts |= {
            "format_version": FORMAT_VERSION,
            "plan": plan,
            "config": _public(config),
            "refused": refused,
        }
        _write_json(config.out / DATASET, facts)
    except OSError as error:
        raise OutputError(
            f"cannot write to {config.out}: {error.strerror or error}; make room or choose another folder, "
            "then run the same command again to go on"
        ) from error
    shutil.rmtree(parts_folder, ignore_errors=True)
    return _report(config.out, facts, resumed=resumed)


def _write_part(
    config: BuildConfig, chunk: list[Entry], part: Path, run: Callable[[list[Job]], Iterator[Outcome]]
) -> Iterator[str]:
    """Label the photographs of one part; yields each file's name when it is done."""
    jobs = [Job(entry=entry, jpeg_quality=config.jpeg_quality, photo_px=config.photo_px) for entry in chunk]
    skipped: dict[str, str] = {}
    writer = ShardWriter(part)
    try:
        for entry, outcome in zip(chunk, run(jobs), strict=True):
            if outcome.parts is None:
                skipped[entry.face_id] = f"{entry.file}: {outcome.reason}"
                logger.warning("skipped %s: %s", entry.file, outcome.reason)
            else:
                writer.add_face(entry.face_id, outcome.parts)
            yield entry.file
        writer.add(SKIPPED_MEMBER, dump_facts(skipped))
        writer.finish()
    except BaseException:
        writer.discard()
        raise


def _planned(config: BuildConfig) -> tuple[list[Entry], dict[str, str]]:
    """All photographs in the order of the shards (shuffled by a hash, so that sources mix); files refused."""
    entries: list[Entry] = []
    refused: dict[str, str] = {}
    for source in config.sources:
        listing = source.listing()
        entries += listing.entries
        refused |= {f"{source.name}/{file}": reason for file, reason in listing.refused.items()}
        if listing.refused:
            logger.warning("%s: files left out for their names: %d", source.name, len(listing.refused))
    repeated = [name for name, count in Counter(entry.face_id for entry in entries).items() if count > 1]
    if repeated:
        raise DatasetError(
            f"{len(repeated)} photographs are named twice, such as {repeated[0]}; "
            "name each source once, and give folders of equal name different names"
        )

    def order(entry: Entry) -> bytes:
        return blake2b(f"{config.seed}/order/{entry.face_id}".encode(), digest_size=16).digest()

    return sorted(entries, key=order), refused


def _digest(config: BuildConfig, entries: list[Entry]) -> str:
    """Fingerprint of some photographs and of every setting that changes their bytes."""
    digest = blake2b(digest_size=12)
    digest.update(json.dumps([FORMAT_VERSION, _public(config)], sort_keys=True).encode())
    for entry in entries:
        try:
            size = entry.path.stat().st_size
        except OSError:
            size = -1  # Will be reported as unreadable when its turn comes.
        digest.update(f"{entry.face_id}\0{entry.identity}\0{sorted(entry.labels.items())}\0{size}\n".encode())
    return digest.hexdigest()


def _public(config: BuildConfig) -> dict[str, Any]:
    """The settings that shape the set; paths by their last name, so that a moved set stays the same."""
    return {
        "sources": [_public_source(source) for source in config.sources],
        "seed": config.seed,
        "shard_size": config.shard_size,
        "jpeg_quality": config.jpeg_quality,
        "photo_px": config.photo_px,
        "val_percent": config.val_percent,
        "test_percent": config.test_percent,
        # Not said of the teachers, who were the default once: older sets keep the plan they were built by.
        **({} if config.labels == "teachers" else {"labels": config.labels}),
    }


def _public_source(source: Source) -> dict[str, Any]:
    facts = {"kind": source.kind, "name": source.name, "only": list(source.only), "licence": source.licence}
    # Said only where it is asked for, so that sets without it keep the plan that they were built by.
    return facts if source.take is None else {**facts, "take": source.take, "take_seed": source.seed}


def _finished(config: BuildConfig, plan: str) -> BuildReport | None:
    out = config.out
    path = out / DATASET
    if not path.exists():
        return None
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts["plan"] == plan:
            shutil.rmtree(out / PARTS_FOLDER, ignore_errors=True)  # Of a run killed at the very end.
            return _report(out, facts, resumed=facts["num_photographs"])
        labels = facts["config"].get("labels", "teachers")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DatasetError(f"{path} is damaged: {error}; delete the folder and build again") from error
    raise DatasetError(
        f"{out} holds a finished set from other photographs or settings; choose another folder, "
        "or delete that one"
        + (f" (its labels are those of --labels {labels})" if labels != config.labels else "")
    )


def _report(out: Path, facts: dict[str, Any], *, resumed: int) -> BuildReport:
    return BuildReport(
        out=out,
        num_faces=facts["num_faces"],
        num_shards=len(facts["shards"]),
        per_split=facts["per_split"],
        per_source=facts["per_source"],
        skipped=facts["skipped"],
        refused=facts.get("refused", {}),  # Older sets do not say.
        duplicates=facts["duplicates"],
        near_pairs=facts["near_pairs"],
        resumed=resumed,
    )


def _write_json(path: Path, facts: dict[str, Any]) -> None:
    text = json.dumps(facts, indent=2, sort_keys=True, ensure_ascii=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
