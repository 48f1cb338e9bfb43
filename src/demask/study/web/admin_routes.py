"""What the admin page asks for, behind the admin key: progress, pausing and closing, tables."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from demask.csv_text import csv_text
from demask.study.analysis import analyse
from demask.study.open_data import answers_csv, people_csv
from demask.study.store import Store
from demask.study.web.progress import progress
from demask.webkit.access import locked_by

admin = APIRouter()

RECRUITS = ("service", "person", "study", "session", "status", "minutes")


class _State(BaseModel):
    model_config = ConfigDict(extra="forbid")

    state: str = Field(max_length=20)


class _Returned(BaseModel):
    model_config = ConfigDict(extra="forbid")

    session: str = Field(max_length=100)


@admin.get("/v1/admin/progress")
@locked_by("admin")
def _progress(request: Request) -> dict[str, Any]:
    store: Store = request.app.state.store
    return progress(store)


@admin.post("/v1/admin/state")
@locked_by("admin")
def _set_state(request: Request, body: _State) -> dict[str, str]:
    """Open, pause or close."""
    store: Store = request.app.state.store
    store.set_state(body.state)
    return {"state": store.state()}


@admin.post("/v1/admin/returned")
@locked_by("admin")
def _returned(request: Request, body: _Returned) -> dict[str, int]:
    """Delete somebody who gave their submission back at the recruiting service."""
    store: Store = request.app.state.store
    return {"deleted_answers": store.returned(body.session)}


@admin.get("/v1/admin/{name}.csv")
@locked_by("admin")
def _table(request: Request, name: str) -> Response:
    """answers, people, or recruits: the last with the service's codes, for payment."""
    store: Store = request.app.state.store
    if name == "recruits":
        text = csv_text(RECRUITS, ([row[column] or "" for column in RECRUITS] for row in store.recruits()))
    elif name == "answers":
        text = answers_csv(store.records())
    elif name == "people":
        people, records = store.people(), store.records()
        results = analyse(store.plan, people, records, simulated=store.simulated)
        text = people_csv(store.plan, people, results, free_text=False)
    else:
        return Response(status_code=404)
    return Response(text, media_type="text/csv; charset=utf-8")
