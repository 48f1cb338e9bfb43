"""What the page says when something is wrong; real servers with small limits and tiny networks."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from browsing import PATIENCE_MS, WATCH_FORMS, Serve, Served, bytes_of, give, sent_forms, wait_until_done
from tiny_networks import GREEN, make_photo

sync_api = pytest.importorskip("playwright.sync_api")
httpx = pytest.importorskip("httpx")

KEY = "a-key-for-this-test-only"
MASKED = ("masked.png", bytes_of(make_photo()))


@pytest.fixture(scope="module")
def strict(serve: Serve, tiny_weights: Path) -> Served:
    """Takes 1 MiB of uploads in all, and a fifth of a megapixel."""
    limits = ("--max-body-mb", "1", "--max-held-mb", "1", "--max-megapixels", "0.2")
    return serve("--workers", "1", *limits, DEMASK_WEIGHTS=str(tiny_weights))


@pytest.fixture
def page(chromium) -> Any:
    context = chromium.new_context(locale="en-GB")
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


def problem(page: Any, text: str) -> None:
    sync_api.expect(page.get_by_role("alert")).to_contain_text(text)


def test_what_cannot_be_used(page: Any, strict: Served) -> None:
    page.goto(strict.url)
    give(page, ("notes.txt", b"no picture"))
    problem(page, "This is not a photo that can be used.")
    sync_api.expect(page.locator("#start")).to_be_visible()
    # Names lie: the server looks at the bytes.
    give(page, ("notes.jpg", b"no picture"))
    problem(page, "This is not a photo that can be used.")
    give(page, ("short.png", MASKED[1][:-3000]))
    problem(page, "This picture cannot be read.")
    give(page, ("pixels.png", bytes_of(make_photo(size=(600, 500)))))
    problem(page, "This photo is too large. The server takes no files or pictures of this size.")
    problem(page, "At most 0.2 megapixels.")
    noise = np.random.default_rng(1).integers(0, 255, (700, 700, 3), dtype=np.uint8)
    give(page, ("bytes.png", bytes_of(noise)))
    problem(page, "At most 1 MB.")
    give(page, MASKED)
    wait_until_done(page)
    sync_api.expect(page.get_by_role("alert")).to_be_hidden()
    sync_api.expect(page.locator("#headline")).to_have_text("1 face mask is gone.")


def test_nothing_to_do(page: Any, strict: Served) -> None:
    page.goto(strict.url)
    give(page, ("nobody.png", bytes_of(make_photo(None))))
    wait_until_done(page)
    sync_api.expect(page.locator("#headline")).to_have_text("No face found.")
    sync_api.expect(page.locator("#save")).to_be_hidden()
    give(page, ("bare.png", bytes_of(make_photo(GREEN))))
    wait_until_done(page)
    sync_api.expect(page.locator("#headline")).to_have_text("Nothing to remove.")
    sync_api.expect(page.locator("#faces")).to_contain_text("No face mask seen")
    # A face mask that was missed can be painted all the same.
    page.get_by_role("radio", name="Paint by hand").check()
    box = page.locator("#layers").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.55)
    page.locator("#tools .run").click()
    wait_until_done(page)
    sync_api.expect(page.locator("#headline")).to_have_text("1 face mask is gone.")


def test_a_busy_server_is_asked_again(page: Any, strict: Served) -> None:
    page.goto(strict.url)
    with socket.create_connection(("127.0.0.1", strict.port)) as other:
        # Someone else's upload holds nearly all the memory that uploads may have, and stops half way.
        head = (
            f"POST /v1/find HTTP/1.1\r\nHost: 127.0.0.1:{strict.port}\r\nContent-Length: 1000000\r\n"
            "Content-Type: multipart/form-data; boundary=line\r\n\r\n--line\r\n"
            'Content-Disposition: form-data; name="photo"\r\n\r\n'
        )
        other.sendall(head.encode() + bytes(990_000))
        time.sleep(0.5)
        give(page, MASKED)
        sync_api.expect(page.locator("#progress-text")).to_contain_text("The server is busy.")
        page.get_by_role("button", name="Cancel").click()
        # What a person wanted is no error.
        sync_api.expect(page.locator("#headline")).to_have_text("Cancelled.")
        sync_api.expect(page.get_by_role("alert")).to_be_hidden()
        page.get_by_role("button", name="Try again").click()
        sync_api.expect(page.locator("#progress-text")).to_contain_text("The server is busy.")
    sync_api.expect(page.locator("#headline")).to_have_text("1 face mask is gone.")


def test_a_server_that_is_gone_and_comes_back(page: Any, serve: Serve, tiny_weights: Path) -> None:
    server = serve("--workers", "1", DEMASK_WEIGHTS=str(tiny_weights))
    page.goto(server.url)
    server.stop()
    give(page, MASKED)
    problem(page, "The server cannot be reached.")
    serve("--workers", "1", "--port", str(server.port), DEMASK_WEIGHTS=str(tiny_weights))
    page.get_by_role("button", name="Try again").click()
    sync_api.expect(page.locator("#headline")).to_have_text("1 face mask is gone.")


def correct_and_run(page: Any) -> list[dict[str, bytes]]:
    """Correct the hole twice; the forms that this sent."""
    before = len(sent_forms(page))
    for place in (0.45, 0.55):
        page.get_by_role("radio", name="Paint by hand").check()
        box = page.locator("#layers").bounding_box()
        page.mouse.click(box["x"] + box["width"] * place, box["y"] + box["height"] * 0.55)
        page.locator("#tools .run").click()
        wait_until_done(page)
        sync_api.expect(page.locator("#headline")).to_have_text("1 face mask is gone.")
    return sent_forms(page)[before:]


def test_a_photo_that_the_server_has_forgotten_is_sent_again(page: Any, strict: Served) -> None:
    page.add_init_script(WATCH_FORMS)
    page.goto(strict.url)
    give(page, MASKED)
    wait_until_done(page)
    kept = sent_forms(page)[-1]["kept"]
    httpx.post(f"{strict.url}/v1/forget", files={"kept": (None, kept)}, timeout=60)
    forms = correct_and_run(page)
    # Refused, sent once more, and then both corrections by the new token.
    assert [sorted(form) for form in forms] == [
        ["faces", "hole", "kept"],
        ["photo"],
        ["faces", "hole", "kept"],
        ["faces", "hole", "kept"],
    ]
    assert forms[1]["photo"] == MASKED[1]
    assert forms[0]["kept"] == kept != forms[2]["kept"] == forms[3]["kept"]


def test_where_the_server_keeps_nothing_the_photo_goes_along(
    page: Any, serve: Serve, tiny_weights: Path
) -> None:
    server = serve("--workers", "1", "--keep-s", "0", DEMASK_WEIGHTS=str(tiny_weights))
    page.add_init_script(WATCH_FORMS)
    page.goto(server.url)
    give(page, MASKED)
    wait_until_done(page)
    # What was found goes along too, so it is not looked for again.
    assert [sorted(form) for form in correct_and_run(page)] == [["faces", "found", "hole", "photo"]] * 2


def test_a_key_is_asked_for_and_kept_in_the_tab(page: Any, serve: Serve, tiny_weights: Path) -> None:
    server = serve("--workers", "1", DEMASK_WEIGHTS=str(tiny_weights), DEMASK_KEY=KEY)
    page.goto(server.url)
    give(page, MASKED)
    dialog = page.get_by_role("dialog", name="This server asks for a key")
    dialog.get_by_label("API key").fill("not-the-right-key")
    page.keyboard.press("Enter")
    sync_api.expect(dialog).to_contain_text("That key was not accepted.")
    dialog.get_by_role("button", name="Cancel").click()
    problem(page, "A key is needed.")
    page.get_by_role("button", name="Try again").click()
    dialog.get_by_label("API key").fill(KEY)
    dialog.get_by_role("button", name="Use this key").click()
    sync_api.expect(page.locator("#headline")).to_have_text("1 face mask is gone.")
    assert page.evaluate("Object.values(sessionStorage)") == [KEY]
    assert KEY not in page.evaluate("JSON.stringify(Object.values(localStorage)) + document.cookie + location")
