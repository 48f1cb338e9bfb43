"""Read a plan from TOML, every key checked; an unknown one is an error that names the nearest."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demask.errors import ConfigError, InputError
from demask.study.blocks import BLOCK_KINDS, Block
from demask.study.plan import Plan


def read_plan(path: Path) -> Plan:
    """Read a plan file.

    Raises:
        InputError: There is no such file, or it is not TOML.
        ConfigError: A key that does not exist, a value of the wrong type, or settings that contradict.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot read the plan {path}: {error.strerror}; name a TOML file") from error
    return parse_plan(text)


def parse_plan(text: str) -> Plan:
    """Read a plan from the text of a TOML file; raises as `read_plan`."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"the plan is not TOML: {error}") from error
    plan = build(Plan, table, "")
    assert isinstance(plan, Plan)
    return plan


def build(kind: type, table: object, where: str) -> Any:
    """Make a dataclass from a table of settings, every key and type checked.

    Args:
        kind: The dataclass.
        table: What TOML gave.
        where: Dotted name of the table, for messages; empty at the top.

    Raises:
        ConfigError: As `read_plan`.
    """
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where or 'the plan'} is {table!r} but must be a table of settings")
    if kind is Block:
        kind, table = _block_kind(table, where)
    fields = {item.name: item for item in dataclasses.fields(kind)}
    hints = typing.get_type_hints(kind)
    values = {}
    for key, value in table.items():
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(fields)}"
            raise ConfigError(f"no setting {_join(where, key)!r}; {hint}")
        values[key] = _read(hints[key], value, _join(where, key))
    for name, item in fields.items():
        required = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        if required and name not in values:
            raise ConfigError(f"{_join(where, name)} is missing; the plan needs it")
    return kind(**values)


def _block_kind(table: Mapping[str, Any], where: str) -> tuple[type[Block], Mapping[str, Any]]:
    kind = table.get("kind")
    if kind not in BLOCK_KINDS:
        near = difflib.get_close_matches(str(kind), BLOCK_KINDS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"{where}.kind is {kind!r}; choose {', '.join(BLOCK_KINDS)}{hint}")
    return BLOCK_KINDS[kind], {key: value for key, value in table.items() if key != "kind"}


def _read(wanted: Any, value: object, where: str) -> Any:
    """Check one value against a field's type; lists become tuples."""
    options = typing.get_args(wanted) if isinstance(wanted, types.UnionType) else (wanted,)
    for option in options:
        origin, inner = typing.get_origin(option), typing.get_args(option)
        if origin is typing.Literal:
            if value in inner:
                return value
            near = difflib.get_close_matches(str(value), inner, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"{where} is {value!r}; choose {' or '.join(inner)}{hint}")
        if origin is tuple and isinstance(value, list):
            return tuple(_read(inner[0], item, f"{where}[{place}]") for place, item in enumerate(value))
        if origin is not None and issubclass(origin, Mapping) and isinstance(value, dict):
            return {key: _read(inner[1], text, _join(where, key)) for key, text in value.items()}
        if dataclasses.is_dataclass(option):
            return build(typing.cast(type, option), value, where)
        if option is float and isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        # True is an int to Python; to a plan it is not.
        if option in (int, str, bool) and type(value) is option:
            return value
    names = " or ".join(getattr(option, "__name__", str(option)) for option in options)
    raise ConfigError(f"{where} is {value!r} but must be {names}")


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key
