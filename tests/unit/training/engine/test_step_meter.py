"""The time left of a training."""

from __future__ import annotations

import time

import pytest

from demask.training.engine.run_log import StepMeter


@pytest.mark.parametrize("begun", [0, 800])
def test_a_resumed_run_counts_its_own_steps_only(begun: int) -> None:
    meter = StepMeter(time.monotonic() - 10, step=begun)
    meter.pictures = 40
    report = meter.report(begun + 20, begun + 120, {})
    assert report.pictures_per_s == pytest.approx(4, rel=0.01)
    assert report.seconds_left == pytest.approx(50, rel=0.01)
