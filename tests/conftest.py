"""Fixtures for all tests; the folder of this file is on the path, so helpers beside it can be imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from drawn_set import build_drawn_set
from tiny_networks import write_networks


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny finder.onnx, hole.onnx and restorer.onnx, see `tiny_networks`."""
    return write_networks(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of drawn photographs, see `drawn_set`."""
    return build_drawn_set(tmp_path_factory.mktemp("drawn"))
