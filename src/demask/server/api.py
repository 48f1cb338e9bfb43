"""The routes: each reads its form, hands the work to a thread and answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, FastAPI, Header, Query, Request
from fastapi.responses import Response

from demask import __version__
from demask.photo.handed_in import Output
from demask.server import jobs
from demask.server.form import (
    MAX_SAMPLES,
    Form,
    chosen_faces,
    found_before,
    receive_form,
    require_samples,
    text_of,
)
from demask.server.kept import KeptPhoto
from demask.server.schemas import (
    ErrorBody,
    Forgotten,
    Found,
    Health,
    Ready,
    Removed,
    errors,
    form_body,
    remove_form_body,
)
from demask.server.serve_settings import MEDIA_TYPES, accepted_formats
from demask.server.service import MEDIA_TYPE, Service
from demask.server.workshop import Wanted
from demask.webkit.access import is_public, public
from demask.webkit.edge import Exchange
from demask.webkit.responses import Refusal

router = APIRouter()
_UPLOAD_ERRORS = errors(400, 401, 403, 408, 413, 415, 421, 422, 503, 504)
_PICTURES = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES.values()}


@router.post("/v1/find", response_model=Found, openapi_extra=form_body("photo"), responses=_UPLOAD_ERRORS)
async def find(
    request: Request,
    hole: Annotated[bool, Query(description="Also give the hole that would be filled.")] = False,
    keep: Annotated[
        bool, Query(description="Keep the photo in memory for a few minutes, for /v1/remove to go on with it.")
    ] = False,
) -> Response:
    """Find the faces of a photo, and which of them wear a face mask."""
    service, exchange = _of(request)
    form = await _form(request, ("photo",))
    order = jobs.FindOrder(
        photo=_photo_of(form),
        with_hole=hole,
        token_for=service.kept.token_for if keep else None,
        request_id=exchange.request_id,
    )
    limit = service.settings.limits.max_megapixels
    return await _done(request, lambda wanted: jobs.find(service.remover, order, wanted, max_megapixels=limit))


@router.post(
    "/v1/remove",
    openapi_extra=remove_form_body(),
    response_class=Response,
    responses={
        200: {
            "description": "The picture in the photo's own format, or JSON where that was asked for.",
            "content": {
                **_PICTURES,
                "application/json": {"schema": {"$ref": "#/components/schemas/Removed"}},
            },
            "headers": {
                "X-Demask-Status": {
                    "schema": {"type": "string", "enum": ["restored", "no_covering", "no_face"]},
                    "description": "What was done.",
                }
            },
        },
        **_UPLOAD_ERRORS,
        **errors(410),
    },
)
async def remove(
    request: Request,
    format: Annotated[
        Literal["json", "picture"] | None, Query(description="json for the details; default: as Accept says.")
    ] = None,
    accept: Annotated[str, Header(include_in_schema=False)] = "*/*",
) -> Response:
    """Remove the face masks of a photo.

    The lower face in the answer is INVENTED. It is not the person's. Never use it to identify anyone.
    """
    service, exchange = _of(request)
    form = await _form(request, ("photo", "kept", "found", "hole", "faces", "samples"))
    require_samples(form)
    kept = _kept_of(service, form)
    order = jobs.RemoveOrder(
        photo=_photo_of(form) if kept is None else kept.photo,
        hole=form.get("hole"),
        looked=None if kept is None else kept.looked,
        found=found_before(form),
        faces=chosen_faces(form),
        as_json=format == "json" or (format is None and _prefers_json(accept)),
        request_id=exchange.request_id,
    )
    settings = service.settings
    output, limit = Output(c2pa=settings.c2pa), settings.limits.max_megapixels
    return await _done(
        request,
        lambda wanted: jobs.remove(service.remover, order, wanted, max_megapixels=limit, output=output),
    )


@router.post(
    "/v1/forget", openapi_extra=form_body("kept"), responses=errors(400, 401, 403, 408, 413, 415, 421, 422, 503)
)
async def forget(request: Request) -> Forgotten:
    """Forget a photo that /v1/find kept, before its time is over."""
    service, _ = _of(request)
    form = await _receive(request, ("kept",))
    return Forgotten(forgotten=service.kept.forget(text_of(form, "kept", "")))


@router.get("/v1/health", responses=errors(421))
@public
async def health() -> Health:
    """Whether the process runs."""
    return Health(status="alive", version=__version__)


@router.get("/v1/ready", responses=errors(421, 503))
@public
async def ready(request: Request) -> Ready:
    """Whether it takes photos, and which."""
    service, _ = _of(request)
    service.refuse_if_stopping()
    settings = service.settings
    return Ready(
        status="ready",
        version=__version__,
        restorer=settings.restorer,
        formats=[MEDIA_TYPES[name] for name in accepted_formats()],
        max_samples=MAX_SAMPLES,
        max_body_bytes=settings.limits.max_body_bytes,
        max_megapixels=settings.limits.max_megapixels,
        deadline_s=settings.limits.deadline_s,
        key_required=settings.key is not None,
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {
            "description": "Counters for Prometheus.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **errors(401, 421),
    },
)
async def read_metrics(request: Request) -> Response:
    """Counters for Prometheus."""
    service, _ = _of(request)
    return Response(service.metrics.text(), media_type=MEDIA_TYPE)


def describe(app: FastAPI, *, with_key: bool) -> None:
    """Complete the OpenAPI document: schemas that no route returns as a model, and which routes want a key."""
    document = app.openapi()
    schemas = document["components"]["schemas"]
    for model in (Removed, ErrorBody):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
    if not with_key:
        return
    document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for route in app.routes:
        operations = document["paths"].get(getattr(route, "path", ""), {})
        if not is_public(route):
            for operation in operations.values():
                operation["security"] = [{"key": []}]


def _of(request: Request) -> tuple[Service, Exchange]:
    return request.app.state.service, request.state.exchange


async def _form(request: Request, fields: tuple[str, ...]) -> Form:
    """Receive the form, once there is room for one more photo."""
    service, _ = _of(request)
    service.refuse_if_stopping()
    service.workshop.refuse_if_full()
    return await _receive(request, fields)


async def _receive(request: Request, fields: tuple[str, ...]) -> Form:
    service, exchange = _of(request)
    return await receive_form(
        exchange.headers,
        request.receive,
        fields=fields,
        limits=service.settings.limits,
        take=exchange.take,
    )


def _photo_of(form: Form) -> bytes:
    if not form.get("photo"):
        message = "the field photo is missing or empty; send the picture in it, as in: curl -F photo=@photo.jpg"
        raise Refusal(422, "bad_field", message, details={"field": "photo"})
    return form["photo"]


def _kept_of(service: Service, form: Form) -> KeptPhoto | None:
    if "kept" not in form:
        return None
    for name in ("photo", "found"):
        if name in form:
            message = f"kept and {name} both say what the photo is; send one of them"
            raise Refusal(422, "bad_field", message, details={"field": name})
    return service.kept.take_up(text_of(form, "kept", ""))


async def _done(request: Request, job: Callable[[Wanted], jobs.Answer]) -> Response:
    service, exchange = _of(request)
    answer = await service.workshop.run(
        job, deadline_s=service.settings.limits.deadline_s, client_left=lambda: _client_left(request)
    )
    service.metrics.photo(answer)
    if answer.keep is not None:
        service.kept.keep(*answer.keep)
    exchange.note |= {
        "outcome": answer.status,
        "faces": len(answer.faces),
        "megapixels": round(answer.megapixels, 2),
    }
    return Response(
        answer.body,
        media_type=answer.media_type,
        headers={"X-Demask-Status": answer.status, "X-Demask-Notice": jobs.NOTICE},
    )


async def _client_left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _prefers_json(accept: str) -> bool:
    """Whether JSON stands in `Accept` and is not outranked by a picture there."""
    rank = {"application/json": 0.0, "image": 0.0}
    for part in accept.lower().split(","):
        kind, *options = (piece.strip() for piece in part.split(";"))
        weight = next((option[2:] for option in options if option.startswith("q=")), "1")
        try:
            value = float(weight)
        except ValueError:
            value = 0.0
        key = "image" if kind.startswith("image/") else kind
        if key in rank:
            rank[key] = max(rank[key], value)
    return rank["application/json"] > rank["image"]
