"""FID and KID against torchmetrics' formulas."""

import numpy as np
import pytest

from demask.evaluation.metrics.distributions import fid, kid

torch = pytest.importorskip("torch")


def features(num: int, *, shift: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(0).normal(size=(24, 24)) / 5
    return np.maximum(rng.normal(size=(num, 24)) @ mixing + shift, 0)


SETS = [(200, 200, 0.1), (200, 200, 2.0), (300, 120, 0.5), (500, 500, 0.0)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("num", "other", "shift"), SETS)
def test_fid_is_that_of_torchmetrics(num: int, other: int, shift: float) -> None:
    module = pytest.importorskip("torchmetrics.image.fid")
    a, b = features(num, shift=0.3, seed=1), features(other, shift=0.3 + shift, seed=2)
    moments = [(torch.from_numpy(x.mean(0)), torch.from_numpy(np.cov(x, rowvar=False))) for x in (a, b)]
    theirs = float(module._compute_fid(*moments[0], *moments[1]))
    assert fid(a, b).value == pytest.approx(theirs, rel=1e-6, abs=1e-6)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("num", "other", "shift"), SETS)
def test_fid_is_that_of_a_matrix_root(num: int, other: int, shift: float) -> None:
    linalg = pytest.importorskip("scipy.linalg")
    a, b = features(num, shift=0.3, seed=1), features(other, shift=0.3 + shift, seed=2)
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = linalg.sqrtm(cov_a @ cov_b)
    theirs = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * np.real(root))
    assert fid(a, b).value == pytest.approx(theirs, rel=1e-6, abs=1e-6)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("num", "other", "shift"), [row for row in SETS if row[0] == row[1]])
def test_kid_is_that_of_torchmetrics(num: int, other: int, shift: float) -> None:
    # Its formula is for two sets of one size.
    module = pytest.importorskip("torchmetrics.image.kid")
    a, b = features(num, shift=0.3, seed=1), features(other, shift=0.3 + shift, seed=2)
    theirs = float(module.poly_mmd(torch.from_numpy(a), torch.from_numpy(b)))
    assert kid(a, b).value == pytest.approx(theirs, rel=1e-6, abs=1e-9)
