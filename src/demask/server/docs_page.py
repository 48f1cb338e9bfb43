"""`/docs`: the OpenAPI document as a plain page, without a script and without an outside address."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any


def docs_page(document: dict[str, Any]) -> str:
    """Render an OpenAPI document as HTML.

    Args:
        document: OpenAPI 3.1, as FastAPI makes it.
    """
    blocks = [
        _operation(method, path, operation)
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    title, version = escape(document["info"]["title"]), escape(document["info"]["version"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}: the API</title>'
        '<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">'
        '<link rel="stylesheet" href="style.css">'
        f'</head><body><main class="api"><h1>{title} {version}: the API</h1>'
        f"<p>{escape(document['info']['description'])}</p>"
        '<p><a href="openapi.json">openapi.json</a> has it all for programs; '
        '<a href="./">the page</a> uses it.</p>'
        f"{''.join(blocks)}</main></body></html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    lines = [f"<section><h2>{escape(method.upper())} {escape(path)}</h2>"]
    text = operation.get("description") or operation.get("summary", "")
    lines.append(f"<p>{escape(' '.join(text.split()))}</p>")
    inputs = [
        (item["name"], item["in"], item.get("description", "")) for item in operation.get("parameters", [])
    ]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        needed = content["schema"].get("required", [])
        inputs += [
            (name, "form, required" if name in needed else "form", schema.get("description", ""))
            for name, schema in content["schema"]["properties"].items()
        ]
    if inputs:
        lines.append(_table(("name", "in", ""), inputs))
    answers = [
        (status, ", ".join(answer.get("content", {})), answer["description"])
        for status, answer in operation["responses"].items()
    ]
    lines.append(_table(("status", "answer", ""), answers))
    return "".join(lines) + "</section>"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    def row(cells: tuple[str, ...], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    return f"<table>{row(head, 'th')}{''.join(row(cells, 'td') for cells in rows)}</table>"
