"""Add the network of a training run to the zoo: `python zoo/add.py RUN NAME`; see zoo/README.md."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "src"))

from demask_zoo.add import main

if __name__ == "__main__":
    main()
