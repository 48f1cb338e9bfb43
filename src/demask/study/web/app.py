"""The study's HTTP side: pages, pictures, and the few calls by which a page stores what a person answers.

A participant's code travels in a link's fragment, which browsers send to nobody, and in the `Authorization`
header; it is never part of an address, so it is in no log and no referrer. Every call that stores something
may be sent again and changes nothing the second time; when a reply is sent, what it confirms is on the disk.
"""

from __future__ import annotations

import hmac
import logging
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, select_autoescape
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from demask.errors import DemaskError, InputError, UsageError
from demask.study.codes import StudyFull, UnknownParticipant
from demask.study.folder import StudyFolder
from demask.study.store import Answer, Store
from demask.study.web.headers import BodyLimit, SecurityHeaders
from demask.study.web.progress import progress
from demask.study.web.session_json import session_json
from demask.study.web.words import WORDS

log = logging.getLogger(__name__)

_HERE = Path(__file__).parent
_MOST_BYTES = 16 * 1024  # The longest reply in a person's own words, with room.
# The first kind that fits; anything else is a bug and becomes 500.
_STATUS_OF: tuple[tuple[type[DemaskError], int], ...] = (
    (UnknownParticipant, 404),
    (StudyFull, 409),
    (InputError, 422),
    (UsageError, 422),
)

_pages = Environment(
    loader=PackageLoader("demask.study.web"), autoescape=select_autoescape(["html"]), auto_reload=False
)
_router = APIRouter()


@dataclass(frozen=True, kw_only=True, slots=True)
class WebConfig:
    """How a study is offered.

    Attributes:
        enrolment: `open`: who has the page's address may take part, up to `most_people`; `links`: only
            who has a link made by `demask study invite`.
        most_people: Open enrolment ends there; None = at twice the planned number.
        admin_key: Opens the admin page; None = there is none.
    """

    enrolment: Literal["open", "links"] = "open"
    most_people: int | None = None
    admin_key: str | None = None


class NoEntry(DemaskError):
    """A call without the key or code that it needs."""

    code = "no_entry"


def create_app(folder: StudyFolder, store: Store, config: WebConfig | None = None) -> ASGIApp:
    """The study as an ASGI application.

    Args:
        folder: Plan and pictures.
        store: People and answers; the caller closes it.
        config: How it is offered.
    """
    # The built-in pages about the API load scripts from elsewhere.
    app = FastAPI(title="demask study", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.folder, app.state.store, app.state.config = folder, store, config or WebConfig()
    app.include_router(_router)
    app.mount("/static", StaticFiles(directory=_HERE / "static"))
    app.add_exception_handler(DemaskError, _on_our_error)
    app.add_exception_handler(RequestValidationError, _on_bad_request)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_bug)
    return SecurityHeaders(BodyLimit(app, _MOST_BYTES))


def _bearer(request: Request) -> str:
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not secret:
        raise NoEntry("this call needs `Authorization: Bearer CODE`; open the page by its whole link")
    return secret


Code = Annotated[str, Depends(_bearer)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class _Consent(_Body):
    language: str = Field(max_length=20)


class _Answer(_Body):
    position: int = Field(ge=0)
    value: str = Field(max_length=20)
    reaction_ms: float = Field(ge=0)
    first_ms: float | None = Field(default=None, ge=0)
    second_ms: float | None = Field(default=None, ge=0)


class _Reply(_Body):
    question: str = Field(max_length=80)
    value: str = Field(max_length=2000)


@_router.get("/")
@_router.get("/withdraw")
def _participants_page(request: Request, lang: str = "") -> HTMLResponse:
    """The page that shows a study, or the form that deletes by a typed code; the same file."""
    plan = _store(request).plan
    language = lang if lang in plan.languages else _preferred(request, plan.languages)
    html = _pages.get_template("page.html").render(
        title=plan.title,
        language=language,
        languages=plan.languages,
        consent=plan.consent[language],
        words=WORDS[language],
        names={name: WORDS[name]["language"] for name in plan.languages},
        enrolment=_config(request).enrolment,
        purpose="withdraw" if request.url.path.endswith("/withdraw") else "study",
    )
    return HTMLResponse(html)


@_router.get("/admin")
def _admin_page() -> HTMLResponse:
    return HTMLResponse(_pages.get_template("admin.html").render())


@_router.get("/v1/health")
def _health() -> dict[str, str]:
    return {"status": "ok"}


@_router.get("/v1/session")
def _session(request: Request, code: Code) -> dict[str, Any]:
    return session_json(request.app.state.folder, _store(request).session(code))


@_router.post("/v1/consent")
def _consent(request: Request, code: Code, body: _Consent) -> dict[str, Any]:
    """Agree; where enrolment is open this takes a slot for a code that is new."""
    store, config = _store(request), _config(request)
    if config.enrolment == "open":
        most = config.most_people or 2 * store.plan.people
        store.enrol(body.language, token=code, most=most)
    store.consent(code, body.language)
    return _session(request, code)


@_router.post("/v1/answers")
def _take_answer(request: Request, code: Code, body: _Answer) -> dict[str, bool]:
    return {"first": _store(request).answer(code, Answer(**body.model_dump()))}


@_router.post("/v1/replies")
def _take_reply(request: Request, code: Code, body: _Reply) -> dict[str, bool]:
    return {"first": _store(request).reply(code, body.question, body.value)}


@_router.post("/v1/finish")
def _finish(request: Request, code: Code) -> dict[str, bool]:
    _store(request).finish(code)
    return {"finished": True}


@_router.post("/v1/withdraw")
def _withdraw(request: Request, code: Code) -> dict[str, int]:
    return {"deleted_answers": _store(request).withdraw(code)}


@_router.get("/v1/pictures/{name}")
def _picture(request: Request, code: Code, name: str) -> Response:
    """A picture, for participants only: the photographs' licences seldom let anyone publish them."""
    folder: StudyFolder = request.app.state.folder
    if not _store(request).knows(code):
        raise UnknownParticipant
    if name not in folder.files:
        raise HTTPException(404, "there is no such picture")
    # A reload need not fetch it again, but nobody else's cache may keep it.
    return FileResponse(folder.files[name], headers={"Cache-Control": "private, max-age=3600"})


@_router.get("/v1/admin/progress")
def _progress(request: Request, key: Code) -> dict[str, Any]:
    wanted = _config(request).admin_key
    # Compared in the same time wherever they differ, as bytes since what comes may hold any character.
    if wanted is None or not hmac.compare_digest(key.encode(), wanted.encode()):
        raise NoEntry("the key is wrong; it is printed where `demask study serve` was started, or set there")
    store = _store(request)
    return progress(
        store.plan,
        store.people(),
        store.records(),
        enrolled=store.num_enrolled(),
        withdrawn=store.num_withdrawn(),
    )


def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


def _config(request: Request) -> WebConfig:
    config: WebConfig = request.app.state.config
    return config


def _preferred(request: Request, offered: tuple[str, ...]) -> str:
    """The first of the browser's languages that the study speaks, else the study's first."""
    wanted = [part.split(";")[0].strip()[:2] for part in request.headers.get("accept-language", "").split(",")]
    return next((language for language in wanted if language in offered), offered[0])


def _reply_error(status: int, code: str, message: str) -> JSONResponse:
    error = {"code": code, "message": message, "details": {}}
    return JSONResponse({"error": error, "request_id": secrets.token_hex(8)}, status)


def _on_our_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, DemaskError)
    if isinstance(error, NoEntry):
        return _reply_error(401, error.code, str(error))
    for kind, status in _STATUS_OF:
        if isinstance(error, kind):
            return _reply_error(status, error.code, str(error))
    return _on_bug(request, error)


def _on_bad_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # Where and why, never what: it may be a person's own words.
    parts = [f"{'.'.join(map(str, item['loc'][1:]))}: {item['msg']}" for item in error.errors()]
    return _reply_error(422, "bad_request", "; ".join(parts))


def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _reply_error(error.status_code, "http", error.detail)


def _on_bug(request: Request, error: Exception) -> Response:
    return _reply_error(500, "internal", "the server failed; what it confirmed before is stored")
