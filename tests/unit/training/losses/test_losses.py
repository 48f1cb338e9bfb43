import math

import pytest
import torch

from demask.errors import ConfigError, WeightsError
from demask.training.losses import weighted_total
from demask.training.losses.adversarial import critic_hinge, feature_matching, generator_hinge
from demask.training.losses.finding import coverage_cross_entropy, soft_jaccard
from demask.training.losses.perceptual import Lpips
from demask.training.losses.pixel import coarse_l1, hole_weighted_l1


def halves() -> tuple[torch.Tensor, torch.Tensor]:
    """A hole over the left half of a 4 x 4 picture, all of it valid."""
    hole = torch.zeros(1, 1, 4, 4)
    hole[..., :2] = 1
    return hole, torch.ones(1, 1, 4, 4)


def test_hole_pixels_weigh_more() -> None:
    hole, valid = halves()
    face = torch.zeros(1, 3, 4, 4)
    wrong_inside = face + hole
    wrong_outside = face + (1 - hole)
    inside = hole_weighted_l1(wrong_inside, face, hole, valid, hole_weight=6, known_weight=0.5)
    outside = hole_weighted_l1(wrong_outside, face, hole, valid, hole_weight=6, known_weight=0.5)
    assert inside.item() == pytest.approx(6 * 0.5)
    assert outside.item() == pytest.approx(0.5 * 0.5)


def test_invalid_pixels_count_nothing() -> None:
    hole, valid = halves()
    prediction = torch.randn(1, 3, 4, 4)
    assert hole_weighted_l1(prediction, torch.zeros_like(prediction), hole, 0 * valid).item() == 0
    assert coverage_cross_entropy(torch.randn(1, 1, 4, 4), hole, 0 * valid).item() == 0


def test_coarse_error_looks_at_the_hole_alone() -> None:
    hole, valid = halves()
    face = torch.full((1, 3, 4, 4), 0.5)
    coarse = torch.full((1, 3, 2, 2), 0.5)
    coarse[..., 1] += 7  # The right column is no hole.
    assert coarse_l1(coarse, face, hole, valid).item() == 0
    coarse[..., 0] += 1
    assert coarse_l1(coarse, face, hole, valid).item() == pytest.approx(0.5)


def test_jaccard_of_a_perfect_and_an_opposite_answer() -> None:
    hole = torch.zeros(1, 1, 64, 64)
    hole[..., :32] = 1
    valid = torch.ones_like(hole)
    assert soft_jaccard((hole - 0.5) * 40, hole, valid).item() == pytest.approx(0, abs=1e-4)
    assert soft_jaccard((0.5 - hole) * 40, hole, valid).item() == pytest.approx(1 - 64 / (4096 + 64), abs=1e-4)


def test_cross_entropy_of_no_opinion_is_log_two() -> None:
    hole, valid = halves()
    assert coverage_cross_entropy(torch.zeros(1, 1, 4, 4), hole, valid).item() == pytest.approx(math.log(2))


def test_hinge_numbers() -> None:
    assert critic_hinge(torch.tensor([2.0, 0.0]), torch.tensor([-2.0, 0.0])).item() == pytest.approx(1.0)
    assert generator_hinge(torch.tensor([1.0, 2.0])).item() == pytest.approx(-1.5)


def test_feature_matching_moves_only_the_drawn_side() -> None:
    real, fake = torch.ones(2, requires_grad=True), torch.zeros(2, requires_grad=True)
    loss = feature_matching([real], [fake])
    loss.backward()
    assert loss.item() == 1
    assert real.grad is None
    assert fake.grad is not None


def test_every_term_needs_a_weight() -> None:
    term = torch.tensor(2.0)
    assert weighted_total({"a": term}, {"a": 3.0}).item() == 6
    with pytest.raises(ConfigError, match="a"):
        weighted_total({"a": term}, {})


def test_lpips_needs_its_published_weights(tmp_path) -> None:
    with pytest.raises(WeightsError, match=r"squeeze\.pth"):
        Lpips(backbone=tmp_path / "squeeze.pth", linear=tmp_path / "linear.pth")
