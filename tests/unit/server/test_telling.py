"""What the server tells of itself: log lines, counters, the page about the API."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any, cast

import pytest

from demask.server.factory import create_app
from demask.server.jobs import Answer
from demask.server.page_routes import docs_page
from demask.server.process import JsonLines, set_up_logs
from demask.server.service import Metrics


def line_of(*given: Any, **extra: Any) -> dict[str, Any]:
    record = logging.getLogger("demask.server").makeRecord(
        "demask.server", logging.ERROR, "file.py", 1, "a %s", ("message",), given or None, extra=extra
    )
    line = JsonLines().format(record)
    assert "\n" not in line
    return dict(json.loads(line))


def test_a_log_line_is_one_object_with_its_facts_beside_the_message() -> None:
    line = line_of(request_id="r", status=200, odd=object)
    assert (line["level"], line["logger"], line["message"]) == ("error", "demask.server", "a message")
    assert (line["request_id"], line["status"]) == ("r", 200)
    assert line["odd"] == str(object)
    assert line["time"].endswith("+00:00")


def test_at_a_terminal_it_says_where_to_go_and_what_went_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(for_people=True)
    try:
        log = logging.getLogger("demask.server")
        log.info("listening", extra={"url": "http://127.0.0.1:8000/"})
        log.info("request", extra={"request_id": "r"})
        log.error("request r failed")
    finally:
        logging.getLogger().handlers.clear()
    assert capsys.readouterr().err.splitlines() == [
        "Open http://127.0.0.1:8000/ in a browser. Ctrl-C stops the server.",
        "error: request r failed",
    ]


def test_of_an_error_the_log_has_the_place_and_not_the_words() -> None:
    try:
        raise ValueError("what somebody uploaded\nwith a line break")
    except ValueError:
        line = line_of(*sys.exc_info())
    assert line["error"] == "ValueError"
    assert line["trace"][-1].endswith("test_of_an_error_the_log_has_the_place_and_not_the_words")
    assert "uploaded" not in json.dumps(line)


def test_counters_count() -> None:
    now = {"waiting": 3.0, "held": 5.0, "kept": 7.0}
    metrics = Metrics(
        waiting=lambda: now["waiting"], held_bytes=lambda: now["held"], kept_bytes=lambda: now["kept"]
    )
    answer = Answer(
        body=b"",
        media_type="image/png",
        status="restored",
        faces=("restored", "bare", "restored"),
        timings_ms={"find": 20.0},
        megapixels=3,
    )
    for _ in range(2):
        metrics.photo(answer)
    metrics.request("/v1/remove", 200, 0.3)
    now["waiting"] = 4
    lines = metrics.text().decode().splitlines()
    for line in (
        "demask_under_way 4.0",
        "demask_held_bytes 5.0",
        "demask_kept_bytes 7.0",
        'demask_photos_total{status="restored"} 2.0',
        'demask_faces_total{status="restored"} 4.0',
        'demask_faces_total{status="bare"} 2.0',
        'demask_stage_seconds_sum{stage="find"} 0.04',
        'demask_requests_total{route="/v1/remove",status="200"} 1.0',
        'demask_request_seconds_bucket{le="0.25",route="/v1/remove"} 0.0',
        'demask_request_seconds_bucket{le="0.5",route="/v1/remove"} 1.0',
    ):
        assert line in lines, line


def test_the_page_about_the_api_names_every_route_and_field_and_runs_nothing() -> None:
    document = create_app(cast(Any, None)).openapi()
    page = docs_page(document)
    for path, operations in document["paths"].items():
        for method in operations:
            assert f"{method.upper()} {path}" in page
    for field in ("photo", "kept", "found", "hole", "faces", "samples", "keep", "format"):
        assert f"<td>{field}</td>" in page
    assert "<script" not in page


def test_what_a_document_says_cannot_become_markup() -> None:
    document = {
        "info": {"title": "<b>", "version": "1", "description": "<script>"},
        "paths": {"/<i>": {"get": {"summary": "<u>", "responses": {"200": {"description": "<s>"}}}}},
    }
    page = docs_page(document)
    for tag in ("<b>", "<script>", "<i>", "<u>", "<s>"):
        assert tag not in page
