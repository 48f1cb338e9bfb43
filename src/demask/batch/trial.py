"""A few photos of a batch before all of them: a sheet to look at, and what the whole will take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import islice

import numpy as np
from PIL import Image, ImageOps

from demask.batch.batch_worker import Setup, open_remover
from demask.batch.photo_source import PhotoRef, list_photos, read_ref
from demask.errors import DemaskError
from demask.photo.handed_in import Output
from demask.rng import rng_for

_TILE_PX = 160
_PAIRS_PER_ROW = 8
_LOOKED_THROUGH = 100_000
"""A sample is drawn from so many names at most; listing all of a large bucket takes hours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What is known of a source before the work.

    Attributes:
        photos: How many there are.
        num_bytes: Their size, as far as the listing says.
        tried: How many were tried.
        failed: How many of these cannot be used.
        restored: How many of these are restored.
        seconds_each: What one takes one worker of this machine, reading included.
        listing_s: What the listing took.
    """

    photos: int
    num_bytes: int
    tried: int
    failed: int
    restored: int
    seconds_each: float
    listing_s: float

    def hours(self, workers: int) -> float:
        """By the clock, with so many workers like this machine's."""
        return self.photos * self.seconds_each / workers / 3600


def estimate(source: str, setup: Setup, *, tried: int = 16) -> Estimate:
    """List a whole source, and try a few of its photos; nothing is written.

    Raises:
        InputError: The source cannot be listed.
        WeightsError: A network is missing.
    """
    start = time.perf_counter()
    counted = [0, 0]

    def counting() -> Iterator[PhotoRef]:
        for ref in list_photos(source, target=setup.target):
            counted[0] += 1
            counted[1] += ref.num_bytes
            yield ref

    drawn = draw(counting(), tried)
    listing_s = time.perf_counter() - start
    trials = list(try_photos(drawn, setup))
    seconds = [trial.seconds for trial in trials]
    return Estimate(
        photos=counted[0],
        num_bytes=counted[1],
        tried=len(trials),
        failed=sum(trial.status == "failed" for trial in trials),
        restored=sum(trial.status == "restored" for trial in trials),
        seconds_each=float(np.mean(seconds)) if seconds else 0.0,
        listing_s=listing_s,
    )


def draw(refs: Iterator[PhotoRef], count: int) -> list[PhotoRef]:
    """A fair sample of a stream whose length nobody knows; the same for the same stream."""
    rng = rng_for(0, "batch-sample", "")
    drawn: list[PhotoRef] = []
    for number, ref in enumerate(refs):
        if number < count:
            drawn.append(ref)
        elif (place := int(rng.integers(0, number + 1))) < count:
            drawn[place] = ref
    return drawn


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One photo that was tried: before and after, small, and what it took."""

    name: str
    status: str
    seconds: float
    before: Image.Image | None = None
    after: Image.Image | None = None


def try_photos(refs: list[PhotoRef], setup: Setup) -> Iterator[Trial]:
    """Do photos in this process and write nothing; what fails is a trial, too."""
    remover = (setup.opener or open_remover)(setup)
    for ref in refs:
        start = time.perf_counter()
        try:
            photo = read_ref(ref, max_megapixels=setup.max_megapixels)
            result = remover(
                photo,
                faces=setup.faces,
                output=Output(format=setup.format, quality=setup.quality),
                max_megapixels=setup.max_megapixels,
            )
        except DemaskError:
            yield Trial(name=ref.name, status="failed", seconds=time.perf_counter() - start)
            continue
        seconds = time.perf_counter() - start
        before, after = _small(photo), _small(result.photo)
        yield Trial(name=ref.name, status=result.status, seconds=seconds, before=before, after=after)


def sheet(source: str, setup: Setup, count: int) -> tuple[bytes, list[Trial]]:
    """A picture of photos before and after, the restored ones first.

    Returns:
        A JPEG, and the trials.

    Raises:
        InputError: The source cannot be listed.
    """
    refs = islice(list_photos(source, target=setup.target), _LOOKED_THROUGH)
    trials = list(try_photos(draw(refs, count), setup))
    shown = sorted((trial for trial in trials if trial.before), key=lambda trial: trial.status != "restored")
    rows = max(1, -(-len(shown) // _PAIRS_PER_ROW))
    picture = Image.new("RGB", (_PAIRS_PER_ROW * (2 * _TILE_PX + 8), rows * (_TILE_PX + 8)), "white")
    for index, trial in enumerate(shown):
        row, column = divmod(index, _PAIRS_PER_ROW)
        for side, tile in enumerate((trial.before, trial.after)):
            assert tile is not None
            picture.paste(tile, (column * (2 * _TILE_PX + 8) + side * _TILE_PX, row * (_TILE_PX + 8)))
    file = BytesIO()
    picture.save(file, "JPEG", quality=90)
    return file.getvalue(), trials


def _small(photo: bytes) -> Image.Image:
    with Image.open(BytesIO(photo)) as image:
        upright = ImageOps.exif_transpose(image)
        return ImageOps.fit(upright.convert("RGB"), (_TILE_PX, _TILE_PX))
