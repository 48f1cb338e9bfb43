"""The study's HTTP side: pages, pictures, and the few calls by which a page stores what a person answers.

A participant's code travels in a link's fragment, which browsers send to nobody, and in the `Authorization`
header; it is never part of an address, so it is in no log and no referrer. Every call that stores something
may be sent again and changes nothing the second time; when a reply is sent, what it confirms is on the disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, select_autoescape
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from demask.errors import DemaskError
from demask.study.answering import Answer
from demask.study.codes import AlreadyJoined, PlaceGone, StudyFull, StudyNotOpen, UnknownParticipant
from demask.study.folder import StudyFolder
from demask.study.joining import Recruit
from demask.study.store import Store
from demask.study.web.admin_routes import admin
from demask.study.web.session_json import session_json
from demask.webkit.access import Doors, Lock, key_lock, locked_by, no_entry, public
from demask.webkit.edge import protect
from demask.webkit.responses import PAGE
from demask.webkit.throttle import Rate, Rates
from demask.webkit.upload import HeldBytes, WholeBody
from demask.webkit.wire import WireLimits

_HERE = Path(__file__).parent
LIMITS = WireLimits(max_body_bytes=16 * 1024, max_held_bytes=16 * 2**20, body_s=20)
PACE = Rate(per_s=20, burst=120)
ARRIVALS = Rate(per_s=10, burst=200)
_STATUSES: dict[type[DemaskError], int] = {
    UnknownParticipant: 404, StudyFull: 409, StudyNotOpen: 409, AlreadyJoined: 409, PlaceGone: 410,
}  # fmt: skip
_SERVICES = {"none": "", "prolific": "Prolific", "mturk": "Mechanical Turk"}
_WRONG_KEY = "the key is wrong; it is printed where `demask study serve` was started, or set there"

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
        limits: Bytes and seconds of a request; each is one small message.
        pace: How often one participant may ask; pictures count.
        arrivals: How often all people together may come with a code that is new or wrong.
    """

    enrolment: Literal["open", "links"] = "open"
    most_people: int | None = None
    admin_key: str | None = None
    limits: WireLimits = LIMITS
    pace: Rate = PACE
    arrivals: Rate = ARRIVALS


def create_app(folder: StudyFolder, store: Store, config: WebConfig | None = None) -> FastAPI:
    """The study as an ASGI application.

    Args:
        folder: Plan and pictures.
        store: People and answers; the caller closes it.
        config: How it is offered.
    """
    # The built-in pages about the API load scripts from elsewhere.
    app = FastAPI(title="demask study", docs_url=None, redoc_url=None, openapi_url=None)
    config = config or WebConfig()
    app.state.folder, app.state.store, app.state.config = folder, store, config
    app.router.routes.extend([*_router.routes, *admin.routes])
    app.mount("/static", public(_Static(directory=_HERE / "static")))
    app.add_middleware(WholeBody, limits=config.limits)
    protect(
        app,
        # Whoever has a code may ask, under whatever name this server is reached.
        doors=Doors(locks=_locks(store, config), any_host=True, any_origin=True),
        held=HeldBytes(config.limits.max_held_bytes),
        headers={"X-Robots-Tag": "noindex"},
        statuses=_STATUSES,
    )
    return app


def _locks(store: Store, config: WebConfig) -> dict[str, Lock]:
    """Every route is for participants but the one where people join, and the one behind the admin key."""
    pace, arrivals = Rates(config.pace), Rates(config.arrivals)

    async def participant(code: str) -> None:
        pace.take(code)
        if not await run_in_threadpool(store.knows, code):
            arrivals.take("")
            raise UnknownParticipant

    async def anybody_with_a_code(code: str) -> None:
        """The store says whether it is one."""
        arrivals.take("")

    async def nobody(key: str) -> None:
        raise no_entry(_WRONG_KEY)

    admin = nobody if config.admin_key is None else key_lock(config.admin_key, message=_WRONG_KEY)
    return {"key": participant, "code": anybody_with_a_code, "admin": admin}


class _Static(StaticFiles):
    """Scripts and styles of the pages, which may load each other."""

    def file_response(self, *given: Any, **more: Any) -> Response:
        """With the headers of a page."""
        response = super().file_response(*given, **more)
        response.headers.update(PAGE)
        return response


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class _Recruit(_Body):
    person: str = Field(max_length=100)
    study: str = Field(default="", max_length=100)
    session: str = Field(default="", max_length=100)


class _Consent(_Body):
    language: str = Field(max_length=20)
    recruit: _Recruit | None = None


class _Answer(_Body):
    position: int = Field(ge=0)
    value: str = Field(max_length=20)
    reaction_ms: float = Field(ge=0)
    first_ms: float | None = Field(default=None, ge=0)
    second_ms: float | None = Field(default=None, ge=0)
    shown_px: float | None = Field(default=None, ge=0, le=100_000)
    follow_up: str = Field(default="", max_length=80)


class _Screen(_Body):
    answers: list[_Answer] = Field(min_length=1, max_length=50)


class _Block(_Body):
    block: str = Field(max_length=80)


class _Device(_Body):
    """What the page measured of a screen; no word that could name a device."""

    window_px: tuple[int, int]
    screen_px: tuple[int, int]
    pixel_ratio: float = Field(gt=0, le=100)
    zoom: float = Field(gt=0, le=100)
    frame_ms: float = Field(ge=0, le=1000)
    touch: bool
    px_per_cm: float | None = Field(default=None, gt=0, le=2000)
    distance_cm: float | None = Field(default=None, gt=0, le=1000)


class _Reply(_Body):
    question: str = Field(max_length=80)
    value: str = Field(max_length=2000)


@_router.get("/")
@_router.get("/withdraw")
@public
def _participants_page(request: Request, lang: str = "") -> HTMLResponse:
    """The page that shows a study, or the form that deletes by a typed code; the same file."""
    plan = _store(request).plan
    language = lang if lang in plan.languages else _preferred(request, plan.languages)
    folder: StudyFolder = request.app.state.folder
    html = _pages.get_template("page.html").render(
        title=plan.title,
        language=language,
        languages=plan.languages,
        consent=plan.consent[language],
        words=folder.languages[language].words,
        names={name: folder.languages[name].words["language"] for name in plan.languages},
        enrolment=_config(request).enrolment,
        service=plan.recruitment.service,
        service_name=_SERVICES[plan.recruitment.service],
        looks_at_screens=plan.display.check_device or plan.display.degrees > 0 or plan.display.smallest_px > 0,
        purpose="withdraw" if request.url.path.endswith("/withdraw") else "study",
    )
    return HTMLResponse(html, headers=PAGE)


@_router.get("/admin")
@public
def _admin_page() -> HTMLResponse:
    return HTMLResponse(_pages.get_template("admin.html").render(), headers=PAGE)


@_router.get("/v1/health")
@public
def _health() -> dict[str, str]:
    return {"status": "ok"}


@_router.get("/v1/session")
def _session(request: Request) -> dict[str, Any]:
    return session_json(request.app.state.folder, _store(request).session(_secret(request)))


@_router.post("/v1/consent")
@locked_by("code")
def _consent(request: Request, body: _Consent) -> dict[str, Any]:
    """Agree; where enrolment is open this takes a slot for a code that is new."""
    store, config, code = _store(request), _config(request), _secret(request)
    if config.enrolment == "open":
        most = config.most_people or 2 * store.plan.people
        recruit = Recruit(**body.recruit.model_dump()) if body.recruit else None
        store.enrol(body.language, token=code, most=most, recruit=recruit)
    store.consent(code, body.language)
    return _session(request)


@_router.post("/v1/answers")
def _take_answer(request: Request, body: _Answer) -> dict[str, bool]:
    return {"first": _store(request).answer(_secret(request), Answer(**body.model_dump()))}


@_router.post("/v1/screen")
def _take_screen(request: Request, body: _Screen) -> dict[str, int]:
    """The answers to all pictures of one screen, all or none."""
    answers = [Answer(**answer.model_dump()) for answer in body.answers]
    return {"first": _store(request).answer_all(_secret(request), answers)}


@_router.post("/v1/drafts")
def _take_draft(request: Request, body: _Answer) -> dict[str, bool]:
    """One version of an answer in a block of free order."""
    _store(request).draft(_secret(request), Answer(**body.model_dump()))
    return {"kept": True}


@_router.post("/v1/close")
def _close_block(request: Request, body: _Block) -> dict[str, int]:
    """Turn the drafts of a block of free order into answers."""
    return {"answers": _store(request).close_block(_secret(request), body.block)}


@_router.post("/v1/device")
def _take_device(request: Request, body: _Device) -> dict[str, bool]:
    _store(request).device(_secret(request), body.model_dump())
    return {"kept": True}


@_router.post("/v1/replies")
def _take_reply(request: Request, body: _Reply) -> dict[str, Any]:
    """The reply to a question; the session that follows from it, since a quota or a branch may hang on it."""
    store, code = _store(request), _secret(request)
    first = store.reply(code, body.question, body.value)
    return {"first": first, "status": store.session(code).status}


@_router.post("/v1/finish")
def _finish(request: Request) -> dict[str, Any]:
    """Come to the end; what is shown there comes back with it."""
    _store(request).finish(_secret(request))
    return _session(request)


@_router.post("/v1/withdraw")
def _withdraw(request: Request) -> dict[str, int]:
    return {"deleted_answers": _store(request).withdraw(_secret(request))}


@_router.get("/v1/pictures/{name}")
def _picture(request: Request, name: str) -> Response:
    """A picture, for participants only: the photographs' licences seldom let anyone publish them."""
    folder: StudyFolder = request.app.state.folder
    if name not in folder.files:
        raise HTTPException(404, "there is no such picture")
    # A reload need not fetch it again, but nobody else's cache may keep it.
    return FileResponse(folder.files[name], headers={"Cache-Control": "private, max-age=3600"})


def _store(request: Request) -> Store:
    store: Store = request.app.state.store
    return store


def _secret(request: Request) -> str:
    secret: str = request.state.exchange.secret
    return secret


def _config(request: Request) -> WebConfig:
    config: WebConfig = request.app.state.config
    return config


def _preferred(request: Request, offered: tuple[str, ...]) -> str:
    """The first of the browser's languages that the study speaks, else the study's first."""
    wanted = [part.split(";")[0].strip()[:2] for part in request.headers.get("accept-language", "").split(",")]
    return next((language for language in wanted if language in offered), offered[0])
