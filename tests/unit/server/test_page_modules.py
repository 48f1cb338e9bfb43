"""The page's scripts, read as text: what one imports another exports, and nothing unknown is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from demask.server.factory import PAGE_FOLDER, page_files

MODULES = sorted(PAGE_FOLDER.glob("*.js")) + sorted((PAGE_FOLDER / "engine").glob("*.js"))
IMPORT = re.compile(r'^import (?:\{ (.*) \}|\* as \w+) from "(\.\.?/\w+)\.js";$', re.M)
LAZY = re.compile(r'import\("(\./[\w/]+\.js)"\)')
EXPORT = re.compile(r"^export (?:async )?(?:function|const|let|class) ([\w$]+)", re.M)
TOP_LEVEL = re.compile(r"^(?:export )?(?:async )?(?:function|const|let|class) ([\w$]+)", re.M)


def exports_of(path: Path) -> set[str]:
    return set(EXPORT.findall(path.read_text("utf-8")))


def imports_of(path: Path) -> list[tuple[set[str], Path]]:
    """Names, all of them for `import *`, and the file that they come from."""
    found = []
    for names, source in IMPORT.findall(path.read_text("utf-8")):
        other = (path.parent / f"{source}.js").resolve()
        found.append((set(names.split(", ")) if names else exports_of(other), other))
    return found


def used(name: str, text: str) -> bool:
    """Whether code says the name; keys of objects and properties are no use of it."""
    after = r"\(" if name == "$" else r"(?![\w$]|: )"
    return re.search(rf"(?<![\w$.]){re.escape(name)}{after}", text) is not None


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_imports_what_it_uses_and_no_more(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 400
    imported: set[str] = set()
    for names, source in imports_of(path):
        assert names <= exports_of(source), source
        imported |= names
    named = {name for names, _ in IMPORT.findall(text) for name in names.split(", ") if names}
    body = re.sub(r'/\*\*.*?\*/|//[^\n]*|"[^"\n]*"', "", IMPORT.sub("", text), flags=re.S)
    assert {name for name in named if not used(name, body)} == set()
    everything = {name for other in MODULES if other.parent == path.parent for name in exports_of(other)}
    # A parameter or a key may have the name of what another module exports: then the module makes it itself.
    own = set(TOP_LEVEL.findall(text)) | set(
        re.findall(r"[{(,] ?(?:\.\.\.)?([\w$]+)(?: = [^,)]*)?(?=[,)} ])", body)
    )
    own |= set(re.findall(r"\b(?:const|let) \[?([\w$]+)", body)) | set(re.findall(r"([\w$]+) =[ >]", body))
    missing = {name for name in everything - imported - own if used(name, body)}
    assert missing == set()


def test_no_export_is_unused() -> None:
    imported = {(source, name) for path in MODULES for names, source in imports_of(path) for name in names}
    exported = {(path, name) for path in MODULES for name in exports_of(path)}
    left = {(path.stem, name) for path, name in exported - imported}
    # Imported when they are needed, or read by a test in the browser.
    assert left == {("texts", "TEXTS"), ("browser_engine", "browserEngine"), ("offline", "keep")}


def test_every_file_of_the_page_is_served_and_asked_for() -> None:
    page = (PAGE_FOLDER / "index.html").read_text("utf-8")
    named = set(re.findall(r'(?:src|href)="/?([\w.]+)"', page)) - {"docs"}
    for path in MODULES:
        named |= {str(source.relative_to(PAGE_FOLDER)) for _, source in imports_of(path)}
        named |= {name.removeprefix("./") for name in LAZY.findall(path.read_text("utf-8"))}
    there = {str(path.relative_to(PAGE_FOLDER)) for path in PAGE_FOLDER.rglob("*.*") if path.is_file()}
    assert there - {"index.html", "engine/worker.js", "offline/service_worker.js"} == named
    assert page_files().keys() == {"/", *(f"/{name}" for name in named if "/" not in name)}
