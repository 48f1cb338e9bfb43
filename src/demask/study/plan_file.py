"""Read a plan from TOML, every key checked; an unknown one is an error that names the nearest."""

from __future__ import annotations

import tomllib
from pathlib import Path

from demask import settings
from demask.errors import InputError
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
    except UnicodeDecodeError as error:
        raise InputError(f"the plan {path} is not UTF-8 text; save it as such") from error
    return parse_plan(text)


def parse_plan(text: str) -> Plan:
    """Read a plan from the text of a TOML file; raises as `read_plan`."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"the plan is not TOML: {error}") from error
    return settings.read(Plan, table, whole="the plan")
