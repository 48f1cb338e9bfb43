"""Reference pages made from the program itself: commands, Python, HTTP."""

from __future__ import annotations

import inspect
import re
from typing import Any

import typer


def cli_page() -> str:
    """Every command with its options, as Typer knows them."""
    from demask.cli.app import app

    root = typer.main.get_command(app)
    lines = ["# Command line", "", "`demask COMMAND --help` says the same at a terminal.", ""]
    return "\n".join([*lines, *_commands(root, "demask")])


def _commands(command: Any, name: str) -> list[str]:
    """Sections of a command and of all below it."""
    if getattr(command, "commands", None):
        return [line for key in command.commands for line in _commands(command.commands[key], f"{name} {key}")]
    if command.hidden:
        return []
    arguments = [item for item in command.params if item.param_type_name == "argument"]
    options = [item for item in command.params if item.param_type_name == "option" and not _hidden(item)]
    usage = " ".join([name, "[OPTIONS]", *(item.metavar or item.name.upper() for item in arguments)])
    lines = [f"## {name}", "", "```text", usage, "```", "", _plain(command.help or ""), ""]
    if options:
        lines += ["| option | default | |", "|---|---|---|"]
    for item in options:
        names = ", ".join(f"`{text}`" for text in [*item.opts, *item.secondary_opts])
        default = item.default() if callable(item.default) else item.default
        shown = "" if default in (None, False, ()) or item.is_flag else f"`{default}`"
        variable = f" Variable: `{item.envvar}`." if item.envvar else ""
        lines.append(f"| {names} | {shown} | {_cell(item.help or '')}{variable} |")
    return [*lines, ""]


def _hidden(item: Any) -> bool:
    return bool(getattr(item, "hidden", False)) or item.name == "help"


def python_page() -> str:
    """What `import demask` offers, from its docstrings."""
    import demask

    lines = ["# Python", "", _plain(inspect.getdoc(demask) or ""), ""]
    for name in sorted(demask.__all__, key=str.lower):
        thing = getattr(demask, name)
        if inspect.isclass(thing):
            lines += [f"## {name}", "", _docstring(thing), ""]
            for key, method in sorted(vars(thing).items()):
                own = inspect.isfunction(method) or isinstance(method, property | classmethod | staticmethod)
                if own and inspect.getdoc(method) and (not key.startswith("_") or key == "__call__"):
                    lines += [f"### {name}.{key}", "", *_signature(key, method), _docstring(method), ""]
        elif callable(thing):
            lines += [f"## {name}", "", *_signature(name, thing), _docstring(thing), ""]
    return "\n".join(lines)


def _signature(name: str, thing: Any) -> list[str]:
    function = getattr(thing, "__func__", thing)
    if isinstance(thing, property):
        return []
    text = f"{name}{inspect.signature(function)}".replace("demask.", "")
    return ["```python", re.sub(r"'", "", text), "```", ""]


_SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Yields):$")


def _docstring(thing: Any) -> str:
    """Google's sections as lists."""
    lines, section = [], ""
    for line in inspect.cleandoc(inspect.getdoc(thing) or "").splitlines():
        if match := _SECTION.match(line):
            section = match[1]
            lines += ["", f"**{section}**", ""]
        elif section and (named := re.match(r"^ {4}(\*{0,2}[\w.]+): (.*)$", line)):
            lines.append(f"- `{named[1]}`: {named[2]}")
        elif section and line.startswith("    "):
            lines.append(line.strip() if not lines[-1] else f"  {line.strip()}")
        else:
            section = "" if line and not line.startswith(" ") else section
            lines.append(line)
    return "\n".join(lines)


def http_page() -> str:
    """The HTTP API, from its OpenAPI document."""
    from typing import cast

    from demask.server.factory import create_app

    document = create_app(cast(Any, None)).openapi()
    lines = [
        "# HTTP",
        "",
        _plain(document["info"]["description"]),
        "",
        "The [server's guide](../server.md) explains.",
    ]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            text = operation.get("description") or operation.get("summary", "")
            lines += ["", f"## {method.upper()} {path}", "", _plain(text), ""]
            lines += _inputs(operation)
            lines += ["| status | answer | |", "|---|---|---|"]
            for status, answer in operation["responses"].items():
                lines.append(
                    f"| {status} | {', '.join(answer.get('content', {}))} | {_cell(answer['description'])} |"
                )
    return "\n".join([*lines, ""])


def _inputs(operation: dict[str, Any]) -> list[str]:
    rows = [
        f"| `{item['name']}` | {item['in']} | {_cell(item.get('description', ''))} |"
        for item in operation.get("parameters", [])
    ]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        for name, schema in content["schema"]["properties"].items():
            rows.append(f"| `{name}` | form | {_cell(schema.get('description', ''))} |")
    return ["| name | in | |", "|---|---|---|", *rows, ""] if rows else []


def _plain(text: str) -> str:
    return inspect.cleandoc(text).replace("\b\n", "").replace("<", "&lt;")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
