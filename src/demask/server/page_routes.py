"""Routes beside the API: `/docs` without an outside address, and what the page loads to do the work itself."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

from demask.server.browser_files import (
    ISOLATED,
    MEDIA_TYPES,
    NO_ENGINE,
    WORKER_POLICY,
    BrowserFiles,
    browser_files,
)
from demask.server.serve_settings import Settings
from demask.server.web_runtime import find_runtime
from demask.webkit.access import public
from demask.webkit.responses import of_unchanged

_HEADERS = {**ISOLATED, "Content-Security-Policy": WORKER_POLICY, "Cache-Control": "no-cache"}
_FILES = StaticFiles(check_dir=False)  # Knows when a browser's copy is still good.


def add_engine(app: FastAPI, settings: Settings) -> dict[str, str]:
    """Add the routes of the engine, where the settings name its runtime, and `engines.json` in any case.

    Args:
        app: The server.
        settings: Its `runtime`.

    Returns:
        Headers that the page itself needs.

    Raises:
        UsageError: The runtime is not in the folder that the settings name.
        WeightsError: A file of it, or a network, is not the one it should be.
    """
    if settings.runtime is None:
        files = BrowserFiles(on_disk={}, made={"engines.json": NO_ENGINE})
    else:
        files = browser_files(find_runtime(settings.runtime), engines=("server", "browser"))
    app.state.engine = files
    for name in (*files.on_disk, *files.made):
        app.add_api_route(f"/{name}", _file, include_in_schema=False)
    return {} if settings.runtime is None else ISOLATED


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


@public
async def _file(request: Request) -> Response:
    files: BrowserFiles = request.app.state.engine
    name = request.url.path.removeprefix("/")
    media_type = MEDIA_TYPES[f".{name.rpartition('.')[2]}"]
    if name in files.made:
        return Response(files.made[name], media_type=media_type, headers=_HEADERS)
    path = files.on_disk[name]
    answer = FileResponse(path, media_type=media_type, headers=_HEADERS, stat_result=path.stat())
    if _FILES.is_not_modified(answer.headers, request.headers):
        return Response(status_code=304, headers=of_unchanged(answer.headers))
    return answer


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
