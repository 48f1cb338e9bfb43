"""The page in a real Chromium, on a real server with the shipped networks."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from browsing import (
    PATIENCE_MS,
    WATCH_FORMS,
    Serve,
    Served,
    bytes_of,
    give,
    hole_of,
    last_form,
    on_stage,
    photo_of,
    pixels_of,
    uploads,
    wait_until_done,
)

sync_api = pytest.importorskip("playwright.sync_api")
httpx = pytest.importorskip("httpx")

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "examples" / "astronaut-covered.jpg"
SCREENS = {"phone": (390, 844), "desktop": (1280, 860)}

OpenPage = Callable[..., Any]


@pytest.fixture(scope="module")
def server(serve: Serve) -> Served:
    return serve("--workers", "1")


@pytest.fixture
def open_page(chromium, server: Served) -> Iterator[OpenPage]:
    """Open the page; in the end no script may have failed and nothing foreign been asked for."""
    contexts, faults = [], []

    def open(size: str = "desktop", *, url: str = server.url, locale: str = "en-GB", **options: Any) -> Any:
        width, height = SCREENS[size]
        small = size == "phone"
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            locale=locale,
            is_mobile=small,
            has_touch=small,
            **options,
        )
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(WATCH_FORMS)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: message.type == "error" and faults.append(message.text))
        page.on("request", lambda request: _is_own(request.url, url) or faults.append(request.url))
        page.goto(url)
        return page

    yield open
    for context in contexts:
        context.close()
    assert faults == []


def _is_own(url: str, own: str) -> bool:
    return url.startswith((f"{own}/", "blob:", "data:"))


@pytest.fixture(scope="module")
def masked() -> tuple[str, bytes]:
    """A real masked photograph where there is one, else the example with its drawn face mask."""
    folder = Path(os.environ.get("DEMASK_DATA", REPOSITORY.parent / "shared" / "data")) / "real_masked"
    path = next((path for path in sorted(folder.glob("*.jpg")) if _is_large(path)), EXAMPLE)
    return path.name, path.read_bytes()


def _is_large(path: Path) -> bool:
    with Image.open(path) as image:
        return min(image.size) >= 700


def restore(page: Any, act: Callable[[], object]) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Do something that makes the page send a photo; what it sent and what came back."""
    with page.expect_response(lambda response: "/v1/remove" in response.url) as caught:
        act()
    answer = caught.value.json()
    wait_until_done(page)
    return last_form(page), answer


def find(server: Served, data: bytes) -> dict[str, Any]:
    answer = httpx.post(f"{server.url}/v1/find", params={"hole": "true"}, files={"photo": data}, timeout=60)
    return dict(answer.json())


def found_hole(server: Served, data: bytes) -> Any:
    import base64

    return hole_of(base64.b64decode(find(server, data)["hole"]))


def saved(page: Any) -> tuple[str, bytes]:
    """Click on download; the file's name and bytes."""
    with page.expect_download() as caught:
        page.click("#download")
    return caught.value.suggested_filename, Path(caught.value.path()).read_bytes()


def paint(page: Any, *points: tuple[float, float]) -> None:
    """A stroke of the mouse through points of the photo, in parts of its size."""
    page.mouse.move(*on_stage(page, *points[0]))
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*on_stage(page, *point), steps=4)
    page.mouse.up()


def test_the_whole_story(open_page: OpenPage, server: Served, masked: tuple[str, bytes]) -> None:
    page = open_page()
    name, data = masked
    fields, answer = restore(page, lambda: give(page, masked, where="#drop"))
    assert uploads(page) == [data]
    assert answer["status"] == "restored"
    sync_api.expect(page.locator("#notice")).to_be_in_viewport()
    sync_api.expect(page.locator("#save")).to_be_in_viewport()

    # The first result is what the API gives to anyone, byte for byte.
    plain = httpx.post(f"{server.url}/v1/remove", files={"photo": data}, timeout=60)
    file_name, first = saved(page)
    assert file_name == f"{Path(name).stem}-demasked.jpg"
    assert first == photo_of(answer) == plain.content

    # The line: all of the photo before, then all of the photo after.
    line = page.locator("#split")
    line.focus()
    page.keyboard.press("End")
    assert line.get_attribute("aria-valuenow") == "100"
    before = pixels_of(page.locator("#layers").screenshot()).astype(int)
    page.keyboard.press("Home")
    after = pixels_of(page.locator("#layers").screenshot()).astype(int)
    x0, y0, x1, y1 = answer["faces"][0]["box"]
    scale = before.shape[1] / answer["width"]
    lower = (slice(int((y0 + y1) / 2 * scale), int(y1 * scale)), slice(int(x0 * scale), int(x1 * scale)))
    assert np.abs(before[lower] - after[lower]).mean() > 8
    page.keyboard.press("PageUp")
    page.keyboard.press("ArrowRight")
    assert line.get_attribute("aria-valuenow") == "12"
    page.mouse.move(*_middle(line))
    page.mouse.down()
    page.mouse.move(*on_stage(page, 0.75, 0.5), steps=5)
    page.mouse.up()
    assert line.get_attribute("aria-valuenow") == "75"

    # Correct the hole: a stroke over the brow of the largest face, then run again.
    page.get_by_role("radio", name="Paint by hand").check()
    brow = ((x0 + x1) / 2 / answer["width"], (y0 + (y1 - y0) * 0.12) / answer["height"])
    paint(page, brow, (brow[0] + 0.01, brow[1]))
    fields, again = restore(page, lambda: page.locator("#tools .run").click())
    hole, found = hole_of(fields["hole"]), found_hole(server, data)
    assert hole.shape == (answer["height"], answer["width"])
    assert hole[round(brow[1] * answer["height"]), round(brow[0] * answer["width"])]
    assert np.array_equal(hole & found, found)
    assert again["status"] == "restored"

    second_name, second = saved(page)
    assert second_name == file_name
    assert second == photo_of(again) != first
    files = {"photo": data, "hole": fields["hole"]}
    same = httpx.post(
        f"{server.url}/v1/remove", files=files, data={"faces": fields["faces"].decode()}, timeout=60
    )
    assert second == same.content


def searches(server: Served) -> float:
    """How often the server has looked for faces and for holes."""
    lines = httpx.get(f"{server.url}/metrics", timeout=60).text.splitlines()
    counted = [
        float(line.rsplit(" ", 1)[1])
        for line in lines
        for stage in ("find", "hole")
        if line.startswith(f'demask_stage_seconds_count{{stage="{stage}"}}')
    ]
    return sum(counted)


def test_one_upload_and_one_search_however_often_the_hole_is_corrected(
    open_page: OpenPage, server: Served
) -> None:
    page = open_page()
    data, before = EXAMPLE.read_bytes(), searches(server)
    _, answer = restore(page, lambda: give(page, ("a.jpg", data)))
    x0, y0, x1, y1 = answer["faces"][0]["box"]
    results = {photo_of(answer)}
    for times in range(1, 4):
        page.get_by_role("radio", name="Paint by hand").check()
        place = ((x0 + times * (x1 - x0) / 4) / answer["width"], (y0 + (y1 - y0) * 0.12) / answer["height"])
        paint(page, place, (place[0] + 0.01, place[1]))
        fields, answer = restore(page, lambda: page.locator("#tools .run").click())
        assert {"kept", "hole", "faces"} == fields.keys()
        results.add(photo_of(answer))
    assert len(results) == 4
    assert uploads(page) == [data]
    assert searches(server) - before == 2  # Once for faces, once for holes.
    kept = fields["kept"].decode()
    page.goto("about:blank")
    for _ in range(100):
        gone = httpx.post(f"{server.url}/v1/remove", files={"kept": (None, kept)}, timeout=60)
        if gone.status_code == 410:
            break
        page.wait_for_timeout(50)
    assert gone.json()["error"]["code"] == "not_kept"


def _middle(locator: Any) -> tuple[float, float]:
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_keyboard_alone(open_page: OpenPage, server: Served) -> None:
    page = open_page()
    data = EXAMPLE.read_bytes()
    restore(page, lambda: page.set_input_files("#file", EXAMPLE))
    assert _focused(page) == "headline"
    sync_api.expect(page.locator("#live")).to_contain_text("The face is invented.")

    _tab_to(page, "#modes input")
    page.keyboard.press("ArrowRight")
    _tab_to(page, "#stage")
    page.keyboard.press("e")
    sync_api.expect(page.locator("#live")).to_have_text("Brush erases.")
    page.keyboard.press("e")
    # From the middle of the photo up to the face: a quarter of the height away.
    size = page.evaluate("document.querySelector('#size').getAttribute('aria-valuetext')")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press(" ")
    for _ in range(60):
        page.keyboard.press("ArrowUp")
    page.keyboard.press(" ")
    page.keyboard.press("ArrowLeft")
    sync_api.expect(page.locator("#live")).to_have_text("51 % across, 7 % down, painted.", use_inner_text=False)
    page.keyboard.press("]")
    assert page.evaluate("document.querySelector('#size').getAttribute('aria-valuetext')") != size
    _tab_to(page, "#tools .run", back=True)
    fields, answer = restore(page, lambda: page.keyboard.press("Enter"))
    hole, found = hole_of(fields["hole"]), found_hole(server, data)
    assert hole[: hole.shape[0] // 2].sum() > found[: hole.shape[0] // 2].sum() + 1000
    assert answer["status"] == "restored"
    assert _focused(page) == "headline"

    # Undo and redo, also by keyboard, back to what was found: then no hole is sent at all.
    _tab_to(page, "#modes input")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Control+z")
    sync_api.expect(page.locator("#undo")).to_be_disabled()
    _tab_to(page, "#tools .run")
    fields, _ = restore(page, lambda: page.keyboard.press(" "))
    assert "hole" not in fields


def _focused(page: Any) -> str:
    return str(page.evaluate("document.activeElement.id"))


def _tab_to(page: Any, selector: str, *, back: bool = False) -> None:
    for _ in range(40):
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
        page.keyboard.press("Shift+Tab" if back else "Tab")
    raise AssertionError(f"Tab does not lead to {selector}")


def test_a_face_switched_off_stays_as_it_was(open_page: OpenPage) -> None:
    page = open_page()
    one = pixels_of(EXAMPLE.read_bytes())[:260, 110:350]
    height, width = one.shape[:2]
    _, answer = restore(page, lambda: give(page, ("two.png", bytes_of(np.hstack([one, one])))))
    switches = page.locator("#faces input")
    assert switches.count() == 2
    x0, y0, x1, _ = min(answer["faces"], key=lambda face: face["box"][0])["box"]
    brow = ((x0 + x1) / 2 / (2 * width), (y0 + 6) / height)
    right = next(face["index"] for face in answer["faces"] if face["box"][0] > width)
    # A stroke on the left face, so that a hole is sent; the face that is off must not be in it.
    page.get_by_role("radio", name="Paint by hand").check()
    paint(page, brow, (brow[0] + 0.01, brow[1]))
    switches.nth(right).click()
    fields, answer = restore(page, lambda: page.locator("#tools .run").click())
    assert fields["faces"] == str(1 - right).encode()
    assert not hole_of(fields["hole"])[:, width:].any()
    sync_api.expect(page.locator("#headline")).to_have_text("1 face mask is gone.")
    sync_api.expect(page.locator("#subline")).to_contain_text("1 face was left as it is.")
    name, data = saved(page)
    result = pixels_of(data)
    assert name == "two-demasked.png"
    assert np.array_equal(result[:, width:], one)
    assert not np.array_equal(result[:, :width], one)
    # Painting over the face that is off switches it on.
    page.get_by_role("radio", name="Paint by hand").check()
    paint(page, (brow[0] + 0.5, brow[1]), (brow[0] + 0.51, brow[1]))
    sync_api.expect(switches.nth(right)).to_be_checked()


def test_erasing_the_whole_hole_leaves_nothing_to_do(open_page: OpenPage) -> None:
    page = open_page()
    _, answer = restore(page, lambda: give(page, ("a.jpg", EXAMPLE.read_bytes())))
    page.get_by_role("radio", name="Paint by hand").check()
    page.get_by_role("radio", name="Erase").check()
    page.locator("#size").fill("100")
    x0, y0, x1, y1 = answer["faces"][0]["box"]
    middle = ((x0 + x1) / 2 / answer["width"], (y0 + y1) / 2 / answer["height"])
    paint(page, middle, (middle[0] + 0.02, middle[1]))
    page.locator("#tools .run").click()
    sync_api.expect(page.locator("#problem")).to_contain_text("Nothing is painted.")
    page.get_by_role("button", name="Discard painting").click()
    fields, _ = restore(page, lambda: page.locator("#tools .run").click())
    assert "hole" not in fields


def test_a_rotated_photo_and_its_hole_stand_upright(open_page: OpenPage) -> None:
    page = open_page("phone")
    upright = np.pad(pixels_of(EXAMPLE.read_bytes()), ((0, 160), (0, 0), (0, 0)), mode="edge")
    exif = Image.Exif()
    exif[0x0112] = 6  # Turn right by 90 degrees to show.
    data = bytes_of(np.ascontiguousarray(np.rot90(upright)), "JPEG", quality=95, exif=exif)
    _, answer = restore(page, lambda: give(page, ("turned.jpg", data)))
    height, width = upright.shape[:2]
    assert (answer["width"], answer["height"]) == (width, height)
    shown = page.locator("#layers").bounding_box()
    assert shown["width"] / shown["height"] == pytest.approx(width / height, rel=0.02)
    page.get_by_role("radio", name="Paint by hand").check()
    x0, y0, x1, _ = answer["faces"][0]["box"]
    paint(page, ((x0 + x1) / 2 / width, (y0 + 6) / height), ((x0 + x1) / 2 / width + 0.01, (y0 + 6) / height))
    fields, _ = restore(page, lambda: page.locator("#tools .run").click())
    hole = hole_of(fields["hole"])
    assert hole.shape == (height, width)
    assert hole[round(y0 + 6), round((x0 + x1) / 2)]


def test_a_transparent_picture_stays_transparent(open_page: OpenPage) -> None:
    page = open_page()
    pixels = pixels_of(EXAMPLE.read_bytes())
    alpha = np.full(pixels.shape[:2], 255, np.uint8)
    alpha[:, :60] = 90
    restore(page, lambda: give(page, ("see-through.png", bytes_of(np.dstack([pixels, alpha]))), kind="paste"))
    name, data = saved(page)
    assert name == "see-through-demasked.png"
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(np.asarray(image.getchannel("A")), alpha)


def test_a_large_photo_gets_its_hole_at_full_size(open_page: OpenPage) -> None:
    page = open_page()
    with Image.open(EXAMPLE) as image:
        data = bytes_of(np.asarray(image.resize((4500, 4500))), "JPEG", quality=80)
    _, answer = restore(page, lambda: give(page, ("large.jpg", data)))
    page.get_by_role("radio", name="Paint by hand").check()
    for _ in range(4):
        page.get_by_role("button", name="Zoom in").click()
    shown = page.locator("#layers").bounding_box()
    stage = page.locator("#stage").bounding_box()
    assert shown["width"] > 4 * stage["height"]
    page.get_by_role("button", name="Show the whole photo").click()
    box = answer["faces"][0]["box"]
    brow = ((box[0] + box[2]) / 2 / 4500, (box[1] + 30) / 4500)
    paint(page, brow, (brow[0] + 0.004, brow[1]))
    fields, again = restore(page, lambda: page.locator("#tools .run").click())
    hole = hole_of(fields["hole"])
    assert hole.shape == (4500, 4500)
    assert hole[round(brow[1] * 4500), round(brow[0] * 4500)]
    assert again["status"] == "restored"


def test_the_camera(open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_role("button", name="Take a photo").click()
    while not page.evaluate("document.querySelector('#video').videoWidth"):
        page.wait_for_timeout(50)
    page.get_by_role("button", name="Take it").click()
    wait_until_done(page)
    # The browser's drawn camera shows nobody.
    sync_api.expect(page.locator("#headline")).to_have_text("No face found.")
    assert page.evaluate("document.querySelector('#video').srcObject") is None


def test_every_text_is_there_in_every_language(open_page: OpenPage) -> None:
    page = open_page(locale="de-DE")
    assert page.evaluate("document.documentElement.lang") == "de"
    kinds = page.evaluate(
        "import('/texts.js').then(({TEXTS}) => Object.fromEntries(Object.entries(TEXTS).map(([name, texts]) =>"
        " [name, Object.fromEntries(Object.entries(texts).map(([key, text]) =>"
        " [key, Array.isArray(text) ? `list ${text.length}` : typeof text]))])))"
    )
    assert kinds["en"] == kinds["de"] == kinds["fr"]
    english = page.evaluate("import('/texts.js').then(({TEXTS}) => TEXTS.en)")
    used = page.eval_on_selector_all(
        "[data-t], [data-t-label]",
        "all => all.flatMap(({dataset: {t, tLabel}}) => [t, tLabel]).filter(Boolean)",
    )
    assert set(used) <= set(kinds["en"])
    page.select_option("#language", "fr")
    page.reload()
    assert page.inner_text("h1") not in ("", english["title"])
    assert page.evaluate("document.documentElement.lang") == "fr"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_nobody_is_locked_out(
    open_page: OpenPage, tmp_path: Path, masked: tuple[str, bytes], size: str, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = open_page(size, color_scheme=scheme, locale="de-DE" if scheme == "dark" else "en-GB")
    folder = Path(os.environ.get("DEMASK_SCREENS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)

    def check(state: str) -> None:
        page.screenshot(path=folder / f"{size}-{scheme}-{state}.png", full_page=True)
        found = axe.Axe().run(page).response["violations"]
        assert [(fault["impact"], fault["id"], fault["nodes"][0]["html"]) for fault in found] == []
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0

    check("1-start")
    restore(page, lambda: give(page, masked))
    check("2-restored")
    page.locator("input[value=hole]").check()
    paint(page, (0.4, 0.7), (0.6, 0.7))
    check("3-hole")
    give(page, ("notes.txt", b"no picture"))
    check("4-wrong-type")
    give(page, ("nobody.png", bytes_of(np.full((300, 400, 3), 128, np.uint8))))
    wait_until_done(page)
    check("5-no-face")
