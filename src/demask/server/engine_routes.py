"""The browser engine under the server's own address: what the page loads where it does the work itself."""

from __future__ import annotations

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
from demask.webkit.headers import of_unchanged

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
