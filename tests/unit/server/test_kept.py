"""Photos kept for pages: bounded in number, bytes and seconds, and found by their token only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

import own_loop
from demask.faces.judge import FoundHole
from demask.faces.looker import Framed, Looked, LookedFace
from demask.server.kept import KeptPhoto, KeptPhotos
from demask.types import Face
from demask.webkit.responses import Refusal


def photo(data: bytes = b"x", *, faces: int = 0) -> KeptPhoto:
    framed = Framed(
        matrix=np.eye(2, 3), crop=np.zeros((256, 256, 3), np.uint8), valid=np.ones((256, 256), bool)
    )
    face = Face(box=(0, 0, 9, 9), points=np.zeros((5, 2), np.float32), score=1)
    one = LookedFace(face=face, framed=framed, found=FoundHole.none(confidence=1))
    return KeptPhoto(photo=data, looked=Looked(size=(9, 9), faces=(one,) * faces))


def inside(work: Callable[[], Awaitable[None]]) -> None:
    own_loop.run(work())  # type: ignore[arg-type]


def keep(kept: KeptPhotos, given: KeptPhoto) -> str:
    token = kept.token_for(given)
    assert token is not None
    kept.keep(token, given)
    return token


def is_kept(kept: KeptPhotos, token: str) -> bool:
    before = len(kept)
    try:
        kept.take_up(token)
    except Refusal as error:
        return (error.status, error.code, before) != (410, "not_kept", len(kept))
    return True


def test_a_photo_is_found_by_its_token_only() -> None:
    async def work() -> None:
        kept = KeptPhotos(most=5, most_bytes=100, keep_s=60)
        one, other = photo(b"one"), photo(b"other")
        tokens = [keep(kept, one), keep(kept, other), keep(kept, one)]
        assert len({*tokens}) == 3
        assert all(len(token) >= 40 for token in tokens)
        assert kept.take_up(tokens[0]) is one
        assert kept.take_up(tokens[1]) is other
        for wrong in ("", tokens[0][:-1], tokens[0] + "x", "one"):
            assert not is_kept(kept, wrong)

    inside(work)


def test_it_is_forgotten_after_its_time_and_each_use_begins_it_anew() -> None:
    async def work() -> None:
        kept = KeptPhotos(most=5, most_bytes=100, keep_s=0.4)
        used, unused = keep(kept, photo()), keep(kept, photo())
        for _ in range(4):
            await asyncio.sleep(0.2)
            assert is_kept(kept, used)
        assert not is_kept(kept, unused)
        await asyncio.sleep(0.6)
        assert (len(kept), kept.num_bytes) == (0, 0)
        assert not is_kept(kept, used)

    inside(work)


def test_the_longest_unused_makes_way() -> None:
    async def work() -> None:
        kept = KeptPhotos(most=2, most_bytes=100, keep_s=60)
        first, second = keep(kept, photo()), keep(kept, photo())
        kept.take_up(first)
        third = keep(kept, photo())
        assert [is_kept(kept, token) for token in (first, second, third)] == [True, False, True]
        large = keep(kept, photo(bytes(100)))
        assert [is_kept(kept, token) for token in (first, third, large)] == [False, False, True]
        assert (len(kept), kept.num_bytes) == (1, 100)
        assert kept.forget(large)
        assert not kept.forget(large)
        assert (len(kept), kept.num_bytes) == (0, 0)

    inside(work)


@pytest.mark.parametrize("limits", [{"most": 0}, {"most_bytes": 2}, {"keep_s": 0.0}])
def test_where_there_is_no_room_there_is_no_token(limits: dict[str, float]) -> None:
    settings = {"most": 5, "most_bytes": 100, "keep_s": 60.0} | limits
    kept = KeptPhotos(
        most=int(settings["most"]), most_bytes=int(settings["most_bytes"]), keep_s=settings["keep_s"]
    )
    assert kept.token_for(photo(b"xyz")) is None


def test_what_was_found_counts_as_well() -> None:
    crop_bytes = 256 * 256 * (3 + 1 + 1 + 4)
    assert photo(b"xyz", faces=3).num_bytes == 3 + 3 * crop_bytes
