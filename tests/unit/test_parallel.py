"""Jobs times threads is the number of cores, unless the user wants it otherwise."""

from __future__ import annotations

import pytest

from demask import parallel


@pytest.mark.parametrize(
    ("num_cores", "num_photos", "jobs", "threads", "expected"),
    [
        (2, 100, None, None, (2, 1)),
        (64, 100, None, None, (64, 1)),  # No cap.
        (8, 1, None, None, (1, 8)),
        (8, 3, None, None, (3, 2)),
        (8, 100, 2, None, (2, 4)),
        (8, 100, None, 4, (2, 4)),
        (2, 100, None, 8, (1, 8)),
        (2, 100, 3, 5, (3, 5)),
        (2, 1, 3, None, (1, 2)),
        (2, 100, 16, None, (16, 1)),
        (2, 0, None, None, (1, 2)),
    ],
)
def test_cores_are_shared(
    monkeypatch: pytest.MonkeyPatch,
    num_cores: int,
    num_photos: int,
    jobs: int | None,
    threads: int | None,
    expected: tuple[int, int],
) -> None:
    monkeypatch.setattr(parallel, "usable_cores", lambda: num_cores)
    assert parallel.share_cores(num_photos, jobs=jobs, threads=threads) == expected


def test_some_core_is_usable() -> None:
    assert parallel.usable_cores() >= 1
