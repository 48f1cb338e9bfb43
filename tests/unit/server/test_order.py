"""The text of a form's fields, sensible and not."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demask.errors import UsageError
from demask.server.form import chosen_faces, found_before, require_samples
from demask.webkit.responses import Refusal

FACE: dict[str, Any] = {
    "box": [1, 2, 30.5, 40],
    "points": [[3, 4]] * 5,
    "score": 0.5,
    "covered": True,
    "index": 0,
}


def found(faces: Any, **more: Any) -> Any:
    return found_before({"found": json.dumps({"faces": faces, **more}).encode(), "hole": b"png"})


@pytest.mark.parametrize(
    ("text", "wanted"), [(b"all", "all"), (b"largest", "largest"), (b"none", []), (b"0,2", [0, 2])]
)
def test_faces_are_named_or_numbered(text: bytes, wanted: Any) -> None:
    assert chosen_faces({"faces": text}) == wanted
    assert chosen_faces({}) == "all"


@pytest.mark.parametrize("text", [b"", b"first", b"0,", b"-1", b"1.5", b"\xff", b"9999999", "٣".encode()])
def test_other_faces_are_refused(text: bytes) -> None:
    with pytest.raises(UsageError):
        chosen_faces({"faces": text})


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"2", "samples_unsupported"),
        (b"0", "bad_field"),
        (b"one", "bad_field"),
        (b"1" * 7, "bad_field"),
        (b"", "bad_field"),
    ],
)
def test_only_one_sample_is_drawn(text: bytes, code: str) -> None:
    require_samples({})
    require_samples({"samples": b"1"})
    with pytest.raises(Refusal) as caught:
        require_samples({"samples": text})
    assert (caught.value.status, caught.value.code) == (422, code)


def test_the_answer_of_find_is_taken_whole() -> None:
    assert found_before({}) is None
    assert found([]) == ()
    (face,) = found([FACE], width=640, hole="iVBOR", notice="x", kept=None)
    assert face.box == (1, 2, 30.5, 40)
    assert face.points.dtype == np.float32
    assert face.points.tolist() == [[3, 4]] * 5
    assert face.score == 0.5


@pytest.mark.parametrize(
    "change",
    [
        {"box": [1, 2, 3]},
        {"box": [1, 2, 1, 40]},
        {"box": [1, 2, 30, 4e9]},
        {"box": "secret"},
        {"points": [[3, 4]] * 4},
        {"points": [[3, 4, 5]] * 5},
        {"points": [[3, 1e30]] * 5},
        {"points": None},
        {"score": 2},
        {"score": "secret"},
    ],
)
def test_other_json_is_refused_and_not_repeated(change: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as caught:
        found([FACE, {**FACE, **change}])
    assert (caught.value.status, caught.value.code) == (422, "bad_field")
    assert caught.value.details == {"field": "found"}
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"null", b"{}", b'{"faces": 3}', b"\xff", b"[" * 100_000, b'{"faces": [NaN]}']
)
def test_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(Refusal, match="found"):
        found_before({"found": text, "hole": b"png"})


def test_too_many_faces_are_refused() -> None:
    assert len(found([FACE] * 1000)) == 1000
    with pytest.raises(Refusal):
        found([FACE] * 1001)


def test_faces_without_a_hole_are_refused() -> None:
    with pytest.raises(Refusal, match="without the field hole"):
        found_before({"found": b'{"faces": []}'})


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["box", "points", "score"]), inner),
        max_leaves=12,
    )
)
def test_any_json_is_taken_or_refused(faces: Any) -> None:
    with contextlib.suppress(Refusal):
        assert isinstance(found(faces), tuple)
