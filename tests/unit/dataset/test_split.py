"""Splits that never move, never share an identity, and keep look-alikes together."""

from collections import Counter

import cv2
import numpy as np
import pytest
from drawn_faces import draw_photo

from demask.dataset.split import assign_splits, near_pairs, perceptual_hash, split_of


def crop_of(seed: int) -> np.ndarray:
    return draw_photo(seed, width=256, height=256)


def hashes_of(crops: list[np.ndarray]) -> tuple[list[str], list[str]]:
    return [perceptual_hash(crop) for crop in crops], [perceptual_hash(crop[:, ::-1]) for crop in crops]


def test_the_split_of_an_identity_never_changes() -> None:
    # Written down once: a test set that moves is no test set.
    others = {split_of(f"person-{n}"): n for n in range(12) if split_of(f"person-{n}") != "train"}
    assert others == {"val": 5, "test": 8}


def test_shares_come_out_as_asked() -> None:
    counts = Counter(split_of(f"somebody {n}", val_percent=20, test_percent=30) for n in range(5000))
    assert counts["test"] / 5000 == pytest.approx(0.3, abs=0.03)
    assert counts["val"] / 5000 == pytest.approx(0.2, abs=0.03)


def test_zero_percent_is_none() -> None:
    assert {split_of(str(n), val_percent=0, test_percent=0) for n in range(500)} == {"train"}


def test_more_validation_takes_nothing_from_the_test_split() -> None:
    names = [str(n) for n in range(2000)]
    few = {n for n in names if split_of(n, val_percent=5) == "test"}
    many = {n for n in names if split_of(n, val_percent=40) == "test"}
    assert few == many


@pytest.mark.parametrize("change", ["jpeg", "brighter", "smaller", "mirrored"])
def test_a_changed_copy_is_near(change: str) -> None:
    crop = crop_of(1)
    if change == "jpeg":
        other = cv2.imdecode(cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], cv2.IMREAD_COLOR)
    elif change == "brighter":
        other = np.clip(crop.astype(int) * 0.8 + 30, 0, 255).astype(np.uint8)
    elif change == "smaller":
        other = cv2.resize(cv2.resize(crop, (120, 120), interpolation=cv2.INTER_AREA), (256, 256))
    else:
        other = np.ascontiguousarray(crop[:, ::-1])
    assert near_pairs(*hashes_of([crop, other])) == [(0, 1)]


def test_different_pictures_are_not_near() -> None:
    assert near_pairs(*hashes_of([crop_of(seed) for seed in range(40)])) == []


def test_no_hashes_no_pairs() -> None:
    assert near_pairs([], []) == []


def test_chains_of_near_duplicates_take_one_split() -> None:
    # a looks like b and b like c: all three go where the alphabetically first identity goes.
    base = perceptual_hash(crop_of(5))
    bits = bytearray(bytes.fromhex(base))
    chain = [base]
    for step in range(2):
        for byte in range(5 * step, 5 * step + 5):
            bits[byte] ^= 0xFF
        chain.append(bytes(bits).hex())
    far = "0" * 64
    for n in range(40):
        names = [f"{n}a", f"{n}b", f"{n}c", f"{n}d"]
        splits, pairs = assign_splits(names, [*chain, far], ["f" * 64] * 4, near_bits=40)
        assert pairs == [(0, 1), (1, 2)]
        assert splits[:3] == [split_of(f"{n}a")] * 3
        assert splits[3] == split_of(f"{n}d")


def test_one_identity_has_one_split_however_its_pictures_look() -> None:
    names = [f"person-{n % 20}" for n in range(100)]
    hashes, mirrored = hashes_of([crop_of(n) for n in range(100)])
    splits, _ = assign_splits(names, hashes, mirrored, val_percent=30, test_percent=30)
    assert len(set(zip(names, splits, strict=True))) == 20
