"""The benchmark's page in a real Chromium: phone and desktop, light and dark, sorted, filtered, printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from browsing import PATIENCE_MS
from demask.evaluation.benchmark.benchmark_plan import BenchmarkConfig
from demask.evaluation.benchmark.benchmark_run import run_benchmark
from demask.evaluation.benchmark.systems import parse_systems
from frozen_drawn import freeze_drawn

pytest.importorskip("playwright.sync_api")
pytestmark = pytest.mark.timeout(1800)

SCREENS = {"phone": (390, 844), "desktop": (1280, 860)}

OpenPage = Callable[..., Any]


@pytest.fixture(scope="module")
def out(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark of photographs of nobody."""
    folder = tmp_path_factory.mktemp("page")
    config = BenchmarkConfig(
        data=freeze_drawn(shards, folder / "set", per_slice=3),
        systems=parse_systems(["telea", "nothing", "mean-face"]),
        subset={"mean-face": 2},
    )
    run_benchmark(config, folder / "out")
    return folder / "out"


@pytest.fixture
def open_page(chromium, out: Path) -> Iterator[OpenPage]:
    """Open the page; in the end no script may have failed and nothing else been asked for."""
    contexts, faults = [], []

    def open(size: str = "desktop", *, scheme: str = "light", **options: Any) -> Any:
        width, height = SCREENS[size]
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, **options
        )
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page, address = context.new_page(), (out / "report.html").as_uri()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: message.type == "error" and faults.append(message.text))
        page.on("request", lambda asked: asked.url.startswith(("data:", address)) or faults.append(asked.url))
        page.goto(address)
        return page

    yield open
    for context in contexts:
        context.close()
    assert faults == []


def numbers(page: Any, column: int) -> list[float]:
    cells = page.locator(f"#figures tbody tr:visible td:nth-child({column + 1})")
    return [float(value) for value in cells.evaluate_all("cells => cells.map((cell) => cell.dataset.value)")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SCREENS))
def test_it_fits_shows_everything_and_locks_nobody_out(open_page: OpenPage, size: str, scheme: str) -> None:
    page = open_page(size, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == SCREENS[size][0]
    assert "The restored faces are invented" in page.locator(".note").inner_text()
    assert "mean-face ran on at most 2 pictures a slice" in page.locator("main").inner_text()
    widths = page.locator("img").evaluate_all("images => images.map((image) => image.naturalWidth)")
    assert len(widths) > 50
    assert set(widths) == {256, 200}  # Aligned crops, and portraits of another size.
    # Letters in plots stay readable: nothing is scaled down by more than a tenth.
    scales = page.locator(".plots svg").evaluate_all(
        "all => all.map((svg) => svg.getBoundingClientRect().width / svg.viewBox.baseVal.width)"
    )
    assert len(scales) >= 4  # More where the weights of LPIPS and identity are.
    assert min(scales) > 0.9
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page).response["violations"]
    assert found == [], [(fault["id"], [node["html"][:120] for node in fault["nodes"]][:3]) for fault in found]


def test_headings_sort_by_mouse_and_by_key(open_page: OpenPage) -> None:
    page = open_page()
    head = page.locator("#figures thead th", has_text="PSNR in hole")
    column = head.evaluate("head => head.cellIndex")
    page.locator("select[name=slice]").select_option("")
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    values = numbers(page, column)
    assert len(values) == 12
    assert values == sorted(values) != sorted(values, reverse=True)
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert numbers(page, column) == sorted(values, reverse=True)
    names = page.locator("#figures thead th", has_text="system")
    names.locator("button").press("Space")
    assert head.get_attribute("aria-sort") is None
    systems = page.locator("#figures tbody tr:visible th").all_inner_texts()
    assert systems == sorted(systems)


def test_hole_and_slice_choose_the_rows_of_all_tables(open_page: OpenPage) -> None:
    page = open_page()
    for table, systems in (("figures", 3), ("differences", 2), ("wins", 2)):
        assert page.locator(f"#{table} tbody tr:visible").count() == systems
    assert page.locator("#figures td.of-setting:visible").count() == 0
    page.locator("select[name=setting]").select_option("")
    page.locator("select[name=slice]").select_option("portrait")
    assert page.locator("#figures tbody tr:visible").count() == 2 * 3
    assert page.locator("#differences tbody tr:visible").count() == 2 * 2
    assert set(page.locator("#figures td.of-setting:visible").all_inner_texts()) == {"raw", "found"}


def test_paper_shows_every_row_and_no_controls(open_page: OpenPage) -> None:
    page = open_page(scheme="dark")
    rows = page.locator("#figures tbody tr")
    assert page.locator("#figures tbody tr:visible").count() < rows.count() == 2 * 4 * 3
    page.emulate_media(media="print")
    assert page.locator("#figures tbody tr:visible").count() == rows.count()
    assert not page.locator("nav").is_visible()
    assert not page.locator("form.filter").is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.set_viewport_size({"width": 1047, "height": 718})  # What an A4 sheet across leaves.
    assert page.evaluate("document.documentElement.scrollWidth") == 1047
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


def test_without_scripts_everything_is_there(open_page: OpenPage) -> None:
    page = open_page(java_script_enabled=False)
    assert page.locator("#figures tbody tr:visible").count() == 2 * 4 * 3
    assert not page.locator("form.filter").is_visible()


def test_a_page_to_pass_on_holds_no_picture(demask, out: Path, tmp_path: Path) -> None:
    frozen = out.parent / "set"
    arguments = ("--restorers", "telea,nothing", "--settings", "raw", "--slices", "seen", "-o", "shared")
    done = demask("benchmark", frozen, *arguments, "--no-pictures", patience_s=600)
    assert done.returncode == 0, done.stderr.decode()
    page = (tmp_path / "shared" / "report.html").read_text()
    assert "<img" not in page
    assert "base64" not in page
    assert not (tmp_path / "shared" / "pictures").exists()
