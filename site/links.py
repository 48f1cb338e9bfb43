"""Every link of a built site leads somewhere, and nothing is loaded from elsewhere."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

LOADS = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}
MAY_POINT_OUT = {"canonical", "next", "prev", "alternate", "edit"}


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[tuple[str, str, bool]] = []  # Tag, target, whether the browser loads it by itself.

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids |= {value for name in ("id", "name") if (value := given.get(name))}
        for name in ("href", "src"):
            if (target := given.get(name)) and not (tag == "link" and given.get("rel") in MAY_POINT_OUT):
                self.links.append((tag, target, (tag, name) in LOADS))


def faults_of(site: Path, *, elsewhere: tuple[str, ...] = ()) -> list[str]:
    """What is wrong with the links of a site.

    Args:
        site: Folder of HTML files.
        elsewhere: Folders of it that were not built here and are not looked into.
    """
    pages = {
        path: _read(path)
        for path in sorted(site.rglob("*.html"))
        if path.relative_to(site).parts[0] not in elsewhere
    }
    faults = []
    for path, page in pages.items():
        for tag, target, loaded in page.links:
            where = f"{path.relative_to(site)}: {tag} {target}"
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                if loaded and parts.scheme not in ("data", "blob"):
                    faults.append(f"{where}: loaded from elsewhere")
                continue
            rest, fragment = urldefrag(target)
            plain = unquote(rest.partition("?")[0])
            there = (
                path
                if not plain
                else (site / plain.lstrip("/") if plain.startswith("/") else path.parent / plain)
            )
            there = there.resolve()
            there = there / "index.html" if there.is_dir() else there
            if not there.is_file():
                if path.name != "404.html":
                    faults.append(f"{where}: leads nowhere")
            elif fragment and there in pages and unquote(fragment) not in pages[there].ids | {"__skip", "top"}:
                faults.append(f"{where}: no such place there")
    return faults


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text("utf-8"))
    return page
