"""Settings: what is read, and what is refused with which words, the same from every source."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from demask.errors import ConfigError
from demask.settings import override, read


@dataclass(frozen=True, kw_only=True, slots=True)
class Faces:
    data: Path
    widen_px: tuple[int, int] = (1, 7)
    sources: tuple[str, ...] = ()
    light: bool = True

    def __post_init__(self) -> None:
        if self.widen_px[0] > self.widen_px[1]:
            raise ConfigError(f"widen_px is {self.widen_px}; the first must not be the larger")


@dataclass(frozen=True, kw_only=True)
class Box:
    kind: Literal["box"] = "box"
    side: int = 1


@dataclass(frozen=True, kw_only=True)
class Disc:
    kind: Literal["disc"] = "disc"
    radius: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    faces: Faces
    steps: int = 10
    rate: float = 0.5
    minutes: float = math.inf
    name: str = ""
    network: Path | None = None
    precision: Literal["bfloat16", "float32"] = "bfloat16"
    levels: int | Literal["auto"] = "auto"
    spare: Faces | None = None
    shares: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    parts: tuple[Annotated[Box | Disc, Field(discriminator="kind")], ...] = ()


TASK = Task(faces=Faces(data=Path("x")))


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("steps=7", 7),
        ("rate=1", 1.0),
        ("rate=3e-4", 3e-4),
        ("minutes=inf", math.inf),
        ("name=fast", "fast"),
        ("name=7", "7"),
        ("name='quoted'", "quoted"),
        ("name=", ""),
        ("network=a/b.onnx", Path("a/b.onnx")),
        ("network=7", Path("7")),
        ("network=none", None),
        ("network=NONE", None),
        ("precision=float32", "float32"),
        ("levels=auto", "auto"),
        ("levels=3", 3),
        ("faces.light=false", False),
        ("faces.light=True", True),
        ("faces.widen_px=(0, 3)", (0, 3)),
        ("faces.widen_px=[0,3]", (0, 3)),
        ("faces.sources=('a',)", ("a",)),
        ("faces.sources=[]", ()),
        ("spare.data=y", Path("y")),
        ("parts=[{'kind': 'disc', 'radius': 2}]", (Disc(radius=2.0),)),
    ],
)
def test_a_value_is_read_as_its_type(assignment: str, value: object) -> None:
    found: object = override(TASK, [assignment])
    for key in assignment.partition("=")[0].split("."):
        found = getattr(found, key)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("steps=abc", "steps is 'abc'; it must be a whole number"),
        ("steps=1.5", "steps is '1.5'; it must be a whole number"),
        ("steps='7'", "it must be a whole number"),
        ("steps=true", "it must be a whole number"),
        ("rate=none", "it must be a number"),
        ("faces.light=7", "faces.light is '7'; it must be true or false"),
        ("faces.widen_px=(1,'x')", "it must be a list of 2 whole numbers"),
        ("faces.widen_px=(1, 2, 3)", "it must be a list of 2 whole numbers"),
        ("faces.widen_px=5", "it must be a list of 2 whole numbers"),
        ("faces.widen_px=(5, 1)", "the first must not be the larger"),
        ("faces.sources=a", "it must be a list of texts"),
        ("precision=float", "it must be 'bfloat16' or 'float32'; did you mean 'float32'?"),
        ("levels=few", "it must be a whole number or 'auto'"),
        ("step=7", "no setting 'step'; did you mean 'steps'?"),
        ("faces.seeed=7", "no setting 'faces.seeed'; there are data, widen_px, sources, light"),
        ("steps.x=7", "no setting 'steps.x'; 'steps' is a plain value"),
        ("faces=7", "it must be a table of settings"),
        ("spare.light=true", "spare.data is missing"),
        ("parts=[{'kind': 'disk'}]", "it must be a list of tables of settings"),
        ("steps", "settings are written name=value"),
        ("=7", "no setting ''"),
        (".=7", "no setting '.'"),
        (f"faces.widen_px={'(' * 200}", "it must be a list of 2 whole numbers"),
    ],
)
def test_a_wrong_assignment_says_what_is_needed(assignment: str, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        override(TASK, [assignment])


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({}, "faces is missing; the plan must have it"),
        ({"faces": {}}, "faces.data is missing"),
        ({"fases": {"data": "x"}}, "no setting 'fases'; did you mean 'faces'?"),
        ({"faces": {"data": "x", "lite": True}}, "no setting 'faces.lite'; did you mean 'light'?"),
        ({"faces": {"data": 7}}, "faces.data is 7; it must be a path"),
        ({"faces": {"data": "x", "widen_px": [1, "x"]}}, "faces.widen_px[1] is 'x'; it must be a whole number"),
        ({"faces": {"data": "x", "widen_px": [1]}}, "faces.widen_px is [1]; it must be a list of 2 whole"),
        ({"faces": {"data": "x"}, "steps": True}, "steps is True; it must be a whole number"),
        ({"faces": {"data": "x"}, "levels": 1.5}, "levels is 1.5; it must be a whole number or 'auto'"),
        ({"faces": {"data": "x"}, "spare": {"data": "y", "light": 1}}, "spare.light is 1; it must be true or"),
        ({"faces": {"data": "x"}, "shares": {"a": [1, "b"]}}, "shares.a[1] is 'b'; it must be a number"),
        ({"faces": {"data": "x"}, "parts": [{"kind": "box", "side": "x"}]}, "parts[0].side is 'x'; it must"),
        ({"faces": {"data": "x"}, "parts": [{"kind": "box", "sid": 2}]}, "no setting 'parts[0].sid'; did you"),
        ({"faces": {"data": "x"}, "parts": [{"kind": "disk"}]}, "parts[0].kind is 'disk'; it must be 'box' or"),
        ({"faces": {"data": "x"}, "parts": [{}]}, "parts[0].kind is None; it must be 'box' or 'disc'"),
        ({"faces": {"data": "x"}, "parts": [3]}, "parts[0] is 3; it must be a table of settings"),
        ([], "the plan is []; it must be a table of settings"),
    ],
)
def test_a_wrong_table_says_what_is_needed(table: object, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        read(Task, table, whole="the plan")


def test_messages_name_a_setting_as_it_was_given() -> None:
    for assignment in ("faces.step=3", "steps=abc", "spare.light=true"):
        with pytest.raises(ConfigError, match=r"trainer\."):
            override(TASK, [assignment], where="trainer.")


def test_what_was_written_as_json_is_read_back() -> None:
    task = override(TASK, ["spare.data=y", "shares={'a': (1.0, 2.0)}", "minutes=5", "parts=[{'kind': 'box'}]"])
    assert read(Task, json.loads(json.dumps(dataclasses.asdict(task), default=str))) == task


def test_settings_that_only_fit_together_may_come_in_any_order() -> None:
    assert override(TASK, ["faces.widen_px=(9, 9)", "steps=3"]).faces.widen_px == (9, 9)


@given(st.text(max_size=30))
def test_no_text_ends_in_another_error(text: str) -> None:
    for name in ("steps", "faces.widen_px", "precision", "network", "shares", "parts", "levels", text):
        with contextlib.suppress(ConfigError):
            override(TASK, [f"{name}={text}"])
