"""What may be set, and that nonsense is refused before anything listens."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from demask.errors import UsageError
from demask.server.serve_settings import Limits, Settings


@pytest.mark.parametrize(
    ("change", "says"),
    [
        *(
            ({name: value}, name)
            for name in (
                "max_body_bytes",
                "max_megapixels",
                "max_connections",
                "head_s",
                "body_s",
                "stalled_s",
                "deadline_s",
            )
            for value in (0, -1, float("nan"))
        ),
        ({"max_waiting": -1}, "max_waiting"),
        ({"max_body_bytes": 100, "max_held_bytes": 99}, "raise it"),
    ],
)
def test_limits_that_make_no_sense_are_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Limits(**change)


def test_the_smallest_limits_that_make_sense() -> None:
    limits = Limits(max_body_bytes=1, max_held_bytes=1, max_waiting=0, head_s=0.001)
    assert limits.max_waiting == 0


def test_the_defaults_are_those_of_the_documentation() -> None:
    """docs/server.md, "What it keeps and what it allows"."""
    limits = Settings().limits
    assert limits.max_body_bytes == 64 * 2**20
    assert limits.max_held_bytes == 512 * 2**20
    assert (limits.max_megapixels, limits.max_waiting, limits.max_connections) == (50, 16, 2000)
    assert (limits.head_s, limits.body_s, limits.deadline_s, limits.stalled_s) == (10, 60, 60, 60)


@pytest.mark.parametrize("change", [{"workers": 0}, {"threads": 0}, {"workers": -3}])
def test_no_workers_and_no_threads_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="1 or more"):
        Settings(**change)


@pytest.mark.parametrize("key", ["k" * 15, "ä" * 20])
def test_a_weak_key_is_refused(key: str) -> None:
    with pytest.raises(UsageError, match="16 or more"):
        Settings(key=key)


def test_an_open_address_needs_a_key() -> None:
    with pytest.raises(UsageError, match="DEMASK_KEY"):
        Settings(host="0.0.0.0")
    assert Settings(host="0.0.0.0", key="k" * 16).host == "0.0.0.0"


def test_settings_do_not_change_afterwards() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().key = "k" * 16  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().limits.max_waiting = 10**9  # type: ignore[misc]
