"""A user without a home folder, as in a container, still has the shipped networks."""

from pathlib import Path

import pytest

from demask.errors import WeightsError
from demask.weights import registry


def test_shipped_weights_need_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("DEMASK_HOME", "XDG_CACHE_HOME", "DEMASK_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert registry.find("hole").is_file()
    with pytest.raises(WeightsError, match="DEMASK_HOME"):
        registry.download_folder()
