"""Override one setting of a nested frozen config by its dotted name, typed and checked."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import types
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from demask.errors import ConfigError

Config = TypeVar("Config")


def override(config: Config, assignments: Iterable[str]) -> Config:
    """Apply `a.b=value` assignments to a frozen dataclass; the dataclasses' own checks run again.

    Args:
        config: A frozen dataclass, nested or not.
        assignments: Each `dotted.name=value`; the value is read as the field's type.

    Raises:
        ConfigError: A name that does not exist (the nearest is named) or a value of another type.
    """
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(f"got {assignment!r}; settings are written name=value, such as batch_size=8")
        config = _replace(config, name.strip().split("."), text.strip(), name.strip())
    return config


def _replace(config: Any, path: list[str], text: str, full_name: str) -> Any:
    hints = typing.get_type_hints(type(config))
    names = [field.name for field in dataclasses.fields(config)]
    head, rest = path[0], path[1:]
    if head not in names:
        near = difflib.get_close_matches(head, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
        raise ConfigError(f"no setting {full_name!r}; {hint}")
    value = getattr(config, head)
    if rest:
        if not dataclasses.is_dataclass(value):
            raise ConfigError(f"no setting {full_name!r}; {head!r} is a plain value")
        return dataclasses.replace(config, **{head: _replace(value, rest, text, full_name)})
    return dataclasses.replace(config, **{head: _read(text, hints[head], full_name)})


def _read(text: str, wanted: Any, name: str) -> Any:
    """Read text as a value of type `wanted`."""
    options = typing.get_args(wanted) if isinstance(wanted, types.UnionType) else (wanted,)
    if type(None) in options and text.lower() == "none":
        return None
    for option in options:
        if typing.get_origin(option) is typing.Literal and text in typing.get_args(option):
            return text
        if option in (str, Path):
            return option(text)
        if option is bool and text.lower() in {"true", "false"}:
            return text.lower() == "true"
        if option in (int, float):
            try:
                return option(text)
            except ValueError:
                continue
        if typing.get_origin(option) is tuple:
            try:
                items = ast.literal_eval(text)
            except (ValueError, SyntaxError):
                continue
            if isinstance(items, tuple):
                return items
    if typing.get_origin(wanted) is typing.Literal:
        choices = typing.get_args(wanted)
        near = difflib.get_close_matches(text, choices, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"{name} is {text!r}; choose {' or '.join(choices)}{hint}")
    raise ConfigError(f"{name} is {text!r} but must be {wanted}")
