"""Fixtures for all tests; the folder of this file is on the path, so helpers beside it can be imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from drawn_set import build_drawn_set
from tiny_networks import write_networks

LONGEST = (
    "e2e/test_documents.py", "e2e/test_page.py", "e2e/test_study_pages.py", "e2e/test_server_abuse.py",
    "training/tasks/test_deepfill_tasks.py", "training/engine/test_trainer.py", "e2e/test_story.py",
    "e2e/test_cli_benchmark.py", "evaluation/test_benchmark.py", "e2e/test_benchmark_page.py",
    "e2e/test_server_life.py", "e2e/test_server_api.py", "training/tasks/test_denoising_autoencoder.py",
    "training/engine/test_start.py", "training/tasks/test_finder_task.py", "training/tasks/test_studies.py",
    "training/export/test_weight_names.py", "study/test_web_kill.py", "e2e/test_processes.py",
)  # fmt: skip
"""Files of tests that take longest, and so go first: no process ends long after the other."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; xdist hands them out in this order with `--no-loadscope-reorder`."""
    place = {name: number for number, name in enumerate(LONGEST)}

    def rank(item: pytest.Item) -> int:
        path = item.path.as_posix()
        return min((number for name, number in place.items() if path.endswith(name)), default=len(place))

    items.sort(key=rank)


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny finder.onnx, hole.onnx and restorer.onnx, see `tiny_networks`."""
    return write_networks(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of drawn photographs, see `drawn_set`."""
    return build_drawn_set(tmp_path_factory.mktemp("drawn"))
