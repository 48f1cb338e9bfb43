"""A researcher's Markdown reaches the page as a tree of harmless elements."""

from __future__ import annotations

import json

from demask.study.markdown import tree_in, tree_of


def test_a_page_of_instructions() -> None:
    found = tree_of("# How\n\nLook *well*, see [us](https://example.org).\n\n- one\n- two")
    assert found == [
        {"tag": "h2", "children": ["How"]},
        {
            "tag": "p",
            "children": [
                "Look ", {"tag": "em", "children": ["well"]}, ", see ",
                {"tag": "a", "children": ["us"], "href": "https://example.org"}, ".",
            ],
        },
        {
            "tag": "ul",
            "children": [
                "\n", {"tag": "li", "children": ["one"]}, "\n", {"tag": "li", "children": ["two"]}, "\n",
            ],
        },
    ]  # fmt: skip


def test_headings_follow_the_pages_own() -> None:
    tags = [node["tag"] for node in tree_of("## One\n\n#### Two\n\n## Three") if isinstance(node, dict)]
    assert tags == ["h2", "h3", "h2"]


def test_nothing_runs_and_nothing_is_loaded() -> None:
    text = (
        "<script>alert(1)</script> <img src=x onerror=alert(1)> ![p](https://evil.example/p.png) "
        "[a](javascript:alert(1)) [b](data:text/html,x)"
    )
    found = json.dumps(tree_of(text))
    for tag in ("script", "img"):
        assert f'"tag": "{tag}"' not in found
    assert '"href"' not in found
    # Written as text it may be read.
    assert "<script>alert(1)</script>" in found


def test_no_text_is_no_tree() -> None:
    assert tree_in({"en": " "}, "en") == tree_in({}, "de") == []
