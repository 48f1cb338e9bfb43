"""Settings from text into frozen dataclasses: `--set name=value`, a run's config.json and a study's plan.

All three mean the same by the same value. Types are strict: "7" is no number, 1.5 no whole number, true no
number; lists become tuples, texts become paths, and the dataclasses' own checks run. pydantic does the
checking, which the `train` and `study` extras bring.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import functools
import json
import math
import operator
import types
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError

from demask.errors import ConfigError

Config = TypeVar("Config")
Place = tuple[str | int, ...]  # Keys and numbers that lead from the whole to one value.

_WORDS = {"true": True, "false": False, "none": None, "null": None, "inf": math.inf, "-inf": -math.inf}


def read(kind: type[Config], table: object, *, whole: str = "the settings", where: str = "") -> Config:
    """Make a dataclass from what JSON or TOML gave, every key and type checked.

    Args:
        kind: The dataclass, nested or not.
        table: A table of settings.
        whole: What the table is, for messages about all of it.
        where: What messages put before the dotted names, such as `trainer.`.

    Raises:
        ConfigError: A key that does not exist (the nearest is named), one that is missing, a value of
            another type, or what the dataclasses' own checks refuse.
    """
    try:
        return typing.cast(Config, _check(kind, table))
    except ValidationError as error:
        older = _older_names(kind, table, error)
        if older is not None:
            return read(kind, older, whole=whole, where=where)
        # A key written wrong explains the one that is missing, so it is told first.
        faults = sorted(error.errors(), key=lambda fault: fault["type"] != "unexpected_keyword_argument")
        raise _told(kind, faults[0], whole, where) from None


def override(config: Config, assignments: Iterable[str], *, where: str = "") -> Config:
    """Apply `a.b=value` assignments to a frozen dataclass.

    Args:
        config: A frozen dataclass, nested or not.
        assignments: Each `dotted.name=value`. A value is written as in Python or TOML: `7`, `true`, `none`,
            `(1, 7)` or `[1, 7]`; texts and paths need no quotes.
        where: As in `read`.

    Raises:
        ConfigError: As `read`, or an assignment without a value.
    """
    table = json.loads(json.dumps(dataclasses.asdict(typing.cast(Any, config)), default=str))
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(f"got {assignment!r}; settings are written name=value, such as batch_size=8")
        path = name.strip().split(".")
        value = _value(text.strip(), _type_at(type(config), path, where), where + name.strip())
        inner = table
        for key in path[:-1]:
            if inner[key] is None:
                inner[key] = {}
            inner = inner[key]
        inner[path[-1]] = value
    return read(type(config), table, where=where)


def _value(text: str, wanted: Any, name: str) -> object:
    """What a text means where a value of that type is wanted."""
    for value in (*_literal(text), text):
        try:
            _check(wanted, value)
        except ValidationError:
            continue
        return value
    raise ConfigError(f"{name} is {text!r}; it must be {_words(wanted)}{_nearest(text, wanted)}")


def _literal(text: str) -> tuple[object, ...]:
    if text.lower() in _WORDS:
        return (_WORDS[text.lower()],)
    try:
        return (ast.literal_eval(text),)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ()


@functools.lru_cache(maxsize=256)
def _adapter(wanted: Any) -> TypeAdapter[Any]:
    # In a tuple of one, since pydantic takes no settings for a plain dataclass, which inherits them here.
    return TypeAdapter(tuple[wanted], config=ConfigDict(extra="forbid", strict=True))


def _check(wanted: Any, value: object) -> object:
    # As JSON, where strict still means that lists are tuples and texts are paths.
    return _adapter(wanted).validate_json(json.dumps([value], default=str))[0]


def _type_at(kind: Any, path: list[str], where: str) -> Any:
    """Type of a setting by its dotted name."""
    name = where + ".".join(path)
    for place, key in enumerate(path):
        kind = _bare(kind)
        if not dataclasses.is_dataclass(kind):
            raise ConfigError(f"no setting {name!r}; {path[place - 1]!r} is a plain value")
        hints = typing.get_type_hints(kind, include_extras=True)
        if key not in hints:
            raise _no_setting(name, key, typing.cast(type, kind))
        kind = hints[key]
    return kind


def _told(kind: type, fault: Mapping[str, Any], whole: str, where: str) -> ConfigError:
    """The error in our words: the dotted name, what we got, what is needed."""
    place: Place = fault["loc"][1:]
    if fault["type"] == "unexpected_keyword_argument":
        table, _ = _follow(kind, place[:-1])
        name = f"{_dotted(kind, place[:-1])}.{place[-1]}".removeprefix(".")
        return _no_setting(where + name, str(place[-1]), _bare(table))
    if fault["type"] == "missing" and isinstance(place[-1], str):
        return ConfigError(f"{where}{_dotted(kind, place)} is missing; {whole} must have it")
    if fault["type"] == "missing":  # An item of a list that is too short: tell of the list.
        place = place[:-1]
    wanted, _ = _follow(kind, place)
    name, got = where + _dotted(kind, place) or whole, fault["input"]
    if fault["type"].startswith("union_tag"):
        key = fault["ctx"]["discriminator"].strip("'")
        name, got = f"{name}.{key}", got.get(key)
        tags = [typing.get_type_hints(each)[key] for each in _options(wanted)]
        wanted = typing.Union[tuple(tags)]  # noqa: UP007
    return ConfigError(f"{name} is {got!r}; it must be {_words(wanted)}{_nearest(got, wanted)}")


def _older_names(kind: type, table: object, error: ValidationError) -> object | None:
    """The table with today's names for settings once called `*_share`; None if it has none.

    The config.json of older runs and the plans of older studies hold them.
    """
    renamed = json.loads(json.dumps(table, default=str))
    for fault in error.errors():
        place: Place = fault["loc"][1:]
        if fault["type"] != "unexpected_keyword_argument" or not str(place[-1]).endswith("_share"):
            continue
        holder, written = _follow(kind, place[:-1])
        settings = functools.reduce(operator.getitem, written, renamed)
        new = str(place[-1]).removesuffix("share") + "fraction"
        if new in typing.get_type_hints(_bare(holder)) and new not in settings:
            settings[new] = settings.pop(place[-1])
    return renamed if renamed != json.loads(json.dumps(table, default=str)) else None


def _no_setting(name: str, key: str, kind: type) -> ConfigError:
    names = [field.name for field in dataclasses.fields(kind)]
    near = difflib.get_close_matches(key, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
    return ConfigError(f"no setting {name!r}; {hint}")


def _follow(kind: Any, place: Place) -> tuple[Any, Place]:
    """Type at a place, and the place without the members of unions that pydantic names as it tries them."""
    written: Place = ()
    for key in place:
        kind = _bare(kind)
        options = _options(kind)
        if len(options) > 1:
            chosen = [option for option in options if key in _tags(option)]
            if not chosen:
                break
            kind = chosen[0]
            continue
        inner = typing.get_args(kind)
        written = (*written, key)
        if dataclasses.is_dataclass(kind):
            kind = typing.get_type_hints(kind, include_extras=True)[str(key)]
        elif typing.get_origin(kind) is tuple:
            kind = inner[0] if inner[-1] is Ellipsis else inner[typing.cast(int, key)]
        else:
            kind = inner[1]  # A mapping's values.
    return kind, written


def _tags(option: Any) -> tuple[object, ...]:
    """Values of the literal fields by which a member of a union of dataclasses is chosen."""
    hints = typing.get_type_hints(option).values() if dataclasses.is_dataclass(option) else ()
    return tuple(
        tag for hint in hints if typing.get_origin(hint) is typing.Literal for tag in typing.get_args(hint)
    )


def _dotted(kind: type, place: Place) -> str:
    """A place in the words of its user: `blocks[0].name`."""
    _, written = _follow(kind, place)
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in written).removeprefix(".")


def _bare(kind: Any) -> Any:
    """A type without its annotations and without `| None`."""
    if typing.get_origin(kind) is typing.Annotated:
        kind = typing.get_args(kind)[0]
    options = [option for option in _options(kind) if option is not type(None)]
    return options[0] if len(options) == 1 else kind


def _options(kind: Any) -> tuple[Any, ...]:
    kind = typing.get_args(kind)[0] if typing.get_origin(kind) is typing.Annotated else kind
    return typing.get_args(kind) if typing.get_origin(kind) in (types.UnionType, typing.Union) else (kind,)


def _nearest(got: object, wanted: Any) -> str:
    choices = [
        choice
        for option in _options(wanted)
        if typing.get_origin(option) is typing.Literal
        for choice in typing.get_args(option)
    ]
    near = difflib.get_close_matches(str(got), [text for text in choices if isinstance(text, str)], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


_PLAIN = {
    bool: ("true or false", "truths"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("text", "texts"),
    Path: ("a path", "paths"),
    type(None): ("none", "nones"),
}


def _words(wanted: Any) -> str:
    """A type in plain words."""
    options = _options(wanted)
    if len(options) > 1:
        return " or ".join(_words(option) for option in options)
    (wanted,) = options
    if wanted in _PLAIN:
        return _PLAIN[wanted][0]
    origin, inner = typing.get_origin(wanted), typing.get_args(wanted)
    if origin is typing.Literal:
        return " or ".join(repr(choice) for choice in inner)
    if origin is tuple:
        many = _PLAIN[inner[0]][1] if inner[0] in _PLAIN else "tables of settings"
        if inner[-1] is Ellipsis:
            return f"a list of {many}"
        if len(set(inner)) == 1:
            return f"a list of {len(inner)} {many}"
        return f"a list: {', '.join(_words(item) for item in inner)}"
    return "a table of settings"
