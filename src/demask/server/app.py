"""The factory: a remover and settings in, an ASGI application out. Nothing is loaded at import."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.exceptions import HTTPException

from demask import __version__
from demask.remover import Remover
from demask.server.api import extra_schemas, router
from demask.server.docs_page import docs_page
from demask.server.edge import Edge
from demask.server.failures import Refusal
from demask.server.jobs import NOTICE
from demask.server.service import Service
from demask.server.settings import Settings

PAGE_FOLDER = Path(__file__).parent / "page"
PAGE_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/app.js": ("app.js", "text/javascript; charset=utf-8"),
}
_CODES = {404: "not_found", 405: "method_not_allowed"}


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
        redirect_slashes=False,
    )
    app.state.service = service
    app.include_router(router)
    app.add_api_route("/docs", _docs, include_in_schema=False)
    for path in PAGE_FILES:
        app.add_api_route(path, _page, include_in_schema=False)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _wrong_query)
    document = app.openapi()
    document["components"]["schemas"].update(extra_schemas())
    if service.settings.key is not None:
        _describe_key(document)
    routes = frozenset(document["paths"]) | {*PAGE_FILES, "/docs", "/openapi.json"}
    app.add_middleware(Edge, service=service, routes=routes)
    return app


async def _page(request: Request) -> Response:
    name, media_type = PAGE_FILES[request.url.path]
    return FileResponse(PAGE_FOLDER / name, media_type=media_type)


async def _docs(request: Request) -> HTMLResponse:
    return HTMLResponse(docs_page(request.app.openapi()))


async def _http_error(request: Request, error: Any) -> Response:
    """What the router says, in our words; `Edge` sends it."""
    code = _CODES.get(error.status_code, "bad_request")
    message = f"there is no such address here ({error.detail}); see /docs"
    if error.status_code == 405:
        message = "the address is right but not the method; see /docs"
    raise Refusal(error.status_code, code, message, headers=error.headers)


async def _wrong_query(request: Request, error: Any) -> Response:
    # Neither the value nor the validator's own text is repeated: both may be anything.
    names = sorted({str(problem["loc"][-1]) for problem in error.errors()})
    message = f"the parameter {', '.join(names)} has a value that is not allowed; see /docs"
    raise Refusal(422, "bad_field", message, details={"fields": names})


def _describe_key(document: dict[str, Any]) -> None:
    document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for path in ("/v1/find", "/v1/remove", "/metrics"):
        for operation in document["paths"][path].values():
            operation["security"] = [{"key": []}]
