"""The HTTP API of a real server process, as `docs/server.md` promises it."""

import base64
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi")

from serving import RunningServer

from demask.extras import install_command
from demask.photo.decode import read_photo
from demask.photo.provenance import DIGITAL_SOURCE_TYPE, digital_source_type
from demask.remover import Remover
from tiny_networks import GREEN, make_photo

KEY = "a key of more than sixteen letters"


def encoded(pixels: np.ndarray, format: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format, **options)
    return buffer.getvalue()


def pixels_of(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


COVERED, BARE = encoded(make_photo()), encoded(make_photo(GREEN))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_weights: Path) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path_factory.mktemp("server"), tiny_weights)
    yield running
    assert running.stop() == 0
    assert running.writes == []
    assert list(running.home.iterdir()) == []
    assert running.logged(status=500) == []


def test_removes_as_the_library_does(
    server: RunningServer, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = server.http.post("/v1/remove", files={"photo": COVERED}, headers={"X-Request-Id": "my-own.id_1"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-demask-status"] == "restored"
    assert answer.headers["x-request-id"] == "my-own.id_1"
    assert digital_source_type(read_photo(answer.content).xmp) == DIGITAL_SOURCE_TYPE
    monkeypatch.setenv("DEMASK_WEIGHTS", str(tiny_weights))
    expected = Remover(threads=1)(COVERED)
    assert expected.status == "restored"
    assert answer.content == expected.photo


@pytest.mark.parametrize(("format", "media_type"), [("JPEG", "image/jpeg"), ("WEBP", "image/webp")])
def test_the_answer_has_the_format_of_the_photo(server: RunningServer, format: str, media_type: str) -> None:
    photo = encoded(make_photo(), format, quality=95)
    answer = server.http.post("/v1/remove", files={"photo": photo})
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert Image.open(io.BytesIO(answer.content)).format == format


@pytest.mark.parametrize(
    ("photo", "status"), [(BARE, "no_covering"), (encoded(make_photo(None), "JPEG"), "no_face")]
)
def test_an_untouched_photo_comes_back_byte_for_byte(server: RunningServer, photo: bytes, status: str) -> None:
    answer = server.http.post("/v1/remove", files={"photo": photo})
    assert (answer.status_code, answer.headers["x-demask-status"]) == (200, status)
    assert answer.content == photo


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ({"format": "json"}, {}),
        ({}, {"Accept": "application/json"}),
        ({"format": "json"}, {"Accept": "image/*"}),
    ],
)
def test_json_has_the_picture_and_the_details(
    server: RunningServer, query: dict[str, str], headers: dict[str, str]
) -> None:
    picture = server.http.post("/v1/remove", files={"photo": COVERED}).content
    answer = server.http.post("/v1/remove", files={"photo": COVERED}, params=query, headers=headers)
    facts = answer.json()
    assert facts["status"] == "restored"
    assert (facts["width"], facts["height"]) == (300, 360)
    assert facts["photo"]["media_type"] == "image/png"
    assert base64.b64decode(facts["photo"]["base64"]) == picture
    assert facts["request_id"] == answer.headers["x-request-id"]
    assert "never" in facts["notice"].lower()
    assert {"decode", "find", "hole", "restore", "paste", "encode"} <= facts["timings_ms"].keys()
    (face,) = facts["faces"]
    assert (face["index"], face["covered"], face["status"]) == (0, True, "restored")
    hole = pixels_of(base64.b64decode(facts["hole"])).max(axis=2) > 127
    changed = (pixels_of(picture) != pixels_of(COVERED)).any(axis=2)
    assert changed.any()
    assert not changed[~hole].any()


@pytest.mark.parametrize("headers", [{}, {"Accept": "image/png,application/json;q=0.5"}])
def test_a_picture_unless_json_is_preferred(server: RunningServer, headers: dict[str, str]) -> None:
    answer = server.http.post("/v1/remove", files={"photo": COVERED}, headers=headers)
    assert answer.headers["content-type"] == "image/png"


def test_a_found_hole_can_be_corrected_and_sent_back(server: RunningServer) -> None:
    bare = server.http.post("/v1/find", files={"photo": COVERED}).json()
    assert bare["hole"] is None
    found = server.http.post("/v1/find", files={"photo": COVERED}, params={"hole": "true"}).json()
    assert (found["width"], found["height"]) == (300, 360)
    assert [face["status"] for face in found["faces"]] == ["skipped"]
    hole = pixels_of(base64.b64decode(found["hole"]))[..., 0] > 127
    rows = np.flatnonzero(hole.any(axis=1))
    hole[(rows[0] + rows[-1]) // 2 :] = False  # Keep the upper half only.
    files = {"photo": COVERED, "hole": encoded(hole.astype(np.uint8) * 255)}
    answer = server.http.post("/v1/remove", files=files, data={"faces": "0", "samples": "1"})
    assert answer.status_code == 200, answer.text
    changed = (pixels_of(answer.content) != pixels_of(COVERED)).any(axis=2)
    assert changed.any()
    assert not changed[~hole].any()


def test_a_photo_is_sent_and_searched_once_however_often_it_is_corrected(server: RunningServer) -> None:
    searched = server.metric('demask_stage_seconds_count{stage="find"}')
    answer = server.http.post("/v1/find", files={"photo": COVERED}, params={"hole": "true", "keep": "true"})
    found = answer.json()
    hole, kept = base64.b64decode(found["hole"]), found["kept"]
    assert server.metric("demask_kept_bytes") > len(COVERED)
    for more in ({}, {"hole": hole}, {"faces": b"largest"}, {"hole": hole, "faces": b"0"}):
        went_on = server.http.post("/v1/remove", **form(kept=kept, **more))
        anew = server.http.post("/v1/remove", **form(photo=COVERED, **more))
        assert went_on.status_code == 200, went_on.text
        assert went_on.headers["x-demask-status"] == "restored"
        assert went_on.content == anew.content
    assert server.metric('demask_stage_seconds_count{stage="find"}') == searched + 1 + 4
    assert kept not in server.text
    for forgotten in (True, False):
        assert server.http.post("/v1/forget", **form(kept=kept)).json() == {"forgotten": forgotten}
    gone = server.http.post("/v1/remove", **form(kept=kept))
    assert (gone.status_code, gone.json()["error"]["code"]) == (410, "not_kept")
    assert server.metric("demask_kept_bytes") == 0


def test_what_was_found_can_be_sent_back_instead_of_being_looked_for(server: RunningServer) -> None:
    told = server.http.post("/v1/find", files={"photo": COVERED}, params={"hole": "true"}).text
    hole = base64.b64decode(json.loads(told)["hole"])
    searched = server.metric('demask_stage_seconds_count{stage="find"}')
    answer = server.http.post("/v1/remove", **form(photo=COVERED, hole=hole, found=told))
    assert (answer.status_code, answer.headers["x-demask-status"]) == (200, "restored")
    assert server.metric('demask_stage_seconds_count{stage="find"}') == searched
    # Nothing but the hole's pixels changes, also where the faces are made up.
    invented = {
        "faces": [{"box": [10, 10, 90, 90], "points": [[30, 40], [60, 40], [45, 55], [35, 70], [55, 70]]}]
    }
    painted = np.zeros((360, 300), bool)
    painted[60:80, 30:60] = True
    files = form(photo=COVERED, hole=encoded(painted.astype(np.uint8) * 255), found=json.dumps(invented))
    changed = (pixels_of(server.http.post("/v1/remove", **files).content) != pixels_of(COVERED)).any(axis=2)
    assert not changed[~painted].any()


def test_a_hole_is_upright_where_the_photo_is_turned(server: RunningServer) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # Stored lying on its side.
    photo = encoded(np.rot90(make_photo()).copy(), "PNG", exif=exif)
    found = server.http.post("/v1/find", files={"photo": photo}, params={"hole": "true"}).json()
    assert (found["width"], found["height"]) == (300, 360)
    hole = base64.b64decode(found["hole"])
    assert pixels_of(hole).shape[:2] == (360, 300)
    answer = server.http.post("/v1/remove", files={"photo": photo, "hole": hole})
    assert (answer.status_code, answer.headers["x-demask-status"]) == (200, "restored")


def form(**fields: Any) -> dict[str, Any]:
    return {"files": {name: (None, value) for name, value in fields.items()}}


ERRORS: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("GET", "/nothing", {}, 404, "not_found"),
    ("POST", "/v1/", {}, 404, "not_found"),
    ("GET", "/v1/remove", {}, 405, "method_not_allowed"),
    ("DELETE", "/", {}, 405, "method_not_allowed"),
    ("POST", "/v1/remove", {}, 415, "wrong_content_type"),
    ("POST", "/v1/remove", {"json": {"url": "http://localhost"}}, 415, "wrong_content_type"),
    ("POST", "/v1/remove", {"data": {"photo": "x"}}, 415, "wrong_content_type"),
    ("POST", "/v1/remove", form(faces="all"), 422, "bad_field"),
    ("POST", "/v1/remove", form(photo=b""), 422, "bad_field"),
    ("POST", "/v1/remove", form(photo=COVERED, holes=b"x"), 422, "bad_field"),
    ("POST", "/v1/find", form(photo=COVERED, faces="all"), 422, "bad_field"),
    ("POST", "/v1/find?hole=perhaps", form(photo=COVERED), 422, "bad_field"),
    ("POST", "/v1/remove?format=xml", form(photo=COVERED), 422, "bad_field"),
    ("POST", "/v1/remove", {"files": [("photo", COVERED), ("photo", COVERED)]}, 422, "bad_field"),
    ("POST", "/v1/remove", form(photo=COVERED, faces="first"), 422, "usage"),
    ("POST", "/v1/remove", form(photo=COVERED, faces="0,"), 422, "usage"),
    ("POST", "/v1/remove", form(photo=COVERED, faces="7"), 422, "usage"),
    ("POST", "/v1/remove", form(photo=COVERED, samples="3"), 422, "samples_unsupported"),
    ("POST", "/v1/remove", form(photo=COVERED, samples="-1"), 422, "bad_field"),
    ("POST", "/v1/remove", form(photo=COVERED, samples="one"), 422, "bad_field"),
    ("POST", "/v1/remove", form(photo=COVERED, found="{}"), 422, "bad_field"),
    ("POST", "/v1/remove", form(photo=COVERED, found="[]", hole=COVERED), 422, "bad_field"),
    ("POST", "/v1/remove", form(photo=COVERED, kept="x"), 422, "bad_field"),
    ("POST", "/v1/remove", form(found="{}", kept="x"), 422, "bad_field"),
    ("POST", "/v1/remove", form(kept="x"), 410, "not_kept"),
    ("POST", "/v1/remove", form(kept=b"\xff"), 410, "not_kept"),
    ("POST", "/v1/remove", form(kept=""), 410, "not_kept"),
    ("POST", "/v1/find?keep=perhaps", form(photo=COVERED), 422, "bad_field"),
    ("POST", "/v1/find", form(kept="x"), 422, "bad_field"),
    ("POST", "/v1/forget", form(photo=COVERED), 422, "bad_field"),
    ("POST", "/v1/forget", {}, 415, "wrong_content_type"),
    ("POST", "/v1/remove", form(photo=COVERED, hole=b"x"), 415, "wrong_photo_type"),
    ("POST", "/v1/remove", form(photo=COVERED, hole=encoded(make_photo(), "JPEG")), 415, "wrong_photo_type"),
    (
        "POST",
        "/v1/remove",
        form(photo=COVERED, hole=encoded(np.zeros((9, 9), np.uint8))),
        422,
        "shape_mismatch",
    ),
    ("POST", "/v1/remove", form(photo=COVERED, hole=encoded(np.zeros((360, 300), np.uint8))), 422, "bad_input"),
    ("POST", "/v1/remove", form(photo=COVERED[:500]), 422, "photo_unreadable"),
    ("POST", "/v1/remove", form(photo=encoded(make_photo(), "JPEG")[:-400]), 422, "photo_unreadable"),
    (
        "POST",
        "/v1/find",
        {**form(photo=COVERED), "headers": {"Origin": "http://evil.example"}},
        403,
        "cross_origin",
    ),
    ("POST", "/v1/find", {**form(photo=COVERED), "headers": {"Origin": "null"}}, 403, "cross_origin"),
    (
        "POST",
        "/v1/find",
        {**form(photo=COVERED), "headers": {"Sec-Fetch-Site": "cross-site"}},
        403,
        "cross_origin",
    ),
    ("GET", "/v1/health", {"headers": {"Host": "evil.example"}}, 421, "wrong_host"),
    ("GET", "/", {"headers": {"Host": "localhost.evil.example:8000"}}, 421, "wrong_host"),
]


@pytest.mark.parametrize(("method", "path", "request_", "status", "code"), ERRORS)
def test_every_refusal_has_one_shape(
    server: RunningServer, method: str, path: str, request_: dict[str, Any], status: int, code: str
) -> None:
    answer = server.http.request(method, path, **request_)
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body.keys() == {"error", "request_id"}
    assert body["error"].keys() == {"code", "message", "details"}
    assert body["error"]["code"] == code
    assert len(body["error"]["message"]) > 20
    assert body["request_id"] == answer.headers["x-request-id"]
    assert ("allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize("format", ["GIF", "BMP", "TIFF", "PPM", "JPEG2000"])
def test_formats_that_strangers_need_not_feed_us_are_refused(server: RunningServer, format: str) -> None:
    answer = server.http.post("/v1/remove", files={"photo": encoded(make_photo(), format)})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "wrong_photo_type")


def test_a_page_of_ours_may_send_requests(server: RunningServer) -> None:
    origin = server.url.rstrip("/")
    headers = {"Origin": origin, "Sec-Fetch-Site": "same-origin"}
    assert server.http.post("/v1/find", files={"photo": BARE}, headers=headers).status_code == 200


def test_ready_tells_the_limits(server: RunningServer) -> None:
    facts = server.http.get("/v1/ready").json()
    assert facts["status"] == "ready"
    assert {"image/jpeg", "image/png", "image/webp"} <= set(facts["formats"])
    assert (facts["max_samples"], facts["key_required"]) == (1, False)
    assert facts["max_body_bytes"] == 64 * 2**20
    assert server.http.get("/v1/health").json()["status"] == "alive"


@pytest.mark.parametrize("path", ["/", "/style.css", "/main.js", "/docs", "/v1/health", "/nothing"])
def test_security_headers_are_everywhere(server: RunningServer, path: str) -> None:
    headers = server.http.get(path, headers={"Origin": "http://evil.example"}).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "camera=(self)" in headers["permissions-policy"]
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert not any(name.startswith("access-control") for name in headers)
    assert "server" not in headers


def test_a_browser_need_not_load_the_page_twice(server: RunningServer) -> None:
    for path in ("/", "/main.js"):
        first = server.http.get(path)
        again = server.http.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["content-security-policy"] == first.headers["content-security-policy"]
        assert again.headers["etag"] == first.headers["etag"]
        assert server.http.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
        assert server.http.head(path).headers["content-length"] == first.headers["content-length"]


def test_pages_name_no_outside_address(server: RunningServer) -> None:
    for path in ("/", "/style.css", "/main.js", "/docs"):
        text = server.http.get(path).text
        assert len(text) > 200
        outside = set(re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", text)) - {"http://www.w3.org"}
        assert not outside, path
    docs = server.http.get("/docs").text
    assert "POST /v1/remove" in docs
    assert "<script" not in docs


def test_metrics_count_what_was_done(server: RunningServer) -> None:
    before = server.metric('demask_photos_total{status="restored"}')
    server.http.post("/v1/remove", files={"photo": COVERED})
    assert server.metric('demask_photos_total{status="restored"}') == before + 1
    assert server.metric("demask_under_way") == 0
    server.http.get("/some/other/path")
    assert "/some" not in server.http.get("/metrics").text


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory, tiny_weights: Path) -> Iterator[RunningServer]:
    """A server that others could reach, behind a key."""
    running = RunningServer(
        tmp_path_factory.mktemp("locked"), tiny_weights, "--host", "0.0.0.0", environment={"DEMASK_KEY": KEY}
    )
    running.http.base_url = f"http://127.0.0.1:{running.address[1]}/"
    yield running
    assert running.stop() == 0
    assert KEY not in running.text


def test_a_key_opens(locked: RunningServer) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": KEY},
        {"Authorization": f"Basic {KEY}"},
    ):
        answer = locked.http.post("/v1/find", files={"photo": BARE}, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "key_required")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert locked.http.get("/metrics").status_code == 401
    right = {"Authorization": f"Bearer {KEY}"}
    assert locked.http.post("/v1/find", files={"photo": BARE}, headers=right).status_code == 200
    assert locked.http.get("/metrics", headers=right).status_code == 200
    for path in ("/", "/docs", "/openapi.json", "/v1/health", "/v1/ready"):
        assert locked.http.get(path, headers={"Host": "photos.example"}).status_code == 200


def serve(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "demask", "serve", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)


def test_no_open_door_without_a_key(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1"):
        done = serve("--host", host)
        assert done.returncode == 2
        assert "key" in done.stderr
    short = tmp_path / "key"
    short.write_text("short")
    assert serve("--host", "0.0.0.0", "--key-file", str(short)).returncode == 2
    short.write_text(KEY)
    done = serve("--host", "0.0.0.0", "--key-file", str(short), "--dry-run")
    assert done.returncode == 0
    assert KEY not in done.stdout


def test_a_missing_extra_is_one_line(tmp_path: Path) -> None:
    hide = "import sys\nsys.modules['uvicorn'] = None\n"
    (tmp_path / "sitecustomize.py").write_text(hide)
    done = serve(PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.strip().endswith(f"run: {install_command('serve')}")


def test_a_taken_port_is_one_line(server: RunningServer, tiny_weights: Path) -> None:
    done = serve("--port", str(server.address[1]), DEMASK_WEIGHTS=str(tiny_weights))
    assert done.returncode == 2
    assert "port" in done.stderr
    assert len(done.stderr.splitlines()) == 1
