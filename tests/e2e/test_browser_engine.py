"""The browser engine in a real Chromium against Python; benchmarks/browser_parity.py is the long version."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from browsing import bytes_of, give, pixels_of, wait_until_done
from demask import Remover
from demask.errors import DemaskError
from demask.photo.decode import read_photo
from demask.photo.paste import PasteConfig
from demask.photo.provenance import read_label
from demask.server.static_page import write_page
from demask.server.web_runtime import find_runtime
from demask.types import ImageU8
from engine_in_chromium import Engine, WebSpace, engine_page

sync_api = pytest.importorskip("playwright.sync_api")

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "examples" / "astronaut-covered.jpg"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        runtime = find_runtime()
    except DemaskError as error:
        pytest.skip(str(error))
    return write_page(tmp_path_factory.mktemp("page") / "site", runtime).folder


@pytest.fixture(scope="module")
def space(site: Path) -> Iterator[WebSpace]:
    made = WebSpace(site, isolated=False)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def engine(chromium: Any, space: WebSpace) -> Iterator[Engine]:
    with engine_page(chromium, space.url) as page:
        yield Engine(page, provider="wasm")


def psnr_db(one: ImageU8, other: ImageU8, where: Any) -> float:
    error = ((one[where].astype(float) - other[where]) ** 2).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def test_it_answers_as_python_does(engine: Engine) -> None:
    data = EXAMPLE.read_bytes()
    pixels, remover = read_photo(data).pixels, Remover(threads=1)
    looked = remover.looker(pixels)
    result = remover.restore(pixels, looked, paste=PasteConfig(match_grain=False))
    found = engine.find(data)
    assert found["used"]["provider"] == "wasm"
    assert [face["covered"] for face in found["faces"]] == [True]
    assert np.allclose(found["faces"][0]["box"], looked.faces[0].face.box, atol=0.01)
    assert np.allclose(found["faces"][0]["points"], looked.faces[0].face.points, atol=0.01)

    # Without grain, which is random: the same pixels but for the networks' rounding.
    plain = engine.remove([0], format="png", grain=False)
    assert plain["type"] == "image/png"
    assert [face["status"] for face in plain["faces"]] == ["restored"]
    drawn = pixels_of(plain["photo"])
    assert result.hole is not None
    assert np.array_equal(drawn[~result.hole], pixels[~result.hole])
    assert (drawn[result.hole] != pixels[result.hole]).any(axis=1).mean() > 0.9
    assert psnr_db(drawn, result.photo, result.hole) > 45
    label = read_label(read_photo(plain["photo"]).xmp)
    assert label is not None
    assert label.networks.keys() == {"finder", "hole", "restorer"}

    # As it is given: the JPEG's own coefficients wherever the hole touches no block.
    made = engine.remove([0])
    assert made["type"] == "image/jpeg"
    again = read_photo(made["photo"])
    near = np.kron(_blocks(result.hole, 16, reach=1), np.ones((16, 16), bool))
    far = ~near[: pixels.shape[0], : pixels.shape[1]]
    assert np.array_equal(again.pixels[far], pixels[far])
    assert psnr_db(again.pixels, result.photo, result.hole) > 30
    assert read_label(again.xmp) == label


def _blocks(hole: Any, side: int, *, reach: int) -> Any:
    """Blocks that hold a pixel of the hole, and their neighbours, from which upsampled chroma comes."""
    padded = np.pad(hole, [(0, -size % side) for size in hole.shape])
    touched = padded.reshape(padded.shape[0] // side, side, -1, side).any((1, 3))
    wide = np.pad(touched, reach)
    return np.logical_or.reduce(
        [
            wide[y : y + touched.shape[0], x : x + touched.shape[1]]
            for y in range(2 * reach + 1)
            for x in range(2 * reach + 1)
        ]
    )


def test_sixteen_bits_alpha_and_a_hole_by_hand(engine: Engine) -> None:
    pixels = pixels_of(EXAMPLE.read_bytes())[40:296, 130:386]
    deep = pixels.astype(np.uint16) * 257 + 5
    alpha = np.full(pixels.shape[:2], 65535, np.uint16)
    alpha[:20] = 700
    file = deep_png(np.dstack([deep, alpha]), texts={"Comment": "kept"})
    hole = np.zeros(pixels.shape[:2], bool)
    hole[88:128, 68:122] = True
    faces = engine.find(file, "photo.png")["faces"]
    made = engine.remove([0], hole=bytes_of(hole.astype(np.uint8)[..., None].repeat(3, 2) * 255))
    assert [face["status"] for face in made["faces"]] == ["restored"] * len(faces)
    written = read_photo(made["photo"])
    assert written.deep is not None
    assert written.alpha is not None
    assert np.array_equal(written.alpha, alpha)
    assert np.array_equal(written.deep[~hole], deep[~hole])
    assert (written.deep[hole] != deep[hole]).any(axis=1).mean() > 0.9
    assert (b"tEXt", b"Comment\0kept") in written.chunks


def deep_png(samples: Any, *, texts: dict[str, str]) -> bytes:
    """RGBA of 16 bit as PNG, written by hand: the libraries at hand write it in other ways."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    height, width, _ = samples.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    told = b"".join(chunk(b"tEXt", f"{name}\0{text}".encode()) for name, text in texts.items())
    header = struct.pack(">IIBBBBB", width, height, 16, 6, 0, 0, 0)
    parts = [chunk(b"IHDR", header), told, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_a_turned_progressive_photo_keeps_its_orientation(engine: Engine) -> None:
    with Image.open(EXAMPLE) as image:
        cut = image.convert("RGB").crop((120, 20, 400, 300))
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    cut.transpose(Image.Transpose.ROTATE_90).save(
        buffer, "JPEG", quality=90, subsampling=2, progressive=True, exif=exif, comment=b"kept"
    )
    before = read_photo(buffer.getvalue())
    assert [face["covered"] for face in engine.find(buffer.getvalue())["faces"]] == [True]
    made = engine.remove([0])["photo"]
    after = read_photo(made)
    assert after.turn == 6
    differs = (after.pixels != before.pixels).any(axis=2)
    assert 0.02 < differs.mean() < 0.3
    with Image.open(io.BytesIO(made)) as image:
        assert image.info["comment"] == b"kept"


def test_where_the_graphics_card_fails_the_processor_goes_on(chromium: Any, space: WebSpace) -> None:
    with engine_page(chromium, space.url) as page:
        engine = Engine(page, provider="webgpu")  # This browser has none.
        found = engine.find(bytes_of(np.full((96, 96, 3), 128, np.uint8)), "grey.png")
    assert found["faces"] == []
    assert found["used"]["provider"] == "wasm"
    assert found["used"]["fellBack"]


def huge_png() -> bytes:
    """The head of a PNG of 100 megapixels, and nothing more."""
    header = struct.pack(">IIBBBBB", 10_000, 10_000, 8, 2, 0, 0, 0)
    body = b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


def animation() -> bytes:
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("text", "errorType"),
        ("empty", "errorType"),
        ("cut short", "errorBroken"),
        ("cut short png", "errorBroken"),
        ("animation", "errorType"),
        ("too large", "errorLargeHere"),
    ],
)
def test_bad_files_are_refused_in_words(engine: Engine, name: str, key: str) -> None:
    data = EXAMPLE.read_bytes()
    files = {
        "text": b"This is no picture.",
        "empty": b"",
        "cut short": data[: len(data) // 2],
        "cut short png": bytes_of(pixels_of(data))[:50_000],
        "animation": animation(),
        "too large": huge_png(),
    }
    assert engine.find(files[name])["trouble"]["key"] == key


def test_no_face_changes_nothing(engine: Engine) -> None:
    data = bytes_of(np.full((64, 64, 3), 128, np.uint8), "WEBP", lossless=True)
    found = engine.find(data, "grey.webp")
    assert (found["width"], found["height"], found["faces"]) == (64, 64, [])
    assert engine.remove([])["photo"] == data


def test_a_session_asks_for_the_pages_own_files_only_and_works_without_a_net(chromium: Any, site: Path) -> None:
    space = WebSpace(site, isolated=False)
    context = chromium.new_context(viewport={"width": 390, "height": 844}, locale="en-GB")
    try:
        page, asked, faults = context.new_page(), [], []
        page.set_default_timeout(240_000)
        page.on("request", lambda request: asked.append((request.method, request.url)))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(space.url)
        page.locator("html[data-offline]").wait_for(state="attached")
        space.stop()
        page.reload()
        page.locator("html[data-ready]").wait_for(state="attached")
        assert page.evaluate("crossOriginIsolated")  # The service worker says so where the web space does not.
        give(page, ("astronaut.jpg", EXAMPLE.read_bytes()))
        page.locator("#work").wait_for()
        wait_until_done(page)
        assert page.locator("#headline").inner_text() == "1 face mask is gone."
        assert page.locator("#download").get_attribute("download") == "astronaut-demasked.jpg"
        assert re.search(r"with \d threads?\.$", page.locator("#meter").inner_text())
        assert "never leaves" in page.locator("#privacy-title").text_content()
        strange = [url for _, url in asked if not url.startswith((space.url, f"blob:{space.url}", "data:"))]
        assert strange == []
        assert {method for method, _ in asked} == {"GET"}
        assert faults == []
    finally:
        context.close()
        space.stop()
