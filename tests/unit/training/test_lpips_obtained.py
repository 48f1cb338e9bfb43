"""A stranger trains the restorer: which files LPIPS lacks, and torchvision's own file as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from demask.errors import WeightsError
from demask.training.data.covered_crops import FacesConfig
from demask.training.losses.perceptual import Lpips
from demask.training.tasks.restorer_task import RestorerTask, RestorerTaskConfig


def test_without_the_files_the_command_is_named() -> None:
    task = RestorerTask(RestorerTaskConfig(faces=FacesConfig(data=Path("none"))))
    with pytest.raises(
        WeightsError, match="`demask weights get squeeze_backbone lpips_squeeze_linear`"
    ) as caught:
        _ = task.lpips
    assert "--set perceptual_weight=0" in str(caught.value)


def test_torchvisions_file_does_as_well_as_its_features_alone(tmp_path: Path) -> None:
    shapes = {"0": (64, 3, 3, 3)}
    fires = {3: (64, 16, 64), 4: (128, 16, 64), 6: (128, 32, 128), 7: (256, 32, 128), 9: (256, 48, 192)}
    fires |= {10: (384, 48, 192), 11: (384, 64, 256), 12: (512, 64, 256)}
    for place, (inner, squeezed, expanded) in fires.items():
        shapes[f"{place}.squeeze"] = (squeezed, inner, 1, 1)
        shapes[f"{place}.expand1x1"] = (expanded, squeezed, 1, 1)
        shapes[f"{place}.expand3x3"] = (expanded, squeezed, 3, 3)
    torch.manual_seed(0)
    alone = {}
    for layer, shape in shapes.items():
        alone |= {f"{layer}.weight": 0.05 * torch.randn(shape), f"{layer}.bias": torch.zeros(shape[0])}
    whole = {f"features.{name}": value for name, value in alone.items()}
    whole |= {"classifier.1.weight": torch.zeros(1000, 512, 1, 1), "classifier.1.bias": torch.zeros(1000)}
    channels = (64, 128, 256, 384, 384, 512, 512)
    linear = {f"lin{i}.model.1.weight": torch.rand(1, count, 1, 1) for i, count in enumerate(channels)}
    for name, stored in (("alone.pth", alone), ("whole.pth", whole), ("linear.pth", linear)):
        torch.save(stored, tmp_path / name)
    a, b = torch.rand(2, 1, 3, 64, 64) * 2 - 1
    distances = [
        float(Lpips(backbone=tmp_path / name, linear=tmp_path / "linear.pth")(a, b))
        for name in ("alone.pth", "whole.pth")
    ]
    assert distances[0] == distances[1] > 0
