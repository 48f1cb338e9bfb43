"""The size of the house: modules and lines of each room now and at another commit, names, repetition.

python benchmarks/house.py --before f664b26

Lines are counted whole, with comments and docstrings. A repetition is a run of lines, ten or more without blank
ones, imports, docstrings and the signatures of overloads, that stands in two places word for word.
"""

from __future__ import annotations

import argparse
import ast
import io
import statistics
import subprocess
import tokenize
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

HOME = Path("src/demask")
LONGEST, REPEATED = 400, 10
_NO_CODE = (
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER,
)  # fmt: skip


def main() -> None:
    """Count, then print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", metavar="COMMIT", help="Also count this commit.")
    before = parser.parse_args().before
    now = {path.as_posix(): path.read_text() for path in sorted(HOME.rglob("*.py"))}
    then = _at(before) if before else {}
    rooms, old = _rooms(now), _rooms(then)
    print("| room | modules | lines | median | modules before | lines before |\n| --- " + "| ---: " * 5 + "|")
    for room in sorted(rooms | old, key=lambda room: (room != "all", room)):
        sizes, former = rooms.get(room, []), old.get(room, [])
        median = f"{statistics.median(sizes):g}" if sizes else "0"
        print(f"| {room} | {len(sizes)} | {sum(sizes)} | {median} | {len(former)} | {sum(former)} |")
    names = Counter(Path(path).name for path in now if not path.endswith("__init__.py"))
    longer = [path for path, text in now.items() if len(text.splitlines()) > LONGEST]
    print(f"\nNames that repeat: {sorted(name for name, count in names.items() if count > 1) or 'none'}.")
    print(f"Modules of more than {LONGEST} lines: {longer or 'none'}.")
    print(f"Repetitions of {REPEATED} lines or more: {_repetitions(now) or 'none'}.")


def _at(commit: str) -> dict[str, str]:
    listed = ["git", "ls-tree", "-r", "--name-only", commit, HOME.as_posix()]
    paths = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.splitlines()
    return {path: _shown(commit, path) for path in paths if path.endswith(".py")}


def _shown(commit: str, path: str) -> str:
    command = ["git", "show", f"{commit}:{path}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _rooms(texts: Mapping[str, str]) -> dict[str, list[int]]:
    """Lines of every module by room; `__init__.py` is none."""
    rooms = defaultdict(list)
    for path, text in texts.items():
        inside = Path(path).relative_to(HOME)
        if inside.name != "__init__.py":
            for room in ("all", inside.parts[0] if len(inside.parts) > 1 else "(ground floor)"):
                rooms[room].append(len(text.splitlines()))
    return dict(rooms)


def _repetitions(texts: Mapping[str, str]) -> list[str]:
    places = defaultdict(list)
    for path, text in texts.items():
        lines = _code(text)
        for start in range(len(lines) - REPEATED + 1):
            run = lines[start : start + REPEATED]
            places["\n".join(code for _, code in run)].append(f"{path}:{run[0][0]}")
    return [" = ".join(found) for found in places.values() if len(found) > 1]


def _code(text: str) -> list[tuple[int, str]]:
    """Numbered lines of code, without imports, docstrings and comments; spaces do not count."""
    skipped: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        documents = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if documents or isinstance(node, ast.Import | ast.ImportFrom) or _is_overload(node):
            assert isinstance(node, ast.stmt)
            skipped.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = defaultdict(list)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _NO_CODE and token.start[0] not in skipped:
            lines[token.start[0]].append(token.string)
    return [(number, " ".join(lines[number])) for number in sorted(lines)]


def _is_overload(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and any(
        isinstance(mark, ast.Name) and mark.id == "overload" for mark in node.decorator_list
    )


if __name__ == "__main__":
    main()
