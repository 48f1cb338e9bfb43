from __future__ import annotations

import pytest

for needed in ("fastapi", "uvicorn"):
    pytest.importorskip(needed)
