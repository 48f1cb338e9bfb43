"""The page's scripts, read as text: what one imports another exports, and nothing unknown is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from demask.server.factory import PAGE_FOLDER, page_files

MODULES = sorted(PAGE_FOLDER.glob("*.js"))
IMPORT = re.compile(r'^import \{ (.*) \} from "\./(\w+)\.js";$', re.M)
EXPORT = re.compile(r"^export (?:async )?(?:function|const|let|class) ([\w$]+)", re.M)
TOP_LEVEL = re.compile(r"^(?:export )?(?:async )?(?:function|const|let|class) ([\w$]+)", re.M)


def exports_of(name: str) -> set[str]:
    return set(EXPORT.findall((PAGE_FOLDER / f"{name}.js").read_text("utf-8")))


def used(name: str, text: str) -> bool:
    """Whether code says the name; keys of objects and properties are no use of it."""
    after = r"\(" if name == "$" else r"(?![\w$]|: )"
    return re.search(rf"(?<![\w$.]){re.escape(name)}{after}", text) is not None


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_imports_what_it_uses_and_no_more(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 400
    imported: set[str] = set()
    for names, source in IMPORT.findall(text):
        assert set(names.split(", ")) <= exports_of(source), source
        imported |= set(names.split(", "))
    body = re.sub(r'/\*\*.*?\*/|//[^\n]*|"[^"\n]*"', "", IMPORT.sub("", text), flags=re.S)
    assert {name for name in imported if not used(name, body)} == set()
    everything = {name for other in MODULES for name in exports_of(other.stem)}
    own = set(TOP_LEVEL.findall(text))
    missing = {name for name in everything - imported - own if used(name, body)}
    assert missing == set()


def test_no_export_is_unused() -> None:
    imported = {
        (s, n) for p in MODULES for ns, s in IMPORT.findall(p.read_text("utf-8")) for n in ns.split(", ")
    }
    exported = {(path.stem, name) for path in MODULES for name in exports_of(path.stem)}
    assert exported - imported == {("texts", "TEXTS")}  # Which a test in the browser reads.


def test_every_file_of_the_page_is_served_and_asked_for() -> None:
    page = (PAGE_FOLDER / "index.html").read_text("utf-8")
    named = set(re.findall(r'(?:src|href)="(/[\w.]+)"', page)) - {"/docs"}
    named |= {f"/{source}.js" for path in MODULES for _, source in IMPORT.findall(path.read_text("utf-8"))}
    assert page_files().keys() == {"/", *named}
    assert {path.name for path in PAGE_FOLDER.iterdir()} == {path.name for path in page_files().values()}
