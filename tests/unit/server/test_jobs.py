"""What is done with an upload: real networks, tiny ones, and every way to say what was found before."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from demask.errors import InputError, PhotoUnreadable, ShapeMismatch, UsageError
from demask.faces.crop_networks import HoleFinder
from demask.faces.finder import Finder
from demask.remover import Remover
from demask.server.form import found_before
from demask.server.jobs import Answer, FindOrder, RemoveOrder, find, remove
from demask.server.kept import KeptPhoto
from demask.server.workshop import Abandoned, Wanted
from demask.types import Alpha, Face, ImageU8
from demask.webkit.responses import Refusal
from demask.weights.sessions import open_session
from tiny_networks import GREEN, make_photo


def png(pixels: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


TWO = png(np.hstack([make_photo(), make_photo()]))
COVERED, BARE, NOBODY = png(make_photo()), png(make_photo(GREEN)), png(make_photo(None))


class Counted:
    """The tiny networks, asked for each half of a wide photo, and how often they were asked."""

    def __init__(self) -> None:
        self.finds = self.segments = 0
        self._finder, self._hole_finder = Finder(open_session("finder")), HoleFinder(open_session("hole"))
        self.remover = Remover(threads=1, finder=self._find, hole_finder=self._segment)

    def _find(self, photo: ImageU8) -> list[Face]:
        self.finds += 1
        width = photo.shape[1]
        if width < 400:
            return self._finder(photo)
        half = width // 2
        moved = [
            Face(
                box=(face.box[0] + half, face.box[1], face.box[2] + half, face.box[3]),
                points=face.points + np.float32([half, 0]),
                score=face.score,
            )
            for face in self._finder(np.ascontiguousarray(photo[:, half:]))
        ]
        return [*self._finder(np.ascontiguousarray(photo[:, :half])), *moved]

    def _segment(self, crops: ImageU8) -> Alpha:
        self.segments += 1
        return self._hole_finder(crops)


@pytest.fixture(scope="module", autouse=True)
def _tiny(tiny_weights: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEMASK_WEIGHTS", str(tiny_weights))
        yield


@pytest.fixture(scope="module")
def remover() -> Remover:
    return Counted().remover


@pytest.fixture
def counted() -> Counted:
    return Counted()


def found_of(remover: Remover, photo: bytes, **order: Any) -> tuple[dict[str, Any], Answer]:
    answer = find(
        remover, FindOrder(photo=photo, with_hole=True, request_id="id", **order), Wanted(), max_megapixels=9
    )
    return json.loads(answer.body), answer


def removed(remover: Remover, photo: bytes = COVERED, **order: Any) -> Answer:
    given = RemoveOrder(**{"photo": photo, "as_json": False, "request_id": "id", **order})
    return remove(remover, given, Wanted(), max_megapixels=9)


@pytest.mark.parametrize(
    ("photo", "status"), [(COVERED, "covered"), (BARE, "no_covering"), (NOBODY, "no_face")]
)
def test_find_tells_what_is_there(remover: Remover, photo: bytes, status: str) -> None:
    told, answer = found_of(remover, photo)
    assert (answer.status, answer.media_type) == (status, "application/json")
    assert (told["hole"] is None) == (status != "covered")
    assert told["kept"] is None
    assert answer.keep is None
    assert answer.megapixels == pytest.approx(0.108)
    assert [face["status"] for face in told["faces"]] == list(answer.faces)


def test_a_photo_is_kept_under_the_token_that_the_answer_tells(remover: Remover) -> None:
    told, answer = found_of(remover, COVERED, token_for=lambda kept: f"{len(kept.photo)} bytes")
    assert answer.keep is not None
    token, kept = answer.keep
    assert told["kept"] == token == f"{len(COVERED)} bytes"
    assert kept.photo == COVERED
    no_room, answer = found_of(remover, COVERED, token_for=lambda kept: None)
    assert (no_room["kept"], answer.keep) == (None, None)


def test_a_kept_photo_is_removed_from_without_looking_again(remover: Remover, counted: Counted) -> None:
    told, answer = found_of(counted.remover, TWO, token_for=lambda kept: "token")
    assert answer.keep is not None
    kept: KeptPhoto = answer.keep[1]
    assert (counted.finds, counted.segments) == (1, 1)
    hole = base64.b64decode(told["hole"])
    half = np.asarray(Image.open(io.BytesIO(hole))).copy()
    half[:, half.shape[1] // 2 :] = 0
    for order in (
        {},
        {"faces": [1]},
        {"faces": "largest"},
        {"hole": hole},
        {"hole": png(half), "faces": [0, 1]},
    ):
        plain = removed(remover, TWO, **order)
        assert removed(counted.remover, kept.photo, looked=kept.looked, **order).body == plain.body
        assert plain.status == "restored"
    assert (counted.finds, counted.segments) == (1, 1)
    with pytest.raises(UsageError):
        removed(counted.remover, kept.photo, looked=kept.looked, faces=[2])


def test_faces_and_hole_found_before_are_taken_and_nothing_is_looked_for(
    remover: Remover, counted: Counted
) -> None:
    told, _ = found_of(remover, TWO)
    hole = base64.b64decode(told["hole"])
    found = found_before({"found": json.dumps(told).encode(), "hole": hole})
    again = removed(counted.remover, TWO, found=found, hole=hole)
    assert (counted.finds, counted.segments) == (0, 0)
    assert (again.status, again.faces) == ("restored", ("restored", "restored"))
    # The same as if it had been looked for, but for boxes and points that JSON rounds to tenths of a pixel.
    pixels = [
        np.asarray(Image.open(io.BytesIO(answer.body))).astype(int)
        for answer in (again, removed(remover, TWO, hole=hole))
    ]
    assert np.abs(pixels[0] - pixels[1]).mean() < 0.5


def test_an_untouched_photo_comes_back_byte_for_byte(remover: Remover) -> None:
    for photo in (BARE, NOBODY):
        assert removed(remover, photo).body == photo
        told = json.loads(removed(remover, photo, as_json=True).body)
        assert base64.b64decode(told["photo"]["base64"]) == photo
        assert told["hole"] is None


@pytest.mark.parametrize(
    ("order", "error"),
    [
        ({"photo": b"GIF89a"}, Refusal),
        ({"photo": COVERED[:300]}, PhotoUnreadable),
        ({"hole": b"x"}, Refusal),
        ({"hole": COVERED[:300]}, PhotoUnreadable),
        ({"hole": png(np.zeros((9, 9), np.uint8))}, ShapeMismatch),
        ({"hole": png(np.zeros((360, 300), np.uint8))}, InputError),
        ({"faces": [3]}, UsageError),
    ],
)
def test_what_cannot_be_used_says_which_upload(
    remover: Remover, order: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        removed(remover, **order)
    if error is PhotoUnreadable:
        assert str(caught.value).startswith("hole: " if "hole" in order else "photo: ")


def test_a_job_that_nobody_waits_for_ends(remover: Remover) -> None:
    wanted = Wanted()
    wanted.drop()
    with pytest.raises(Abandoned):
        find(remover, FindOrder(photo=COVERED, with_hole=False, request_id="id"), wanted, max_megapixels=9)
    with pytest.raises(Abandoned):
        remove(remover, RemoveOrder(photo=COVERED, as_json=False, request_id="id"), wanted, max_megapixels=9)
