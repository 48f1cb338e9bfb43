"""Build the documentation site: pages from docs/ and site/pages, references from the program, links checked.

python site/build.py             # writes runs/site/html
python site/build.py --no-try    # without the page that runs demask in the browser
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

import links
import reference

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "runs" / "site"
PAGES = WORK / "pages"
SHOWN = ("network", "telea", "navier-stokes", "criminisi", "mean-face", "nothing")
_LINK = re.compile(r"(!?\[[^\]]*\])\(([^)\s]+)\)")


def main() -> None:
    """Build; end with 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-try", action="store_true", help="leave out the page that runs in the browser")
    arguments = parser.parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    shutil.copytree(ROOT / "docs", PAGES)
    shutil.copytree(ROOT / "site" / "pages", PAGES, dirs_exist_ok=True)
    shutil.copytree(ROOT / "examples", PAGES / "examples", ignore=shutil.ignore_patterns("*.md", "studies"))
    shutil.copy(ROOT / "site" / "zensical.toml", WORK)
    made = {"cli": reference.cli_page, "python": reference.python_page, "http": reference.http_page}
    (PAGES / "reference").mkdir()
    for name, page in made.items():
        (PAGES / "reference" / f"{name}.md").write_text(page(), "utf-8")
    _gallery()
    faults = [fault for page in sorted(PAGES.rglob("*.md")) for fault in _settle_links(page)]
    if not faults:
        subprocess.run(
            [
                shutil.which("zensical", path=str(Path(sys.executable).parent)) or "zensical",
                "build",
                "--strict",
                "--clean",
            ],
            cwd=WORK,
            check=True,
        )
        _try_it(wanted=not arguments.no_try)
        faults = links.faults_of(WORK / "html", elsewhere=("try",))
    if faults:
        raise SystemExit("\n".join(faults))
    print(f"the site is in {(WORK / 'html').relative_to(ROOT)}")


def _settle_links(page: Path) -> list[str]:
    """Turn links to files of the repository that are no pages into plain names; say which lead nowhere."""
    faults = []
    source = page.relative_to(PAGES)

    def settled(match: re.Match[str]) -> str:
        label, target = match[1], match[2]
        path = target.partition("#")[0]
        if re.match(r"[a-z]+:", target) or not path or path.startswith(("try/", "../try/")):
            return match[0]
        here = (page.parent / path).resolve()
        if here.is_file():
            return match[0]
        if here.is_dir() and (here / "README.md").is_file():
            return f"{label}({path.rstrip('/')}/README.md)"
        if here.is_dir() and (here / "tables.md").is_file():
            return f"{label}({path.rstrip('/')}/tables.md)"
        if (ROOT / "docs" / source.parent / path).resolve().exists():
            return label.strip("![]")
        faults.append(f"{source}: {target} leads nowhere")
        return match[0]

    page.write_text(_LINK.sub(settled, page.read_text("utf-8")), "utf-8")
    return faults


def _gallery() -> None:
    """The example through every restorer that needs nothing but the package."""
    from demask.remover import Remover

    folder = PAGES / "gallery"
    folder.mkdir()
    cells = []
    for name in SHOWN:
        try:
            result = Remover(restorer=name, threads=1)(ROOT / "examples" / "astronaut-covered.jpg")
        except Exception as error:  # A restorer may need an extra that is not installed; the page says which.
            cells.append(f"| `{name}` | {error} |")
            continue
        (folder / f"{name}.jpg").write_bytes(result.photo)
        cells.append(f"| `{name}` | ![The example through {name}](gallery/{name}.jpg){{ width=300 }} |")
    text = (
        "# Gallery\n\nThe same photograph, the same hole, another way to fill it each time: "
        "`demask remove examples/astronaut-covered.jpg --restorer NAME`. What each of them does is in "
        "[Restorers](restorers.md); how good they are over many faces in the [benchmark](benchmark.md).\n\n"
        "**The lower face is invented in all of them.**\n\n"
        "| restorer | |\n|---|---|\n" + "\n".join(cells) + "\n"
    )
    (PAGES / "gallery.md").write_text(text, "utf-8")


def _try_it(*, wanted: bool) -> None:
    """The page that runs in the browser; without it, its address says how to get it."""
    place = WORK / "html" / "try"
    if wanted:
        subprocess.run([sys.executable, "-m", "demask", "page", "--fetch", "-o", place], check=True)
        return
    place.mkdir()
    (place / "index.html").write_text(
        '<!doctype html><meta charset="utf-8"><title>demask</title><p>This copy of the site was built '
        "without the page. <code>demask page --fetch -o DIR</code> writes it."
    )


if __name__ == "__main__":
    main()
