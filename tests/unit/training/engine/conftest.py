"""What every test of the loop finds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _compiled_code_of_this_run_only(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """torch.compile's own folder is the user's: what a killed run left half written there fails the next."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path_factory.mktemp("inductor")))
        patch.setenv("TORCHINDUCTOR_COMPILE_THREADS", "1")  # More are processes that import torch again.
        yield
