"""What a person does where the networks are wrong, and what the page looks like while they do it."""

from __future__ import annotations

import io
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
    pixels_of,
    uploads,
    wait_until_done,
)
from tiny_networks import GREEN, make_photo

sync_api = pytest.importorskip("playwright.sync_api")

MASKED = ("masked.png", bytes_of(make_photo()))
BARE = ("bare.png", bytes_of(make_photo(GREEN)))
NOBODY = ("nobody.png", bytes_of(make_photo(None)))

OpenPage = Callable[..., Any]


@pytest.fixture(scope="module")
def server(serve: Serve, tiny_weights: Path) -> Served:
    return serve("--workers", "1", DEMASK_WEIGHTS=str(tiny_weights))


@pytest.fixture
def open_page(chromium, server: Served) -> Iterator[OpenPage]:
    contexts, faults = [], []

    def open(width: int = 1440, height: int = 900, *, locale: str = "en-GB") -> Any:
        small = min(width, height) < 500
        context = chromium.new_context(
            viewport={"width": width, "height": height}, locale=locale, is_mobile=small, has_touch=small
        )
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.add_init_script(WATCH_FORMS)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(server.url)
        return page

    yield open
    for context in contexts:
        context.close()
    assert faults == []


def opened(page: Any, *photos: tuple[str, bytes]) -> Any:
    give(page, *photos)
    wait_until_done(page)
    return page


def paint(page: Any, *points: tuple[float, float]) -> None:
    """A stroke of the mouse through points of the photo, in parts of its size."""
    page.mouse.move(*on_stage(page, *points[0]))
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*on_stage(page, *point), steps=6)
    page.mouse.up()


def expect_words(page: Any, headline: str, subline: str = "") -> None:
    sync_api.expect(page.locator("#headline")).to_have_text(headline)
    sync_api.expect(page.locator("#subline")).to_contain_text(subline)


def saved(page: Any) -> bytes:
    with page.expect_download() as caught:
        page.click("#download")
    return Path(caught.value.path()).read_bytes()


def test_where_no_face_is_found_a_face_mask_can_be_painted(open_page: OpenPage) -> None:
    page = opened(open_page(), NOBODY)
    expect_words(page, "No face found.", "Paint over the face mask")
    # The brush is at hand, and so is what draws.
    sync_api.expect(page.locator("#tools")).to_be_in_viewport(ratio=1)
    paint(page, (0.4, 0.55), (0.6, 0.55))
    page.get_by_role("button", name="Draw", exact=True).click()
    expect_words(page, "1 face mask is gone.")
    form = last_form(page)
    assert form["faces"] == b"none"
    hole = hole_of(form["hole"])
    before, after = pixels_of(NOBODY[1]), pixels_of(saved(page))
    assert np.array_equal(before[~hole], after[~hole])
    assert (before[hole] != after[hole]).any(axis=1).mean() > 0.5


def test_a_bare_face_that_is_switched_on_asks_for_paint(open_page: OpenPage) -> None:
    page = opened(open_page(), BARE)
    sync_api.expect(page.locator("#faces")).to_contain_text("No face mask seen")
    page.locator("#faces input").click()
    sync_api.expect(page.locator("#faces")).to_contain_text("Paint over its face mask")
    expect_words(page, "Nothing to remove.", "No face mask was seen on face 1. Paint over it")
    sync_api.expect(page.locator("#tools")).to_be_visible()
    page.locator("#tools .run").click()
    sync_api.expect(page.get_by_role("alert")).to_contain_text("Nothing is painted.")
    paint(page, (0.45, 0.55), (0.55, 0.55))
    page.locator("#tools .run").click()
    expect_words(page, "1 face mask is gone.")
    assert last_form(page)["faces"] == b"0"


def test_with_all_faces_off_the_photo_is_as_it_was(open_page: OpenPage) -> None:
    page = opened(open_page(), MASKED)
    sync_api.expect(page.locator("#faces")).not_to_contain_text("%")
    page.locator("#faces input").click()
    page.locator("#run-faces").click()
    expect_words(page, "Every face is switched off.", "The photo is as it was.")
    sync_api.expect(page.locator("#save")).to_be_hidden()
    sync_api.expect(page.get_by_role("alert")).to_be_hidden()
    page.locator("#faces input").click()
    page.locator("#run-faces").click()
    expect_words(page, "1 face mask is gone.")


def test_the_whole_result_is_shown_and_the_photo_before_while_a_button_is_held(open_page: OpenPage) -> None:
    page = opened(open_page(), MASKED)
    line = page.locator("#split")
    assert line.get_attribute("aria-valuenow") == "0"
    after = pixels_of(page.locator("#layers").screenshot()).astype(int)
    hold = page.get_by_role("button", name="Hold: before")
    hold.focus()
    page.keyboard.down(" ")
    before = pixels_of(page.locator("#layers").screenshot()).astype(int)
    page.keyboard.up(" ")
    assert hold.get_attribute("aria-pressed") == "false"
    middle = tuple(slice(size * 4 // 10, size * 6 // 10) for size in before.shape[:2])
    assert before[middle][..., 2].mean() > after[middle][..., 2].mean() + 40  # Blue, and no longer.


def test_several_photos_are_done_one_after_the_other(open_page: OpenPage) -> None:
    page = opened(open_page(), MASKED, BARE, NOBODY)
    sync_api.expect(page.locator("#waiting")).to_contain_text("2 more photos wait.")
    page.get_by_role("button", name="Next photo").click()
    expect_words(page, "Nothing to remove.")
    wait_until_done(page)
    page.get_by_role("button", name="Next photo").click()
    expect_words(page, "No face found.")
    sync_api.expect(page.locator("#waiting")).to_be_hidden()
    assert uploads(page) == [MASKED[1], BARE[1], NOBODY[1]]


@pytest.mark.parametrize("orientation", [None, 1, 5])
def test_a_photo_is_turned_without_a_loss(open_page: OpenPage, orientation: int | None) -> None:
    photo, exif = make_photo(size=(240, 400)), Image.Exif()
    exif[0x010E] = "a description"
    if orientation:
        exif[0x0112] = orientation
    data = bytes_of(photo, "JPEG", quality=90, **({"exif": exif} if orientation else {}))
    page = opened(open_page(), ("photo.jpg", data))
    for times in range(1, 5):
        page.get_by_role("button", name="Turn").click()
        page.wait_for_function(
            "count => window.forms.filter((form) => form.has('photo')).length > count", arg=times
        )
        wait_until_done(page)
    *_, first, _, _, last = uploads(page)
    wanted = {None: (6, 1), 1: (6, 1), 5: (2, 5)}[orientation]
    for turned, value in zip((first, last), wanted, strict=True):
        with Image.open(io.BytesIO(turned)) as image, Image.open(io.BytesIO(data)) as original:
            assert np.array_equal(np.asarray(image), np.asarray(original))
            assert image.getexif()[0x0112] == value
            assert image.getexif().get(0x010E) == ("a description" if orientation else None)


def test_a_png_is_turned_pixel_by_pixel(open_page: OpenPage) -> None:
    page = opened(open_page(), MASKED)
    page.get_by_role("button", name="Turn").click()
    # Not `wait_for_function`: that one calls eval, which the page's policy forbids.
    for _ in range(200):
        if page.evaluate("window.forms.filter((form) => form.has('photo')).length > 1"):
            break
        page.wait_for_timeout(100)
    wait_until_done(page)
    assert np.array_equal(pixels_of(uploads(page)[-1]), np.rot90(pixels_of(MASKED[1]), -1))


def test_half_a_file_leaves_no_ruin(open_page: OpenPage) -> None:
    page = open_page(locale="de-DE")
    give(page, ("kurz.png", MASKED[1][:-3000]))
    alert = page.get_by_role("alert")
    sync_api.expect(alert).to_contain_text("Dieses Bild lässt sich nicht lesen.")
    sync_api.expect(page.locator("#start")).to_be_visible()
    sync_api.expect(page.locator("#stage")).to_be_hidden()
    sync_api.expect(page.get_by_role("button", name="Größer")).to_be_hidden()
    # What the server says is English, and folded away.
    assert "picture" not in alert.inner_text()
    page.get_by_text("Einzelheiten").click()
    assert "picture" in alert.inner_text()


@pytest.mark.parametrize(("width", "height"), [(390, 844), (844, 390), (1440, 900)])
@pytest.mark.parametrize("shape", [(300, 600), (600, 300)])
def test_the_photo_and_the_brush_are_in_sight(
    open_page: OpenPage, width: int, height: int, shape: tuple[int, int]
) -> None:
    page = opened(open_page(width, height), ("photo.png", bytes_of(make_photo(size=shape))))
    assert page.evaluate("Math.max(document.documentElement.scrollWidth, visualViewport.width)") <= width
    for button in page.locator("button:visible").all():
        box = button.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    stage, layers = page.locator("#stage").bounding_box(), page.locator("#layers").bounding_box()
    assert layers["height"] - 1 <= stage["height"] <= height
    if height < 500:
        sync_api.expect(page.locator("#stage")).to_be_in_viewport(ratio=1)
    page.locator("#modes input[value=hole]").check()
    sync_api.expect(page.locator("#tools input[value=add]")).to_be_in_viewport()
    if width > 500:
        sync_api.expect(page.locator("#stage")).to_be_in_viewport(ratio=0.95)
    # Nothing lies over the photo but what belongs to it.
    assert page.locator(".frame .zoom").count() == 0
