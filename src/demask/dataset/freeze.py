"""`demask dataset freeze`: the test set that every figure is measured on, made once from a seed.

The same faces appear in every slice of aligned crops, so that two slices differ by their coverings
alone. The same command over the same shards gives the same bytes again, told by one sha256.
"""

from __future__ import annotations

import json
import logging
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from demask.atomic import remove_leftovers, replacing
from demask.coverings.outline import JAW
from demask.dataset.frozen_pictures import SLICES, store_crop, store_photo
from demask.dataset.frozen_set import MANIFEST, SET, load_frozen, read_info, set_sha256
from demask.dataset.record import FaceRecord, filled, landmark_gap_px
from demask.dataset.shards import FaceShards
from demask.errors import ConfigError, DatasetError, OutputError, OutputExists
from demask.geometry import FRAME_PX, WIDE
from demask.rng import rng_for
from demask.types import ImageU8

_ROOMY = 0.7  # How much of the wide window a photograph with surroundings fills.
_MOST_GAP_PX = 28.0  # Between the landmarks and the finder's points; beyond, they hang in the air.
_LARGE_EYES_PX = 100.0  # Between the eyes: larger than the frame shows them.

__all__ = ["FreezeConfig", "Frozen", "freeze", "load_frozen", "read_info"]

log = logging.getLogger(__name__)

Progress = Callable[[int, int, str], None]
"""Called with how many pictures are done, how many there will be, and the face_id."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FreezeConfig:
    """What to freeze and where."""

    data: Path  # Folder of shards, from `demask dataset build`.
    out: Path  # A folder that is not there yet.
    textures: Path | None = None  # Photographs without faces; patches of them become prints.
    split: str = "test"
    seed: int = 0
    per_slice: int = 300  # Pictures in each slice of aligned crops.
    portraits: int = 150  # Pictures in the slice of whole portraits.
    portrait_sources: tuple[str, ...] = ("ffhq256", "generated256")  # Sources in FFHQ's framing.
    wide: int = 150  # Pictures in the slice of coverings that run on, from photographs with surroundings.
    turned: int = 150  # Pictures in the slice of heads that were turned when photographed.
    large: int = 100  # Pictures in the slice of sharp photographs at their own size.

    def __post_init__(self) -> None:
        for name, low in (("per_slice", 1), ("portraits", 0), ("wide", 0), ("turned", 0), ("large", 0)):
            if getattr(self, name) < low:
                raise ConfigError(f"{name} is {getattr(self, name)} but must be at least {low}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Frozen:
    """What was written: pictures per slice, and the sha256 that names the set."""

    out: Path
    slices: dict[str, int]
    sha256: str


def freeze(config: FreezeConfig, *, progress: Progress | None = None) -> Frozen:
    """Write a frozen test set; nothing is left behind on failure.

    Args:
        config: What and where.
        progress: Told after every picture.

    Raises:
        OutputExists: `config.out` is there already.
        DatasetError: The shards cannot be used or hold no face that fits.
        OutputError: The folder cannot be written.
    """
    if config.out.exists():
        raise OutputExists(f"{config.out} exists; a frozen set is never changed, name another folder")
    remove_leftovers(config.out.parent, config.out.name)
    shards = FaceShards(config.data, split=config.split)
    patches = _prints(config.textures) if config.textures else ()
    try:
        with replacing(config.out) as temporary:
            temporary.mkdir(parents=True)
            frozen = _write(config, shards, patches, temporary, progress or (lambda done, total, face_id: None))
    except OSError as error:
        raise OutputError(
            f"cannot write {config.out}: {error.strerror or error}; name another place"
        ) from error
    return frozen


def _write(
    config: FreezeConfig, shards: FaceShards, patches: Sequence[ImageU8], folder: Path, progress: Progress
) -> Frozen:
    sources = [entry.source for entry in shards.entries]

    def fits(i: int) -> bool:
        return jaw_inside(shards[i])

    crops = list(islice(balanced(sources, fits, seed=config.seed), config.per_slice))
    if not crops:
        raise DatasetError(
            f"{config.data} holds no face of the split {config.split!r} whose whole jaw is in the crop; "
            "build it from more photographs"
        )
    if len(crops) < config.per_slice:
        log.warning("only %d crops fit; all of them are taken", len(crops))
    photos = _photos(config, shards, fits)
    total, rows = len(crops) * len(SLICES) + sum(map(len, photos.values())), []
    for name in SLICES:
        for i in crops:
            rows.append(store_crop(folder, name, shards[i], seed=config.seed, patches=patches))
            progress(len(rows), total, shards.entries[i].face_id)
    for name, chosen in photos.items():
        for i in chosen:
            rows.append(store_photo(folder, name, shards[i], seed=config.seed, patches=patches))
            progress(len(rows), total, shards.entries[i].face_id)
    manifest = "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows).encode()
    counts, digest = dict(Counter(row["slice"] for row in rows)), set_sha256(manifest)
    info = {
        "sha256": digest,
        "slices": counts,
        "sources": dict(sorted(Counter(shards.entries[i].source for i in crops).items())),
        # Where things lay is no part of what the set is.
        "config": {
            field.name: getattr(config, field.name)
            for field in fields(config)
            if field.name not in ("data", "out", "textures")
        },
    }
    (folder / MANIFEST).write_bytes(manifest)
    (folder / SET).write_text(json.dumps(info, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return Frozen(out=config.out, slices=counts, sha256=digest)


def _photos(config: FreezeConfig, shards: FaceShards, jaw_fits: Callable[[int], bool]) -> dict[str, list[int]]:
    """Which faces go into each slice of whole photos."""
    entries = shards.entries

    def roomy(i: int) -> bool:
        return jaw_fits(i) and filled(shards[i], WIDE) >= _ROOMY

    def placed(i: int) -> bool:
        return landmark_gap_px(shards[i]) <= _MOST_GAP_PX

    portraits = [entry.source if entry.source in config.portrait_sources else None for entry in entries]
    turned = [entry.source if entry.is_turned else None for entry in entries]
    large = [entry.source if entry.size_of("eyes_px") >= _LARGE_EYES_PX else None for entry in entries]
    plans: dict[str, tuple[list[str | None], Callable[[int], bool], int]] = {
        "portrait": (portraits, jaw_fits, config.portraits),
        "wide": ([*(entry.source for entry in entries)], roomy, config.wide),
        "turned": (turned, placed, config.turned),
        "large": (large, jaw_fits, config.large),
    }
    photos = {}
    for name, (sources, fits, count) in plans.items():
        photos[name] = list(islice(balanced(sources, fits, seed=config.seed), count))
        if len(photos[name]) < count:
            log.warning("only %d photos fit the slice %s; all of them are taken", len(photos[name]), name)
    return {name: chosen for name, chosen in photos.items() if chosen}


def balanced(sources: Sequence[str | None], fits: Callable[[int], bool], *, seed: int) -> Iterator[int]:
    """Take faces that fit from each source in turn, until all sources are used up.

    Args:
        sources: Source of each face; None = never taken.
        fits: Whether a face may be taken; asked only when it would be next.
        seed: Of the order within a source.

    Yields:
        Indices of `sources`, each at most once.
    """
    places: dict[str, list[int]] = defaultdict(list)
    for i, source in enumerate(sources):
        if source is not None:
            places[source].append(i)
    queues: deque[Iterator[int]] = deque()
    for source, members in sorted(places.items()):
        order = rng_for(seed, "freeze/order", source).permutation(len(members))
        queues.append(iter([members[k] for k in order]))
    while queues:
        queue = queues.popleft()
        chosen = next((i for i in queue if fits(i)), None)
        if chosen is not None:
            yield chosen
            queues.append(queue)


def jaw_inside(record: FaceRecord) -> bool:
    """Whether the whole jaw lies inside the crop and on valid pixels, so that all of the hole has a truth."""
    jaw = np.rint(record.landmarks[list(JAW), :2]).astype(int)
    if (jaw < 0).any() or (jaw >= FRAME_PX).any():
        return False
    region = np.zeros((FRAME_PX, FRAME_PX), np.uint8)
    cv2.fillConvexPoly(region, cv2.convexHull(jaw.astype(np.int32)), 1)
    return bool(record.valid[region.astype(bool)].all())


def _prints(folder: Path) -> list[ImageU8]:
    """Photographs to take printed patches from, in the order of their names."""
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})
    if not paths:
        raise ConfigError(f"{folder} holds no .jpg or .png picture to take prints from")
    pictures = []
    for path in paths:
        with Image.open(path) as picture:
            pictures.append(np.asarray(picture.convert("RGB")))
    return pictures
