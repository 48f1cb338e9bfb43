"""An event loop of one's own, also while a browser's driver has one in this thread."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """As `asyncio.run`, in a thread that ends with it."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, main).result()
