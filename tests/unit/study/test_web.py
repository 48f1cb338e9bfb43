"""The study's HTTP side, as a browser would use it: a real server, real requests."""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from study_plans import CONDITIONS, EVERY_KIND

import demask.study.web
from demask.errors import ConfigError, DatasetError, DemaskError, UsageError
from demask.study.codes import new_code
from demask.study.folder import StudyFolder, new_study, open_study
from demask.study.language import read_languages
from demask.study.store import Store
from demask.study.web.session_json import session_json
from demask.study.web.study_app import WebConfig, create_app
from demask.study.web.study_server import ServeConfig, checked_key, serve
from demask.webkit.access import is_loopback
from demask.webkit.listening import quiet_config
from demask.webkit.throttle import Rate
from demask.webkit.wire import WireLimits

KEY = "the key of these tests"


@pytest.fixture(scope="module")
def made(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("web")
    folders = {name: drawn / name for name in CONDITIONS}
    plan = EVERY_KIND.replace(
        'consent = { en = "I take part." }', 'consent = { en = "I <b>do</b>.", de = "Ja." }'
    )
    plan = plan.replace("people = 12", 'people = 2\nlanguages = ["en", "de"]').replace(
        "text = { en = ", 'text = { de = "?", en = '
    )
    plan = plan.replace('"50+"]', '"50+"]\nshown = { de = ["18 bis 29", "30 bis 49", "ab 50"] }')
    (root / "plan.toml").write_text(plan)
    new_study(root / "plan.toml", root / "s", folders, labels=drawn / "labels.csv", refer=True)
    return root / "s"


@pytest.fixture
def study(made: Path) -> StudyFolder:
    return open_study(made)


@pytest.fixture
def store(study: StudyFolder, tmp_path: Path) -> Iterator[Store]:
    opened = Store.create(f"sqlite:///{tmp_path / 's.sqlite'}", study.plan_text, study.labels)
    yield opened
    opened.close()


class Served:
    """A server in a thread, and a client that speaks to it with a participant's code."""

    def __init__(self, study: StudyFolder, store: Store, config: WebConfig) -> None:
        settings = quiet_config(create_app(study, store, config), config.limits, grace_s=10)
        settings.port = 0
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(target=self._server.run)

    def __enter__(self) -> Served:
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            time.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}")
        return self

    def __exit__(self, *failure: object) -> None:
        self.http.close()
        self._server.should_exit = True
        self._thread.join()

    def get(self, path: str, code: str = "") -> httpx.Response:
        return self.http.get(path, headers=_bearer(code))

    def post(self, path: str, code: str = "", **body: object) -> httpx.Response:
        return self.http.post(path, headers=_bearer(code), json=body)


def _bearer(code: str) -> dict[bytes, bytes]:
    return {b"authorization": b"Bearer " + code.encode()} if code else {}


@pytest.fixture
def served(study: StudyFolder, store: Store) -> Iterator[Served]:
    with Served(study, store, WebConfig(admin_key=KEY, most_people=3)) as running:
        yield running


def joined(served: Served) -> str:
    code = new_code()
    assert served.post("/v1/consent", code, language="en").status_code == 200
    return code


def test_from_consent_to_the_end_every_call_may_come_twice(served: Served, store: Store) -> None:
    code = new_code()
    for _ in range(2):
        session = served.post("/v1/consent", code, language="de").json()
    assert (session["language"], session["consented"], session["finished"]) == ("de", True, False)
    assert store.num_enrolled() == 1
    answer = {"position": 0, "value": "5", "reaction_ms": 700.5}
    assert served.post("/v1/answers", code, **answer).json() == {"first": True}
    assert served.post("/v1/answers", code, **answer | {"value": "6"}).json() == {"first": False}
    for first in (True, False):
        reply = served.post("/v1/replies", code, question="age", value="50+").json()
        assert reply == {"first": first, "status": "active"}
        assert served.post("/v1/finish", code).json()["finished"]
    again = served.get("/v1/session", code).json()
    assert (again["answered"], again["replied"], again["finished"]) == ([0], ["age"], True)
    (record,) = store.records()
    assert (record.value, record.reaction_ms) == ("5", 700.5)
    assert served.post("/v1/withdraw", code).json() == {"deleted_answers": 1}
    assert served.post("/v1/withdraw", code).json()["error"]["code"] == "unknown_participant"
    assert served.get("/v1/session", code).status_code == 404


def test_the_page_is_not_told_what_the_pictures_are(served: Served, study: StudyFolder, store: Store) -> None:
    session = served.post("/v1/consent", new_code(), language="en").json()
    text = json.dumps({key: session[key] for key in ("blocks", "trials")})
    assert not re.search(r"ours|pix2pix|truth|repeat|expected|\"f\d{3}\"", text)
    trials = store.assignment.trials(0)
    for told, trial in zip(session["trials"], trials, strict=True):
        shown = [study.ids[condition, face] for condition, face in trial.pictures]
        assert told["pictures"] == shown
        assert ("right" in told) == (trial.role == "practice")
        assert ("prompt" in told) == (trial.role == "check")
        assert bool(told["masked"]) == (trial.block == "preference")
    practice = [told["right"] for told in session["trials"] if told["role"] == "practice"]
    assert practice == [trial.expected for trial in trials if trial.role == "practice"]
    assert session["blocks"]["real"]["in_turn"]
    assert [item["label"] for item in session["blocks"]["quality"]["answers"]][-1] == "5 excellent"


def test_pictures_are_for_participants_only(served: Served, study: StudyFolder) -> None:
    name = study.ids["ours", "f003"]
    code = joined(served)
    reply = served.get(f"/v1/pictures/{name}", code)
    assert reply.content == study.files[name].read_bytes()
    assert reply.headers["cache-control"] == "private, max-age=3600"
    assert served.get(f"/v1/pictures/{name}").status_code == 401
    assert served.get(f"/v1/pictures/{name}", new_code()).status_code == 404
    assert served.get("/v1/pictures/..%2Fstudy.json", code).status_code == 404
    served.post("/v1/withdraw", code)
    assert served.get(f"/v1/pictures/{name}", code).status_code == 404


@pytest.mark.parametrize("path", ["/", "/withdraw", "/admin", "/static/study.js", "/v1/session", "/nothing"])
def test_every_reply_keeps_to_itself(served: Served, path: str) -> None:
    reply = served.get(path)
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert reply.headers["cache-control"] == "no-store"
    assert "set-cookie" not in reply.headers
    assert "server" not in reply.headers


def test_no_page_names_another_address() -> None:
    web = Path(demask.study.web.__file__).parent
    files = [path for path in web.rglob("*") if path.suffix in (".js", ".css", ".html")]
    assert len(files) >= 10
    for path in files:
        assert "://" not in path.read_text(), path
        assert "innerHTML" not in path.read_text(), path
        assert " style=" not in path.read_text(), path


def test_the_consent_page_speaks_the_readers_language(served: Served) -> None:
    assert "I &lt;b&gt;do&lt;/b&gt;." in served.get("/").text
    german = served.http.get("/", headers={"accept-language": "fr, de-AT;q=0.9, en;q=0.8"}).text
    assert '<html lang="de">' in german
    assert read_languages(["de"], {})["de"].words["invented"] in german
    assert '<html lang="en">' in served.http.get("/?lang=en", headers={"accept-language": "de"}).text
    assert '<html lang="en">' in served.get("/?lang=xx").text


def test_what_makes_no_sense_is_refused_and_not_repeated(served: Served, store: Store) -> None:
    code = joined(served)
    good = {"position": 0, "value": "5", "reaction_ms": 1.0}
    for change, status in (
        ({"value": "8"}, 422), ({"position": 9999}, 422), ({"position": -1}, 422), ({"reaction_ms": -1}, 422),
        ({"reaction_ms": "soon"}, 422), ({"name": "Ann"}, 422), ({"value": "x" * 20_000}, 413),
    ):  # fmt: skip
        reply = served.post("/v1/answers", code, **good | change)
        assert reply.status_code == status, change
        assert reply.json()["error"]["message"]
    said = served.post("/v1/replies", code, question="age", value=["my own words"]).text
    assert "my own words" not in said
    assert served.post("/v1/replies", code, question="remarks", value="x" * 2001).status_code == 422
    assert served.post("/v1/answers", **good).status_code == 401
    assert served.post("/v1/answers", "short", **good).status_code == 404
    assert served.post("/v1/consent", "short", language="en").status_code == 422
    assert served.post("/v1/consent", new_code(), language="fr").status_code == 422
    assert store.records() == []


def test_a_proxy_may_put_its_own_name_into_host(served: Served) -> None:
    headers = _bearer(new_code()) | {b"host": b"127.0.0.1:8190", b"origin": b"https://study.example.org"}
    assert served.http.post("/v1/consent", headers=headers, json={"language": "en"}).status_code == 200


def test_enrolment_ends_at_its_limit(served: Served, study: StudyFolder, store: Store) -> None:
    codes = [joined(served) for _ in range(3)]
    full = served.post("/v1/consent", new_code(), language="en")
    assert (full.status_code, full.json()["error"]["code"]) == (409, "study_full")
    assert served.post("/v1/consent", codes[0], language="en").status_code == 200
    with Served(study, store, WebConfig(enrolment="links")) as closed:
        assert closed.post("/v1/consent", new_code(), language="en").status_code == 404
        assert closed.post("/v1/consent", codes[1], language="en").status_code == 200


def test_who_asks_too_often_waits_alone(study: StudyFolder, store: Store) -> None:
    slow = Rate(per_s=0.01, burst=3)
    with Served(study, store, WebConfig(pace=slow, arrivals=slow)) as served:
        one, other = joined(served), joined(served)
        answers = [served.get("/v1/session", one) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert int(answers[-1].headers["Retry-After"]) >= 1
        assert served.get("/v1/session", other).status_code == 200
        # Guessed codes together use up what is left for those who arrive.
        assert [served.get("/v1/session", new_code()).status_code for _ in range(2)] == [404, 429]
        assert served.get("/v1/session", other).status_code == 200


def test_progress_needs_the_key_and_tells_no_code(served: Served, study: StudyFolder, store: Store) -> None:
    code = joined(served)
    trials = store.session(code).trials
    for trial in trials[:12]:
        wrong = next(value for value in store.plan.block(trial.block).answers if value != trial.expected)
        times = {"first_ms": 1020.0} if trial.first else {}
        served.post("/v1/answers", code, position=trial.position, value=wrong, reaction_ms=5.0, **times)
    for key in ("", code, KEY[:-1], KEY + "x", "é"):
        assert served.get("/v1/admin/progress", key).status_code == 401
    found = served.get("/v1/admin/progress", KEY)
    assert code not in found.text
    told = found.json()
    counts = {name: number for name, number in told["people"].items() if number}
    assert counts == {"planned": 2, "enrolled": 1, "agreed": 1}
    failed = sum(trial.role == "check" for trial in trials[:12])
    assert told["participants"] == [
        {
            "person": "p001", "answers": 12, "trials": len(trials), "failed_checks": failed, "finished": False,
            "group": "", "status": "active",
        }
    ]  # fmt: skip
    likability = told["blocks"][0]
    assert likability["answers"] == sum(trial.role == "main" for trial in trials[:12])
    assert (likability["exposures"], likability["exposure_off_most_ms"]) == (likability["answers"], 1020.0)
    with Served(study, store, WebConfig()) as keyless:
        assert keyless.get("/v1/admin/progress", "anything").status_code == 401


def test_a_bug_tells_nobody_whose_answer_it_was(
    served: Served, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    code = joined(served)
    with store._engine.begin() as db:
        db.exec_driver_sql("DROP TABLE replies")
    with caplog.at_level(logging.DEBUG):
        reply = served.post("/v1/replies", code, question="remarks", value="a telling remark")
    assert (reply.status_code, reply.json()["error"]["code"]) == (500, "internal")
    assert "no-referrer" in reply.headers["referrer-policy"]
    ours = [record for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    logged = "".join(caplog.handler.format(record) for record in ours)
    assert "no such table" in logged
    for secret in ("a telling remark", code, "127.0.0.1"):
        assert secret not in logged


@pytest.mark.parametrize("error", [ConfigError, DatasetError, DemaskError])
def test_an_error_that_has_no_status_is_logged_under_its_request_id(
    served: Served,
    store: Store,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    error: type[DemaskError],
) -> None:
    code = joined(served)

    def break_off(token: str) -> None:
        raise error("the third shelf is missing")

    monkeypatch.setattr(store, "finish", break_off)
    reply = served.post("/v1/finish", code)
    assert (reply.status_code, reply.json()["error"]["code"]) == (500, "internal")
    assert "shelf" not in reply.text
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert reply.json()["request_id"] == reply.headers["x-request-id"]
    assert reply.json()["request_id"] in record.getMessage()
    assert "the third shelf is missing" in caplog.handler.format(record)


def test_silent_and_half_requests_are_not_waited_for(study: StudyFolder, store: Store) -> None:
    limits = WireLimits(max_body_bytes=16 * 1024, max_held_bytes=2**20, head_s=1, body_s=1)
    half_body = (
        b"POST /v1/answers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer CODE\r\nContent-Length: 9\r\n\r\n{"
    )
    half_body = half_body.replace(b"CODE", store.enrol("en").encode())
    with Served(study, store, WebConfig(limits=limits)) as served:
        place = (served.http.base_url.host, served.http.base_url.port)
        for sent, answer in ((b"", b""), (b"GET / HTTP", b""), (half_body, b"HTTP/1.1 408")):
            with socket.create_connection(place, timeout=15) as connection:
                connection.sendall(sent)
                assert connection.recv(12) == answer
    assert store.records() == []


def test_only_loopback_goes_without_a_key() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert is_loopback("localhost")
    for host in ("0.0.0.0", "::", "192.168.1.7", "study.example.org", ""):
        assert not is_loopback(host)
        with pytest.raises(UsageError, match="DEMASK_STUDY_ADMIN_KEY"):
            checked_key(host, None)
    with pytest.raises(UsageError, match="ASCII"):
        checked_key("127.0.0.1", "ä" * 16)
    assert len(checked_key("127.0.0.1", None)) > 16
    assert checked_key("127.0.0.1", None) != checked_key("127.0.0.1", None)
    with pytest.raises(UsageError, match="16 or more"):
        checked_key("127.0.0.1", "short")
    assert checked_key("0.0.0.0", "k" * 16) == "k" * 16


def test_the_server_does_not_start_open_to_others_or_on_a_taken_port(study: StudyFolder, store: Store) -> None:
    with pytest.raises(UsageError, match="DEMASK_STUDY_ADMIN_KEY"):
        serve(study, store, ServeConfig(host="0.0.0.0", port=0), print)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UsageError, match="choose another"):
            serve(study, store, ServeConfig(port=taken.getsockname()[1]), print)


def test_a_session_is_in_the_participants_language(study: StudyFolder, store: Store) -> None:
    code = store.enrol("de")
    told = session_json(study, store.session(code))
    assert told["words"] == study.languages["de"].words
    assert [item["name"] for item in told["questions"]] == ["age", "remarks"]
    german = [["18-29", "18 bis 29"], ["30-49", "30 bis 49"], ["50+", "ab 50"]]
    assert [list(choice) for choice in told["questions"][0]["choices"]] == german
    english = session_json(study, store.session(store.enrol("en")))["questions"][0]["choices"]
    assert [list(choice) for choice in english] == [[each, each] for each in ("18-29", "30-49", "50+")]
    assert not told["consented"]
