"""Sets that somebody damaged or made up: every fault is a DatasetError, and nothing outside is read."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from drawn_faces import draw_photo, labellers, save_photo

from demask.dataset import frozen_set, sources
from demask.dataset.build import BuildConfig, build
from demask.dataset.manifest import DATASET, MANIFEST, damaged_files, read_dataset
from demask.dataset.shards import FaceShards, tar_index
from demask.errors import DatasetError

ODD: tuple[object, ...] = (
    None, -1, 10**400, float("inf"), float("nan"), True, "x", "", "\0", "\ud800", "../x.tar", "/etc/hosts",
    "x\\y.tar", ".tar", [], [1], [[1]], {}, {"a": 1}, {"a": []},
)  # fmt: skip
BLOCK = 512  # Bytes of a tar's header.


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a small set."""
    root = tmp_path_factory.mktemp("built")
    for seed in range(4):
        save_photo(root / "photos" / f"p{seed}.jpg", draw_photo(seed))
    config = BuildConfig(
        sources=(sources.folder(root / "photos"),), out=root / "set", workers=1, val_percent=0, test_percent=0
    )
    build(config, labellers=labellers)
    return {path.name: path.read_bytes() for path in (root / "set").iterdir()}


@pytest.fixture
def spoilt(built: dict[str, bytes], tmp_path: Path) -> Callable[..., Path]:
    """A function that writes the set with some files replaced."""

    def write(**replaced: bytes) -> Path:
        for name, data in built.items():
            (tmp_path / name).write_bytes(replaced.get(name.rsplit(".")[-1], data))
        return tmp_path

    return write


def use(folder: Path) -> None:
    """All that is read of a set; only DatasetError may come out."""
    for skip_damaged in (False, True):
        with suppress(DatasetError):
            faces = FaceShards(folder, skip_damaged=skip_damaged)
            for i, entry in enumerate(faces.entries):
                assert entry.sharpness + entry.scale + entry.valid_fraction < 1e9
                assert all(isinstance(text, str) for text in entry.labels.values())
                with suppress(DatasetError):
                    record = faces[i]
                    assert record.crop.shape == (256, 256, 3)
                    assert record.photo_points.sum() < 1e9
    with suppress(DatasetError):
        damaged_files(folder)


def headers(data: bytes, folder: Path) -> Iterator[int]:
    """Where the headers of a tar lie."""
    (folder / "whole.tar").write_bytes(data)
    yield from (at - BLOCK for at, _ in tar_index(folder / "whole.tar").values())
    (folder / "whole.tar").unlink()


def with_checksum(header: bytearray) -> bytes:
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def test_mutated_tar_headers(built: dict[str, bytes], spoilt: Callable[..., Path], tmp_path: Path) -> None:
    rng = random.Random(0)
    (tar,) = (data for name, data in built.items() if name.endswith(".tar"))
    places = list(headers(tar, tmp_path))
    sizes = (b"\xff" * 12, b"\x80" + b"\xff" * 11, b"\x80" + b"\0" * 10 + b"\x10", b"77777777777\0")
    bodies = (
        b"30 path=../x\n",
        b"99999999999 path=x\n",
        b"11 size=-5\n",
        b"12 size=abc\n",
        b"21 GNU.sparse.map=1\n",
    )
    for _ in range(150):
        data, at = bytearray(tar), rng.choice(places)
        header = data[at : at + BLOCK]
        if rng.random() < 0.5:
            header[156] = rng.choice(b"0123456789LKSxgVDMNX")
        if rng.random() < 0.4:
            header[124:136] = rng.choice(sizes)
        for _ in range(rng.choice((0, 1, 8))):
            header[rng.randrange(BLOCK)] = rng.randrange(256)
        data[at : at + BLOCK] = with_checksum(header) if rng.random() < 0.9 else header
        if rng.random() < 0.4:
            body = rng.choice(bodies)
            data[at + BLOCK : at + BLOCK + len(body)] = body
        use(spoilt(tar=bytes(data)))


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_manifest_of_odd_values(built: dict[str, bytes], spoilt: Callable[..., Path], odd: object) -> None:
    rows = [json.loads(line) for line in built[MANIFEST].splitlines()]
    for name in rows[0]:
        changed = [{**rows[0], name: odd}, *rows[1:]]
        use(spoilt(jsonl="\n".join(map(json.dumps, changed)).encode()))
    for name in rows[0]:
        use(spoilt(jsonl=json.dumps({key: value for key, value in rows[0].items() if key != name}).encode()))


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_face_of_odd_values(
    built: dict[str, bytes], spoilt: Callable[..., Path], tmp_path: Path, odd: object
) -> None:
    (tar,) = (data for name, data in built.items() if name.endswith(".tar"))
    (tmp_path / "whole.tar").write_bytes(tar)
    at, size = next(span for name, span in tar_index(tmp_path / "whole.tar").items() if name.endswith(".json"))
    facts = json.loads(tar[at : at + size])
    spare = ("source_sha256", "phash", "phash_mirrored", "file")  # Make room: nothing reads them here.
    facts = {name: value for name, value in facts.items() if name not in spare}
    for name in facts:
        text = json.dumps({**facts, name: odd}).encode()
        if len(text) <= size:
            use(spoilt(tar=tar[:at] + text.ljust(size) + tar[at + size :]))


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_summary_of_odd_values(built: dict[str, bytes], spoilt: Callable[..., Path], odd: Any) -> None:
    facts = json.loads(built[DATASET])
    for name in facts:
        use(spoilt(json=json.dumps({**facts, name: odd}).encode()))
    shard = next(iter(facts["shards"]))
    for shards in ({shard: odd}, {str(odd): facts["shards"][shard]}):
        use(spoilt(json=json.dumps({**facts, "shards": shards}).encode()))


@pytest.mark.parametrize("shard", ["../x.tar", "/tmp/x.tar", "a/x.tar", "..", "x\0.tar", ".tar", "a\\x.tar"])
def test_a_shard_is_a_plain_name(
    built: dict[str, bytes], spoilt: Callable[..., Path], tmp_path: Path, shard: str
) -> None:
    folder = spoilt()
    (name,) = (name for name in built if name.endswith(".tar"))
    (folder.parent / "x.tar").write_bytes(built[name])  # There is something to be led to.
    manifest = (folder / MANIFEST).read_text().replace(json.dumps(name), json.dumps(shard))
    (folder / MANIFEST).write_text(manifest)
    with pytest.raises(DatasetError, match="name of a tar in the same folder"):
        FaceShards(folder)
    summary = (folder / DATASET).read_text().replace(json.dumps(name), json.dumps(shard))
    (folder / DATASET).write_text(summary)
    with pytest.raises(DatasetError, match="name of a tar in the same folder"):
        read_dataset(folder)


def frozen(folder: Path, row: object) -> Path:
    manifest = json.dumps(row).encode() + b"\n"
    (folder / frozen_set.MANIFEST).write_bytes(manifest)
    facts = {"sha256": frozen_set.set_sha256(manifest), "slices": {"seen": 1}}
    (folder / frozen_set.SET).write_text(json.dumps(facts))
    return folder


@pytest.mark.parametrize("path", ["../secret.png", "/etc/hosts", "seen/../../x.png", "..\\x.png"])
def test_a_frozen_set_reads_nothing_outside(tmp_path: Path, path: str) -> None:
    row = {"slice": "seen", "face_id": "a", "source": "b", "files": {"face": {"path": path, "sha256": "0"}}}
    with pytest.raises(DatasetError, match="inside the set"):
        frozen_set.read_manifest(frozen(tmp_path, row))


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_frozen_manifest_of_odd_values(tmp_path: Path, odd: object) -> None:
    (tmp_path / "x.png").write_bytes(b"no picture")
    whole = {
        "slice": "seen", "face_id": "a", "source": "b", "points": [[0, 0]] * 5, "recipe": {}, "labels": {},
        "files": {"face": {"path": "x.png", "sha256": frozen_set.sha256_of(b"no picture")}},
    }  # fmt: skip
    rows = [odd, *({**whole, name: odd} for name in whole), {**whole, "files": {"face": odd}}]
    for row in rows:
        with pytest.raises(DatasetError):
            list(frozen_set.load_frozen(frozen(tmp_path, row)))
