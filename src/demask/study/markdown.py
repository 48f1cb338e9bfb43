"""A researcher's Markdown as a tree that a page can build without ever parsing markup.

markdown-it-py reads CommonMark with raw HTML switched off, nh3 (Rust's ammonia) lets only harmless elements
and addresses through, and the page makes elements of the tree one by one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import nh3
from markdown_it import MarkdownIt

Node = str | dict[str, Any]
"""A text, or {"tag", "children"} and, for links, "href"."""

TAGS = frozenset(
    {"p", "h2", "h3", "h4", "ul", "ol", "li", "strong", "em", "a", "blockquote", "code", "pre", "hr", "br"}
    | {"table", "thead", "tbody", "tr", "th", "td"}
)
_EMPTY = frozenset({"hr", "br"})
_SCHEMES = {"http", "https", "mailto"}
_HEADING = re.compile(r"(</?h)([1-6])>")
_reader = MarkdownIt("commonmark", {"html": False}).enable("table")


def tree_of(text: str) -> list[Node]:
    """Markdown as a tree; headings start at the second level, since the page has the first."""
    html = _reader.render(text)
    # Whatever level an author begins with, the page goes on with the second and leaves none out.
    levels = sorted({level for _, level in _HEADING.findall(html)})
    html = _HEADING.sub(lambda found: f"{found[1]}{min(4, 2 + levels.index(found[2]))}>", html)
    clean = nh3.clean(html, tags=set(TAGS), attributes={"a": {"href"}}, url_schemes=_SCHEMES, link_rel=None)
    builder = _Builder()
    builder.feed(clean)
    builder.close()
    return builder.top


def tree_in(texts: Mapping[str, str], code: str) -> list[Node]:
    """The tree of a text in one language, empty where there is none."""
    return tree_of(texts[code]) if texts.get(code, "").strip() else []


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.top: list[Node] = []
        self._open: list[list[Node]] = [self.top]

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        node: dict[str, Any] = {"tag": tag, "children": []}
        node |= {name: value for name, value in attributes if name == "href" and value}
        self._open[-1].append(node)
        if tag not in _EMPTY:
            self._open.append(node["children"])

    def handle_endtag(self, tag: str) -> None:
        if tag not in _EMPTY and len(self._open) > 1:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        if data.strip() or (self._open[-1] is not self.top and data):
            self._open[-1].append(data)
