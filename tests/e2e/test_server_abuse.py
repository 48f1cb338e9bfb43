"""What strangers do to servers, done to a real one: it answers 4xx or hangs up, serves on, writes nothing."""

import contextlib
import functools
import io
import json
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

pytest.importorskip("fastapi")

from PIL import Image
from serving import RunningServer

from tiny_networks import make_photo

BOUNDARY = "xxBOUNDARYxx"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
OPENING = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="photo"; filename="SECRET.png"\r\n\r\n'.encode()
)
CLOSING = f"\r\n--{BOUNDARY}--\r\n".encode()
CODE = """
from demask.server.process import serve
from demask.server.serve_settings import Limits, Settings
limits = Limits(max_body_bytes=8 * 2**20, max_held_bytes=24 * 2**20, max_waiting=2,
                head_s=2, body_s=5, deadline_s=20, stalled_s=2)
serve(Settings(port=0, workers=1, limits=limits))
"""


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


PHOTO = png(make_photo())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_weights: Path) -> Iterator[RunningServer]:
    running = RunningServer(tmp_path_factory.mktemp("abused"), tiny_weights, code=CODE)
    yield running
    assert running.stop() == 0
    assert running.writes == []
    assert list(running.home.iterdir()) == []
    assert "SECRET" not in running.text
    assert "passwd" not in running.text


@pytest.fixture(autouse=True)
def still_serving(server: RunningServer) -> Iterator[None]:
    """Whatever the test did, the next guest is served, and nothing is left under way."""
    yield
    answer = server.http.post("/v1/remove", files={"photo": PHOTO})
    assert answer.headers["x-demask-status"] == "restored"
    for _ in range(100):
        if server.metric("demask_under_way") == 0:
            break
        time.sleep(0.1)
    assert server.metric("demask_under_way") == 0
    assert server.metric("demask_held_bytes") == 0
    assert server.logged(status=500) == []
    assert server.logged(level="error") == []


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def raw_png(
    width: int, height: int, *middle: bytes, body: bytes = b"", bits: int = 8, colour: int = 2
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    pieces = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), *middle, chunk(b"IDAT", body), chunk(b"IEND", b"")]
    return b"".join(pieces)


HUGE = 2**28


@functools.cache
def zeros(number: int) -> bytes:
    packer = zlib.compressobj(1)
    step = 1 << 20
    parts = [packer.compress(bytes(min(step, number - done))) for done in range(0, number, step)]
    return b"".join(parts) + packer.flush()


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_100_megapixels_are_refused_undecoded(server: RunningServer) -> None:
    # One bit per pixel: a whole, valid PNG of 100 megapixels in a few kilobytes.
    photo = raw_png(10_000, 10_000, body=zeros(10_000 * 1251), bits=1, colour=0)
    before = server.memory_bytes()
    start = time.perf_counter()
    answer = server.http.post("/v1/remove", files={"photo": photo})
    assert code_of(answer) == (413, "photo_too_large")
    assert answer.json()["error"]["details"] == {"width": 10_000, "height": 10_000, "max_megapixels": 50}
    assert time.perf_counter() - start < 5
    assert server.memory_bytes() - before < 50e6
    hole = {"photo": PHOTO, "hole": photo}
    assert code_of(server.http.post("/v1/remove", files=hole)) == (413, "photo_too_large")


BOMBS: dict[str, tuple[Callable[[], bytes], set[int]]] = {
    "promises 4 gigapixels": (lambda: raw_png(65_000, 65_000, body=zeros(1000)), {413}),
    "pixels that never come": (lambda: raw_png(7000, 7000, body=zeros(1000)), {422}),
    "more pixels than promised": (lambda: raw_png(10, 10, body=zeros(HUGE)), {200, 422}),
    "a profile of 256 MB": (
        lambda: raw_png(10, 10, chunk(b"iCCP", b"x\0\0" + zeros(HUGE)), body=zeros(310)),
        {200, 422},
    ),
    "a text of 256 MB": (
        lambda: raw_png(10, 10, chunk(b"zTXt", b"x\0\0" + zeros(HUGE)), body=zeros(310)),
        {200, 422},
    ),
    "an XMP packet of 256 MB": (
        lambda: raw_png(10, 10, chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zeros(HUGE)), body=zeros(310)),
        {200, 422},
    ),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_fizzle(server: RunningServer, bomb: str) -> None:
    make, statuses = BOMBS[bomb]
    before = server.memory_bytes()
    answer = server.http.post("/v1/find", files={"photo": make()})
    assert answer.status_code in statuses, answer.text
    assert server.memory_bytes() - before < 200e6


def test_a_jpeg_of_a_thousand_scans_is_refused(server: RunningServer) -> None:
    buffer = io.BytesIO()
    Image.fromarray(make_photo()).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    last = data.rindex(b"\xff\xda")
    photo = data[:last] + data[last:-2] * 1000 + data[-2:]
    assert code_of(server.http.post("/v1/find", files={"photo": photo})) == (422, "photo_unsupported")


@pytest.mark.parametrize("announced", [True, False])
def test_a_gigabyte_is_turned_away(server: RunningServer, announced: bool) -> None:
    sent = 0

    def body() -> Iterator[bytes]:
        nonlocal sent
        yield OPENING
        for _ in range(1024):
            sent += 1
            yield bytes(2**20)
        yield CLOSING

    length = str(2**30 + len(OPENING) + len(CLOSING))
    headers = {"Content-Type": FORM, **({"Content-Length": length} if announced else {})}
    before = server.memory_bytes()
    try:
        answer = server.http.post("/v1/remove", content=body(), headers=headers)
        assert code_of(answer) == (413, "body_too_large")
    except httpx.TransportError:
        pass  # The connection was closed on us in the middle: as good an answer.
    assert server.memory_bytes() - before < 50e6
    server.wait_for(message="request", status=413, code="body_too_large")


def head(path: str = "/v1/remove", *, length: int, extra: str = "") -> bytes:
    lines = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\nContent-Length: {length}\r\n"
    return (lines + extra + "\r\n").encode()


def read_all(connection: socket.socket) -> bytes:
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def test_a_413_comes_before_the_body_where_the_client_asks_first(server: RunningServer) -> None:
    with server.connect() as connection:
        connection.sendall(head(length=2**30, extra="Expect: 100-continue\r\n"))
        assert connection.recv(65536).startswith(b"HTTP/1.1 413")


def test_a_slow_body_is_cut_off(server: RunningServer) -> None:
    with server.connect() as connection:
        connection.sendall(head(length=100_000) + OPENING)
        start = time.perf_counter()
        answer = b""
        while not answer and time.perf_counter() - start < 20:
            with contextlib.suppress(TimeoutError):
                connection.settimeout(0.25)
                answer = connection.recv(65536)
            with contextlib.suppress(OSError):
                connection.sendall(b"x")
    assert answer.startswith(b"HTTP/1.1 408")
    assert 4 < time.perf_counter() - start < 15


def test_a_slow_head_is_hung_up_on(server: RunningServer) -> None:
    with server.connect() as connection:
        start = time.perf_counter()
        connection.settimeout(0.25)
        while time.perf_counter() - start < 20:
            try:
                connection.sendall(b"G")
                if connection.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except OSError:
                break
    assert time.perf_counter() - start < 15


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (OPENING + PHOTO, 400),
        (OPENING[:40], 400),
        (OPENING + PHOTO + CLOSING[:10], 400),
        (b"", 400),
        (b"not a form at all", 400),
        (b"--" + b"y" * 5000, 400),
        (OPENING.replace(b'name="photo"; ', b"") + PHOTO + CLOSING, 422),
        (OPENING.replace(b"form-data", b"form-data\r\n" + b"X: y\r\n" * 50) + PHOTO + CLOSING, 400),
        (OPENING.replace(b"SECRET", b"S" * 20_000) + PHOTO + CLOSING, 400),
        (f"--{BOUNDARY}--\r\n".encode(), 422),
    ],
)
def test_a_broken_form_is_a_clean_4xx(server: RunningServer, body: bytes, status: int) -> None:
    answer = server.http.post("/v1/remove", content=body, headers={"Content-Type": FORM})
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", f"multipart/form-data; boundary={'b' * 300}", "m" * 9000]
)
def test_a_broken_content_type_is_a_clean_4xx(server: RunningServer, kind: str) -> None:
    answer = server.http.post("/v1/remove", content=OPENING, headers={"Content-Type": kind})
    assert answer.status_code in (400, 415)
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "photo",
    [
        b"GIF89a" + bytes(100),
        b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        b"%PDF-1.7" + bytes(100),
        b"PK\3\4" + bytes(100),
        b"%!PS-Adobe-3.0 EPSF-3.0\n" + bytes(100),
        b"http://localhost/photo.jpg",
        b"/etc/passwd",
        b"\0",
    ],
)
def test_no_picture_is_no_picture(server: RunningServer, photo: bytes) -> None:
    assert code_of(server.http.post("/v1/remove", files={"photo": photo})) == (415, "wrong_photo_type")


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/passwd",
        "/etc/passwd",
        "C:\\SECRET\\x",
        "SECRET\0.png",
        "SECRET" * 300,
        "%2e%2e%2fSECRET",
        "",
    ],
)
def test_file_names_are_nothing_to_us(server: RunningServer, name: str) -> None:
    answer = server.http.post("/v1/remove", files={"photo": (name, PHOTO)})
    assert answer.status_code == 200
    assert "SECRET" not in str(answer.headers)


@pytest.mark.parametrize(
    "path", ["/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd", "/main.js/../../api.py"]
)
def test_paths_lead_nowhere(server: RunningServer, path: str) -> None:
    with server.connect() as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 2_000_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        b"POST /v1/remove HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/remove HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    ],
)
def test_broken_http_is_a_clean_400(server: RunningServer, sent: bytes) -> None:
    with server.connect() as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(sent)
        answer = read_all(connection)
    if answer:  # Some are hung up on while they still send.
        assert answer.startswith(b"HTTP/1.1 400")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "bad_request"


def test_1000_idle_connections_disturb_nobody(server: RunningServer) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1200:
        pytest.skip(f"this process may open only {hard} files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(server.connect()) for _ in range(1000)]
        answer = server.http.post("/v1/remove", files={"photo": PHOTO})
        assert answer.status_code == 200
        deadline = time.perf_counter() + 30
        for connection in idle:
            connection.settimeout(max(0.1, deadline - time.perf_counter()))
            with contextlib.suppress(ConnectionError):
                assert connection.recv(1) == b""


NOISE = np.random.default_rng(0).integers(0, 256, (1400, 1400, 3), np.uint8)
LARGE, MEDIUM = png(NOISE), png(NOISE[:700, :700].copy())


def test_clients_that_leave_are_not_worked_for(server: RunningServer) -> None:
    before = len(server.logged(message="request", status=499))
    whole = OPENING + LARGE + CLOSING
    for part in (100, len(whole) // 2, len(whole), len(whole)):
        with server.connect() as connection:
            connection.sendall(head(length=len(whole)) + whole[:part])
        time.sleep(0.05)
    for _ in range(200):
        if len(server.logged(message="request", status=499)) >= before + 4:
            break
        time.sleep(0.05)
    assert len(server.logged(message="request", status=499)) == before + 4


def test_a_full_queue_says_when_to_come_back(server: RunningServer) -> None:
    answers: list[httpx.Response] = []

    def ask() -> None:
        answers.append(httpx.post(server.url + "v1/remove", files={"photo": MEDIUM}, timeout=60))

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = sorted(answer.status_code for answer in answers)
    assert set(statuses) == {200, 503}, statuses
    for answer in answers:
        if answer.status_code == 503:
            assert code_of(answer) == (503, "busy")
            assert 1 <= int(answer.headers["retry-after"]) <= 60


def test_photos_that_are_kept_take_a_bounded_memory(server: RunningServer) -> None:
    """64 of them here, each with its crop of a megabyte; who asks for more pushes out the oldest."""
    kept = []
    for _ in range(70):
        answer = server.http.post("/v1/find", files={"photo": PHOTO}, params={"keep": "true"})
        kept.append(answer.json()["kept"])
    assert None not in kept
    assert server.metric("demask_kept_bytes") <= 64 * (len(PHOTO) + 384 * 384 * 4 + 256 * 256 * 5)
    statuses = [server.http.post("/v1/remove", files={"kept": (None, token)}).status_code for token in kept]
    assert statuses == [410] * 6 + [200] * 64


def test_an_answer_that_nobody_reads_is_dropped(server: RunningServer) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(30)
        connection.connect(server.address)
        whole = OPENING + LARGE + CLOSING
        connection.sendall(head(path="/v1/remove", length=len(whole)) + whole)
        server.wait_for(message="closed", why="unread answer")
