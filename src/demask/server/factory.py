"""The factory: a remover and settings in, an ASGI application out. Nothing is loaded at import."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles

from demask import __version__
from demask.remover import Remover
from demask.server.api import describe, router
from demask.server.jobs import NOTICE
from demask.server.page_routes import add_engine, docs_page
from demask.server.serve_settings import Settings
from demask.server.service import Service
from demask.webkit.access import Doors, key_lock, public
from demask.webkit.edge import Exchange, protect
from demask.webkit.responses import PAGE, of_unchanged

PAGE_FOLDER = Path(__file__).parent / "page"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
_PAGE_HEADERS = {**PAGE, "Cache-Control": "no-cache"}
_FILES = StaticFiles(check_dir=False)  # Knows when a browser's copy is still good.
_log = logging.getLogger("demask.server")


def create_app(remover: Remover, settings: Settings | None = None) -> FastAPI:
    """Serve a remover.

    Args:
        remover: Does the work; shared by all worker threads.
        settings: Limits, key, names; the address in them is not used here.

    Returns:
        An ASGI application; its `state.service` is the `Service`.
    """
    service = Service(remover=remover, settings=settings or Settings())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        service.workshop.close()

    app = FastAPI(
        title="demask",
        version=__version__,
        description=f"Remove face masks from photographs. {NOTICE}",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's own page loads scripts from elsewhere.
        redoc_url=None,
        openapi_url=None,  # FastAPI's own route would not be marked as public.
        redirect_slashes=False,
    )
    app.state.service = service
    app.router.routes.extend(router.routes)
    app.add_api_route("/openapi.json", _openapi, include_in_schema=False)
    app.add_api_route("/docs", _docs, include_in_schema=False)
    app.state.page_headers = {**_PAGE_HEADERS, **add_engine(app, service.settings)}
    for path in page_files():
        app.add_api_route(path, _page, include_in_schema=False)
    describe(app, with_key=service.settings.key is not None)
    protect(
        app,
        doors=_doors(service.settings),
        held=service.held,
        headers={"permissions-policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()"},
        on_done=lambda exchange: _note(service, exchange),
    )
    return app


def page_files() -> dict[str, Path]:
    """The files of the page by the path under which they are served; `/` is index.html."""
    files = sorted(path for path in PAGE_FOLDER.iterdir() if path.suffix in _TYPES)
    return {"/" if path.name == "index.html" else f"/{path.name}": path for path in files}


@public
async def _page(request: Request) -> Response:
    path = page_files()[request.url.path]
    answer = FileResponse(
        path, media_type=_TYPES[path.suffix], headers=request.app.state.page_headers, stat_result=path.stat()
    )
    if _FILES.is_not_modified(answer.headers, request.headers):
        return Response(status_code=304, headers=of_unchanged(answer.headers))
    return answer


@public
async def _docs(request: Request) -> HTMLResponse:
    return HTMLResponse(docs_page(request.app.openapi()), headers=_PAGE_HEADERS)


@public
async def _openapi(request: Request) -> JSONResponse:
    return JSONResponse(request.app.openapi())


def _doors(settings: Settings) -> Doors:
    hosts = frozenset(name.lower() for name in settings.hosts)
    if settings.key is None:
        return Doors(locks=None, hosts=hosts)
    lock = key_lock(settings.key, message="the key is wrong; ask whoever runs this server for the right one")
    return Doors(locks={"key": lock}, hosts=hosts, any_host=not hosts)


def _note(service: Service, exchange: Exchange) -> None:
    """Count and log one request."""
    service.metrics.request(exchange.route, exchange.status, exchange.spent_s)
    facts: dict[str, Any] = {
        "request_id": exchange.request_id,
        "method": exchange.method[:16],
        "route": exchange.route,
        "status": exchange.status,
        "took_ms": round(exchange.spent_s * 1000, 1),
        "bytes_in": exchange.bytes_in,
        "bytes_out": exchange.bytes_out,
        **exchange.note,
    }
    _log.info("request", extra=facts)
