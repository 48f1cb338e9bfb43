"""Restorers of other packages: found, run, and survived where they are broken."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from demask.cli.completions import restorers as completed
from demask.errors import RestorerError, UsageError, WeightsError
from demask.evaluation.benchmark.systems import parse_systems
from demask.geometry import TIGHT, WIDE
from demask.remover import Remover
from demask.restorers import plugins
from demask.restorers.by_name import NAMES, BatchRestorer, describe, get_restorer
from demask.restorers.zoo_names import ZOO
from demask.types import Hole, ImageU8

ROOT = Path(__file__).parents[3]
HEAD = """
import numpy as np
from demask.errors import WeightsError
from demask.restorers.about import About
from demask.restorers.plugins import Plugin
def plugin(make, **more):
    return Plugin(about=About(name="it", version=3, what="Does it.", paper="no paper", **more), make=make)
"""


def install(
    folder: Path, package: str, code: str, *names: str, requires: str = "", version: str = "1.0"
) -> None:
    """Lay a package down as an installer does: a module, and metadata that name its restorers."""
    module = package.replace("-", "_")
    (folder / f"{module}.py").write_text(HEAD + code)
    info = folder / f"{module}-{version}.dist-info"
    info.mkdir()
    asked = f"Requires-Dist: {requires}\n" if requires else ""
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {package}\nVersion: {version}\n{asked}")
    lines = "".join(f"{name} = {module}:{name.replace('-', '_')}\n" for name in names)
    (info / "entry_points.txt").write_text(f"[{plugins.GROUP}]\n{lines}")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that Python looks into for packages."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def crop() -> tuple[ImageU8, Hole]:
    masked = np.random.default_rng(0).integers(1, 256, (256, 256, 3), dtype=np.uint8)
    hole = np.zeros((256, 256), bool)
    hole[120:220, 70:190] = True
    return masked, hole


def test_the_example_of_the_documents_is_installed_and_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By pip, as a stranger would, into a folder of its own; then on the command line."""
    page = (ROOT / "docs/restorers.md").read_text(encoding="utf-8")
    example, site = tmp_path / "example", tmp_path / "site"
    example.mkdir()
    for text in re.findall(r"^```\w+\n(.*?)^```\n", page, re.MULTILINE | re.DOTALL):
        if named := re.match(r"# (\S+\.(?:toml|py))\n", text):
            (example / named[1]).write_text(text)
    assert len(list(example.iterdir())) == 2
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(site), str(example)], check=True, capture_output=True)

    source = str(Path(plugins.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), source])}
    photo, output = ROOT / "examples/astronaut-covered.jpg", tmp_path / "out.png"
    command = [sys.executable, "-m", "demask"]
    done = subprocess.run(
        [*command, "remove", str(photo), "-o", str(output), "--restorer", "mosaic:8", "--json"],
        check=True, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert json.loads(done.stdout)["status"] == "restored"
    assert cv2.imread(str(output)) is not None
    done = subprocess.run([*command, "restorers"], check=True, capture_output=True, text=True, env=environment)
    assert re.search(r"^mosaic +Makes squares of it\. \(demask-mosaic 1\.0\)$", done.stdout, re.MULTILINE)


def test_one_name_everywhere(site: Path, crop: tuple[ImageU8, Hole]) -> None:
    code = """
class Grey:
    def __init__(self, context):
        self.level = int(context.argument or 128)
    def __call__(self, masked, hole):
        masked[:] = self.level
        return masked
    def batch(self, masked, hole):
        return self(masked, hole)
grey = plugin(Grey, windows=("tight", "wide"), licence="MIT", digest="f" * 64)
"""
    install(site, "greys", code, "grey")
    assert plugins.names() == ("grey",)
    assert "grey" in completed()
    assert "greys" not in sys.modules, "a list of names imports nothing"
    restorer = get_restorer("grey:9")
    masked, hole = crop
    before = masked.copy()
    assert (restorer(masked, hole) == 9).all()
    assert isinstance(restorer, BatchRestorer)
    assert restorer.batch(masked[None], hole[None]).shape == (1, 256, 256, 3)
    assert np.array_equal(masked, before), "a plug-in works on copies"
    assert restorer.windows == (TIGHT, WIDE)  # type: ignore[attr-defined]
    about = describe("grey")
    assert (about.name, about.package, about.licence) == ("grey", "greys 1.0", "MIT")
    (system,) = parse_systems(["grey:9"])
    assert (system.name, system.version) == ("grey", "3+greys 1.0+" + "f" * 16 + "+9")
    with Remover(restorer="grey", threads=1) as remover:
        assert (remover.restorer(masked, hole) == 128).all()


def test_start_up_looks_for_no_plug_in(site: Path) -> None:
    install(site, "greys", "raise SystemExit('imported')", "grey")
    code = (
        "import sys, demask; from demask.restorers.by_name import get_restorer; get_restorer('telea'); "
        "sys.exit('importlib.metadata' in sys.modules or 'greys' in sys.modules)"
    )
    source = str(Path(plugins.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), source])}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("1 / 0", r"'it' of odd 1\.0 cannot be imported: ZeroDivisionError: division by zero"),
        ("raise SystemExit(2)", "cannot be imported: SystemExit: 2"),
        ("this is no Python", "cannot be imported: SyntaxError"),
        ("it_is_elsewhere = 1", "cannot be imported: AttributeError"),
        ("it = 5", "odd:it is a int, need a demask.restorers.plugins.Plugin"),
        ("it = plugin(lambda c: 1 / 0)", "'it' of odd 1.0 cannot be opened: ZeroDivisionError"),
        ("it = plugin(lambda c: None)", "made a NoneType, need a restorer"),
        ("it = plugin(lambda c: c, needs_demask='99.1')", r"needs demask 99\.1, this is .*update demask"),
        ("it = plugin(lambda c: (lambda m, h: 1 / 0))", "'it' of odd 1.0 failed: ZeroDivisionError"),
        ("it = plugin(lambda c: (lambda m, h: m / 255))", r"'it' of odd 1\.0 gave float64 \[256, 256, 3\]"),
        ("it = plugin(lambda c: (lambda m, h: m[:8]))", r"uint8 \[8, 256, 3\], need uint8 \[256, 256, 3\]"),
        ("it = plugin(lambda c: (lambda m, h: None))", "gave a NoneType"),
    ],
)  # fmt: skip
def test_a_broken_one_is_named(site: Path, crop: tuple[ImageU8, Hole], code: str, said: str) -> None:
    install(site, "odd", code, "it")
    with pytest.raises(RestorerError, match=said):
        get_restorer("it")(*crop)
    assert get_restorer("telea")(*crop).shape == (256, 256, 3)


def test_one_that_needs_a_newer_demask_is_not_even_imported(site: Path) -> None:
    install(site, "late", "raise ImportError('newer')", "it", requires="demask[serve]>=99")
    with pytest.raises(RestorerError, match=r"'it' of late 1\.0 needs demask 99, this is"):
        get_restorer("it")
    install(site, "early", "fine = plugin(lambda c: (lambda m, h: m))", "fine", requires="demask (>=0.0.1)")
    assert get_restorer("fine")


def test_an_error_that_the_plug_in_means_is_the_users(site: Path) -> None:
    install(site, "lost", "def make(c):\n    raise WeightsError('x.onnx is damaged')\nit = plugin(make)", "it")
    with pytest.raises(WeightsError, match=r"^x\.onnx is damaged$"):
        get_restorer("it")


def test_two_with_one_name_and_names_that_are_taken(site: Path, crop: tuple[ImageU8, Hole]) -> None:
    fine = "it = telea = plugin(lambda c: (lambda m, h: np.zeros_like(m)))"
    install(site, "one", fine, "it", "telea")
    install(site, "two", fine, "it", version="2.5")
    install(site, "three", "Loud = plugin(lambda c: c)", "Loud")
    with pytest.raises(
        RestorerError, match=r"'it' is a plug-in of one 1\.0 and two 2\.5; uninstall all but one"
    ):
        get_restorer("it")
    with pytest.raises(RestorerError, match=r"'Loud' of three 1\.0 has no name for a restorer"):
        get_restorer("Loud")
    assert get_restorer("telea")(*crop).any(), "demask's own stays demask's own"
    reasons = {one.name: one.reason for one in plugins.listing(taken=NAMES)}
    assert "demask has a restorer named 'telea' itself" in reasons["telea"]
    assert all(reasons.values())


def test_the_list_shows_good_ones_broken_ones_and_the_zoo(site: Path) -> None:
    install(site, "good", "fine = plugin(lambda c: c)\n", "fine")
    install(site, "bad", "1 / 0", "worse", "pix2pix")
    source = str(Path(plugins.__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), source])}
    command = [sys.executable, "-m", "demask", "restorers"]
    done = subprocess.run([*command, "--json"], check=True, capture_output=True, text=True, env=environment)
    rows = {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert rows["fine"]["status"] == rows["network"]["status"] == "ready"
    assert rows["worse"]["status"] == rows["pix2pix"]["status"] == "broken"
    assert "ZeroDivisionError" in rows["worse"]["reason"]
    assert rows["deepfill-v1"]["status"] == "missing"
    assert rows["deepfill-v1"]["install"].startswith("pip install ")
    assert set(rows) == {*NAMES, *ZOO, "fine", "worse"}


def test_the_zoo_by_name_where_it_is_not_installed() -> None:
    if "deepfill-v2" in plugins.names():
        pytest.skip("the zoo is installed here")
    with pytest.raises(
        UsageError, match="'deepfill-v2' is in the zoo, which is not installed; run: pip install"
    ):
        get_restorer("deepfill-v2")


def test_melding_tells_of_its_patents() -> None:
    assert "8,861,868 and 9,317,773" in describe("melding").note
