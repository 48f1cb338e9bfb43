"""Put the finished parts of a build together: drop duplicates, assign splits, write shards, manifest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from demask.atomic import replacing
from demask.dataset.manifest import MANIFEST, text_in
from demask.dataset.record import PARTS, dump_facts
from demask.dataset.shards import ShardWriter, tar_index
from demask.dataset.split import HASH_BITS, SPLITS, assign_splits
from demask.errors import DatasetError

SKIPPED_MEMBER = "skipped.json"
"""Of a part: the photographs without a face, and why."""

# These stay inside the shard: the manifest is for choosing and checking, not for training.
_ONLY_IN_SHARD = ("landmarks_float16_base64", "photo_box", "photo_points", "photo_to_crop")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """A face inside a part: its facts and where its files lie."""

    facts: dict[str, Any]
    part: Path
    spans: dict[str, tuple[int, int]]


def assemble(
    parts: Sequence[Path], out: Path, *, shard_size: int, val_percent: int, test_percent: int
) -> dict[str, Any]:
    """Write `<split>-<number>.tar` and the manifest from the parts.

    Args:
        parts: Tars of labelled faces, in the order that the shards shall have.
        out: Where to write.
        shard_size: Faces per shard.
        val_percent: Fraction of identities for validation.
        test_percent: Fraction of identities for testing.

    Returns:
        Counts, shards with their sha256, skipped photographs and duplicates, for `dataset.json`.

    Raises:
        DatasetError: A part is damaged (it is deleted, so that the next run makes it again), or there is
            not one face.
    """
    found: list[_Found] = []
    skipped: dict[str, str] = {}
    for part in parts:
        faces, left_out = _read_part(part)
        found += faces
        skipped |= left_out
    num_photographs = len(found) + len(skipped)
    kept, duplicates = _without_duplicates(found)
    if not kept:
        reasons = Counter(reason.split(": ", 1)[-1] for reason in skipped.values())
        raise DatasetError(
            f"no face in {num_photographs} photographs ({reasons.most_common(1)[0][0]}); "
            "need photographs of bare faces"
        )
    splits, near = assign_splits(
        [face.facts["identity"] for face in kept],
        [face.facts["phash"] for face in kept],
        [face.facts["phash_mirrored"] for face in kept],
        val_percent=val_percent,
        test_percent=test_percent,
    )
    for stale in out.glob("*-[0-9]*.tar"):  # Of a run that was killed here.
        stale.unlink()
    rows: list[dict[str, Any]] = []
    shards: dict[str, str] = {}
    for split in SPLITS:
        chosen = [face for face, its in zip(kept, splits, strict=True) if its == split]
        for number, at in enumerate(range(0, len(chosen), shard_size)):
            path = out / f"{split}-{number:05d}.tar"
            rows += _write_shard(path, chosen[at : at + shard_size], split)
            with path.open("rb") as file:
                shards[path.name] = file_digest(file, "sha256").hexdigest()
    lines = b"".join(dump_facts(row) + b"\n" for row in rows)
    with replacing(out / MANIFEST) as temporary:
        temporary.write_bytes(lines)
    return {
        "num_faces": len(rows),
        "num_photographs": num_photographs,
        "num_identities": len({row["identity"] for row in rows}),
        "per_split": {split: splits.count(split) for split in SPLITS},
        "per_source": dict(sorted(Counter(row["source"] for row in rows).items())),
        "shards": shards,
        "manifest_sha256": sha256(lines).hexdigest(),
        "skipped": skipped,
        "duplicates": duplicates,
        "near_pairs": len(near),
        "near_pairs_across_identities": [
            [kept[i].facts["face_id"], kept[j].facts["face_id"]]
            for i, j in near
            if kept[i].facts["identity"] != kept[j].facts["identity"]
        ],
    }


def _read_part(part: Path) -> tuple[list[_Found], dict[str, str]]:
    try:
        index = tar_index(part)
        with part.open("rb") as file:

            def read(name: str) -> Any:
                offset, size = index[name]
                file.seek(offset)
                return json.loads(file.read(size))

            skipped: dict[str, str] = read(SKIPPED_MEMBER)
            found = []
            for name in index:
                if not name.endswith(".json") or name == SKIPPED_MEMBER:
                    continue
                key = name.removesuffix(".json")
                spans = {member: index[f"{key}.{member}"] for member in PARTS}
                facts = read(name)
                for fact in ("face_id", "source", "identity", "source_sha256"):
                    text_in(facts, fact)
                for fact in ("phash", "phash_mirrored"):
                    if len(bytes.fromhex(facts[fact])) * 8 != HASH_BITS:
                        raise ValueError(f"{fact} is {facts[fact]!r}")
                found.append(_Found(facts=facts, part=part, spans=spans))
    except (DatasetError, KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        part.unlink(missing_ok=True)
        raise DatasetError(
            f"{part.name} of an earlier run is damaged ({error}) and was deleted; run the same command again"
        ) from error
    return found, skipped


def _without_duplicates(found: Sequence[_Found]) -> tuple[list[_Found], dict[str, str]]:
    """Keep one of each set of equal files: the one whose face id comes first in the alphabet."""
    keeper: dict[str, str] = {}
    for face in found:
        digest, face_id = face.facts["source_sha256"], face.facts["face_id"]
        keeper[digest] = min(keeper.get(digest, face_id), face_id)
    kept, duplicates = [], {}
    for face in found:
        first = keeper[face.facts["source_sha256"]]
        if face.facts["face_id"] == first:
            kept.append(face)
        else:
            duplicates[face.facts["face_id"]] = first
    return kept, duplicates


def _write_shard(path: Path, faces: Sequence[_Found], split: str) -> list[dict[str, Any]]:
    rows = []
    writer = ShardWriter(path)
    try:
        for face in faces:
            facts = face.facts | {"split": split}
            members = {"json": dump_facts(facts)}
            with face.part.open("rb") as file:
                for member, (offset, size) in face.spans.items():
                    if member != "json":
                        file.seek(offset)
                        members[member] = file.read(size)
            writer.add_face(facts["face_id"], members)
            row = {key: value for key, value in facts.items() if key not in _ONLY_IN_SHARD}
            rows.append(row | {"shard": path.name, "crop_sha256": sha256(members["crop.jpg"]).hexdigest()})
    except BaseException:
        writer.discard()
        raise
    writer.finish()
    return rows
