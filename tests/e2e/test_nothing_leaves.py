"""The runtime of the networks keeps to itself: no reports to its maker, no files in the home folder."""

import os
import subprocess
import sys
from pathlib import Path

RUN = """
import numpy as np
from demask import Remover
Remover(threads=1)(np.zeros((300, 300, 3), np.uint8))
"""


def test_the_runtime_leaves_nothing_behind(tmp_path: Path, tiny_weights: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment = {**kept, "HOME": str(tmp_path), "XDG_CACHE_HOME": "", "DEMASK_WEIGHTS": str(tiny_weights)}
    subprocess.run([sys.executable, "-c", RUN], env=environment, cwd=tmp_path, timeout=120, check=True)
    assert list(tmp_path.iterdir()) == []
