"""Train, val or test: by a hash of the identity, with near-duplicates kept on one side.

The perceptual hash is the usual one (signs of the low frequencies of the cosine transform about their
median; Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010, sec. 3.2.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from demask.types import ImageU8

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")

HASH_BITS = 256
NEAR_BITS = 48
"""At most this many of 256 bits apart = the same photograph.

Looked at on 10,393 aligned faces: of the 112 pairs up to 48 bits apart three were unalike; above 52 bits
most are. Keeping an unalike pair together costs nothing.
"""

# Symmetric about the frame's middle, and without its outer part: backgrounds and invalid borders.
_ROWS, _COLUMNS = slice(48, 232), slice(36, 220)
_SIDE_PX = 64
_LOW = 16


def split_of(identity: str, *, val_percent: int = 10, test_percent: int = 10) -> Split:
    """Split of one identity; the same on every machine and whatever else is in the set."""
    draw = int.from_bytes(blake2b(identity.encode(), digest_size=8).digest(), "big") % 10_000
    if draw < 100 * test_percent:
        return "test"
    return "val" if draw < 100 * (test_percent + val_percent) else "train"


def perceptual_hash(crop: ImageU8) -> str:
    """Hash that small changes of size, tone and compression leave nearly as it is; 64 hex digits.

    Args:
        crop: Aligned crop, uint8 RGB [256, 256, 3].
    """
    inner = cv2.cvtColor(np.ascontiguousarray(crop[_ROWS, _COLUMNS]), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(inner, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:_LOW, :_LOW].ravel()
    return np.packbits(low > np.median(low)).tobytes().hex()


def near_pairs(
    hashes: Sequence[str], mirrored: Sequence[str], *, near_bits: int = NEAR_BITS
) -> list[tuple[int, int]]:
    """Pairs (i, j), i < j, that look the same, as they are or with one mirrored.

    Args:
        hashes: `perceptual_hash` of each crop.
        mirrored: `perceptual_hash` of each crop flipped left to right.
        near_bits: Pairs whose hashes differ in at most this many bits are near.
    """
    if not hashes:
        return []
    words, flipped = _words(hashes), _words(mirrored)
    pairs: list[tuple[int, int]] = []
    for i in range(len(words) - 1):
        rest = words[i + 1 :]
        apart = np.minimum(
            np.bitwise_count(rest ^ words[i]).sum(axis=1), np.bitwise_count(rest ^ flipped[i]).sum(axis=1)
        )
        pairs += [(i, i + 1 + int(j)) for j in np.flatnonzero(apart <= near_bits)]
    return pairs


def _words(hashes: Sequence[str]) -> npt.NDArray[np.uint64]:
    raw = np.array([np.frombuffer(bytes.fromhex(text), np.uint8) for text in hashes])
    return raw.view(np.uint64)


def assign_splits(
    identities: Sequence[str],
    hashes: Sequence[str],
    mirrored: Sequence[str],
    *,
    val_percent: int = 10,
    test_percent: int = 10,
    near_bits: int = NEAR_BITS,
) -> tuple[list[Split], list[tuple[int, int]]]:
    """Give every face its split.

    Faces of one identity, and faces that look the same, form a group; a group takes the split of its
    alphabetically first identity.

    Args:
        identities: One per face.
        hashes: One per face, from `perceptual_hash`.
        mirrored: The same of the mirrored crops.
        val_percent: Fraction of identities for validation, in percent.
        test_percent: Fraction of identities for testing, in percent.
        near_bits: As for `near_pairs`.

    Returns:
        The splits, one per face, and the near-duplicate pairs that were found.
    """
    leader: dict[str, str] = {name: name for name in identities}
    pairs = near_pairs(hashes, mirrored, near_bits=near_bits)
    for i, j in pairs:
        a, b = _root(leader, identities[i]), _root(leader, identities[j])
        leader[max(a, b)] = min(a, b)
    splits = {
        name: split_of(_root(leader, name), val_percent=val_percent, test_percent=test_percent)
        for name in leader
    }
    return [splits[name] for name in identities], pairs


def _root(leader: Mapping[str, str], name: str) -> str:
    while leader[name] != name:
        name = leader[name]
    return name
