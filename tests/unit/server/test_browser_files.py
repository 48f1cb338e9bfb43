"""What the browser engine is given: its figures, the networks, onnxruntime-web by its checksums."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from demask.errors import OutputExists, UsageError, WeightsError
from demask.geometry import FRAME_PX
from demask.server import static_page, web_runtime
from demask.server.browser_files import NETWORKS, PAGE_FOLDER, browser_figures, browser_files
from demask.server.web_runtime import BUILDS, LOCK_FOLDER, VERSION, WebRuntime, find_runtime

FIGURE = re.compile(r"\b(?:figures|own)\.(\w+)(?:\.(\w+))?")


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WebRuntime:
    """Small files in the runtime's place, with checksums that fit."""
    folder = tmp_path / "runtime"
    folder.mkdir()
    sums = {}
    for build in BUILDS.values():
        for name in build.values():
            (folder / name).write_bytes(name.encode())
            sums[name] = hashlib.sha256(name.encode()).hexdigest()
    monkeypatch.setattr(web_runtime, "checksums", lambda: sums)
    return WebRuntime(folder=folder)


def test_the_engine_asks_for_no_figure_that_python_does_not_tell() -> None:
    figures = json.loads(json.dumps(browser_figures()))
    parts = {f"{name}.js": name for name in ("colours", "tone", "grain", "painted")} | {
        "judge.js": "running_on"
    }
    asked = 0
    for path in sorted((PAGE_FOLDER / "engine").glob("*.js")):
        code = re.sub(r'/\*\*.*?\*/|//[^\n]*|"[^"\n]*"', "", path.read_text("utf-8"), flags=re.S)
        for first, second in FIGURE.findall(code):
            if first in ("runtime", "networks"):  # Told by `browser_files`.
                continue
            part = figures[parts[path.name]] if first not in figures and path.name in parts else figures
            assert first in part, (path.name, first)
            if second and isinstance(part[first], dict):
                assert second in part[first], (path.name, first, second)
            asked += 1
    assert asked > 60


def test_regions_and_points_are_those_of_the_frame() -> None:
    figures = browser_figures()
    assert figures["frame"]["px"] == FRAME_PX
    assert {(region["width"], region["height"]) for region in figures["regions"].values()} == {
        (FRAME_PX, FRAME_PX)
    }
    assert 'Iptc4xmpExt:DigitalSourceType="http' in figures["label"]["packet"]


def test_every_network_is_told_with_its_checksum(runtime: WebRuntime) -> None:
    files = browser_files(runtime, engines=("browser",))
    told = json.loads(files.read("engine/figures.json"))
    for name in NETWORKS:
        data = files.read(f"networks/{told['networks'][name]['file']}")
        assert len(data) == told["networks"][name]["bytes"]
        assert hashlib.sha256(data).hexdigest() == told["networks"][name]["sha256"]
    assert json.loads(files.read("engines.json")) == {"engines": ["browser"], "offline": False}


def test_the_page_is_written_whole_or_not_at_all(runtime: WebRuntime, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    written = static_page.write_page(folder, runtime)
    html = (folder / "index.html").read_text("utf-8")
    assert "Content-Security-Policy" in html
    assert set(re.findall(r'(?:href|src)="([^#"][^":]*)"', html)) <= {path.name for path in folder.iterdir()}
    assert "http://" not in html.replace("http://www.w3.org/2000/svg", "")
    assert written.num_files == len([path for path in folder.rglob("*") if path.is_file()])
    script = (folder / "service_worker.js").read_text("utf-8")
    kept = json.loads(re.search(r"^const FILES = (.*);$", script, re.M)[1])  # type: ignore[index]
    assert all((folder / name).exists() for name in kept)
    assert "engine/worker.js" in kept
    with pytest.raises(OutputExists, match="name a folder that is not there"):
        static_page.write_page(folder, runtime)


def test_the_runtime_is_taken_by_its_checksums_only(runtime: WebRuntime) -> None:
    assert find_runtime(runtime.folder).folder == runtime.folder
    damaged = runtime.folder / BUILDS["wasm"]["binary"]
    damaged.write_bytes(b"other")
    with pytest.raises(WeightsError, match=r"its sha256 is .* install the version of the lock file"):
        find_runtime(runtime.folder)
    damaged.unlink()
    with pytest.raises(UsageError, match="run `demask page --fetch`"):
        find_runtime(runtime.folder)


def test_the_lock_file_pins_by_hash_and_names_no_address() -> None:
    lock = json.loads((LOCK_FOLDER / "package-lock.json").read_text("utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages["node_modules/onnxruntime-web"]["version"] == VERSION
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    assert not any("resolved" in entry for entry in packages.values())
    assert web_runtime.checksums().keys() == {name for build in BUILDS.values() for name in build.values()}
