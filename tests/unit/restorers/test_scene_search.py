"""Descriptors describe what is known and nothing else; the search finds what a plain comparison finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from demask.dataset.gallery import measured_scales, num_lists, write_index
from demask.errors import DatasetError
from demask.restorers.scene_descriptor import CELL_VALUES, NUM_CELLS, Description, describe_known, fill_smoothly
from demask.restorers.scene_search import INDEX, SceneSearch, face_vectors, load_index, query_vector
from demask.types import ImageU8

UPPER = 8
"""Cells of the upper half, which a face mask leaves bare."""


def waves(angle_deg: float, wave_px: float) -> ImageU8:
    """Bright and dark stripes across a direction."""
    y, x = np.mgrid[0:256, 0:256]
    along = x * np.cos(np.radians(angle_deg)) + y * np.sin(np.radians(angle_deg))
    return np.repeat((128 + 60 * np.sin(2 * np.pi * along / wave_px))[..., None], 3, axis=2).astype(np.uint8)


@pytest.mark.parametrize("scale", range(5))
@pytest.mark.parametrize("orientation", range(6))
def test_each_filter_answers_to_its_own_waves(scale: int, orientation: int) -> None:
    values = describe_known(waves(30 * orientation, 8 * 2**scale), np.ones((256, 256), bool)).values
    energies = values[:, :30].mean(axis=0).reshape(5, 6)
    assert np.unravel_index(energies.argmax(), (5, 6)) == (scale, orientation)


def test_only_known_pixels_are_described() -> None:
    rng = np.random.default_rng(0)
    picture = np.kron(rng.integers(0, 256, (32, 32, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    known = np.ones((256, 256), bool)
    known[130:220, 70:190] = False
    other = np.where(known[..., None], picture, rng.integers(0, 256, picture.shape, np.uint8))
    one, two = describe_known(picture, known), describe_known(other, known)
    assert np.array_equal(one.values, two.values)
    assert one.share[:UPPER].tolist() == [1.0] * 8
    assert one.share.reshape(4, 4)[2, 1] < 0.2
    # Far from the hole it is the description of the whole picture; beside it, nearly.
    whole = describe_known(picture, np.ones_like(known))
    assert np.abs(one.values[:4] - whole.values[:4]).max() < 0.05
    assert np.abs(one.values - whole.values)[one.share > 0.9].mean() < 0.15 * whole.values.std()


def test_colour_is_the_mean_of_the_known_part_of_a_cell() -> None:
    picture = np.zeros((256, 256, 3), np.uint8)
    picture[:32], picture[32:] = 255, (255, 0, 0)
    known = np.zeros((256, 256), bool)
    known[:32] = True
    described = describe_known(picture, known)
    assert described.values[0, 30:] == pytest.approx([100, 0, 0], abs=0.1)
    assert described.share.reshape(4, 4)[:, 0].tolist() == [0.5, 0, 0, 0]


def test_filling_smoothly_keeps_the_known_and_stays_between() -> None:
    values = np.random.default_rng(1).random((37, 50, 2), np.float32)
    share = np.ones((37, 50), np.float32)
    share[10:30, 5:] = 0
    filled = fill_smoothly(values, share)
    assert np.array_equal(filled[share > 0], values[share > 0])
    assert filled.min() >= 0
    assert filled[share == 0].std() < 0.5 * values.std()
    assert np.array_equal(filled, fill_smoothly(np.where(share[..., None] > 0, values, 9), share))


def synthetic(num: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Descriptors that vary along 20 directions and a little noise, as pictures of faces do."""
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((20, NUM_CELLS * CELL_VALUES))
    values = rng.standard_normal((num, 20)) @ directions + 0.5 * rng.standard_normal((num, directions.shape[1]))
    share = rng.choice([128, 255], (num, NUM_CELLS), p=[0.1, 0.9]).astype(np.uint8)
    return values.reshape(num, NUM_CELLS, CELL_VALUES).astype(np.float16), share


def query_of(values: np.ndarray, *, lower_fraction: float = 0.2, seed: int = 5) -> Description:
    noise = np.random.default_rng(seed).standard_normal(values.shape)
    share = np.ones(NUM_CELLS, np.float32)
    share[UPPER:] = lower_fraction
    return Description(values=(values + 0.3 * noise).astype(np.float32), share=share)


def plain_distances(
    query: Description, values: np.ndarray, share: np.ndarray, search: SceneSearch
) -> np.ndarray:
    """The distance, written out face by face."""
    scales = search._scales
    out = []
    for one, its in zip(values.astype(np.float64), share / 255, strict=True):
        total = 0.0
        for cell in range(NUM_CELLS):
            squares = (((one[cell] - query.values[cell]) * scales.factors) ** 2).sum()
            total += query.share[cell] * (its[cell] * squares + (1 - its[cell]) * scales.spread[cell])
        out.append(total / (query.share * scales.spread).sum())
    return np.array(out)


def test_all_compared_is_a_plain_comparison() -> None:
    values, share = synthetic(300)
    scales = measured_scales(values, share, sample=1000, seed=0)
    assert scales.spread.sum() == pytest.approx(3, rel=1e-4)
    search = SceneSearch(values, share, scales)
    query = query_of(values[17])
    expected = plain_distances(query, values, share, search)
    numbers, distances = search.nearest(query, 10)
    assert numbers.tolist() == np.argsort(expected, kind="stable")[:10].tolist()
    assert distances == pytest.approx(np.sort(expected)[:10], rel=1e-4)
    assert numbers[0] == 17
    assert np.mean(expected) == pytest.approx(1, abs=0.3)  # 1 = two random faces.
    left, _ = search.nearest(query, 300, without=np.array([17, 3]))
    assert sorted(left.tolist()) == sorted(set(range(300)) - {17, 3})


def test_the_index_finds_what_the_comparison_of_all_finds_under_any_hole(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    values, share = synthetic(2000)
    scales = measured_scales(values, share, sample=2000, seed=0)
    write_index(tmp_path, values, share, scales, sample=2000, seed=0)
    index = load_index(tmp_path)
    indexed = SceneSearch(values, share, scales, index=index, num_probes=32, num_candidates=400)
    everything = SceneSearch(values, share, scales)
    shared = []
    for number in range(0, 2000, 100):
        query = query_of(values[number], seed=number)
        if number % 200:  # A hole over the eyes.
            query = Description(values=query.values, share=query.share[::-1].copy())
        found, distances = indexed.nearest(query, 20)
        truth, true_distances = everything.nearest(query, 20)
        assert found[0] == number
        shared.append(len(set(found.tolist()) & set(truth.tolist())) / 20)
        both = dict(zip(truth.tolist(), true_distances.tolist(), strict=True))
        assert all(
            both[n] == pytest.approx(d, rel=1e-5)
            for n, d in zip(found.tolist(), distances, strict=True)
            if n in both
        )
    assert np.mean(shared) > 0.8
    # Fewer than all were compared, so this was a search by the index.
    assert len(indexed._candidates(query, 20)) == 400


def test_the_distance_is_an_inner_product() -> None:
    values, share = synthetic(200)
    scales = measured_scales(values, share, sample=1000, seed=0)
    query = query_of(values[3])
    product = face_vectors(values, (share / 255).astype(np.float32), scales) @ query_vector(query, scales)
    search = SceneSearch(values, share, scales)
    expected = plain_distances(query, values, share, search) * (query.share * scales.spread).sum()
    assert -product == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_a_damaged_index_is_named(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    values, share = synthetic(1200)
    scales = measured_scales(values, share, sample=1200, seed=0)
    write_index(tmp_path, values, share, scales, sample=1200, seed=0)
    data = (tmp_path / INDEX).read_bytes()
    (tmp_path / INDEX).write_bytes(data[: len(data) // 2])
    with pytest.raises(DatasetError, match="demask dataset gallery"):
        load_index(tmp_path)


def test_the_lists_grow_with_the_gallery() -> None:
    assert num_lists(1_000_000, 160_000) == 4096
    assert num_lists(4000, 4000) == 128
    assert num_lists(256, 256) == 8
