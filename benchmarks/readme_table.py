"""Write the table of docs/quality.md, between its two marks, and the tables beside the committed reports.

    python benchmarks/readme_table.py            # writes
    python benchmarks/readme_table.py --check    # only says whether it is as it should be

Every system stands there in one setting (docs/evaluation.md), so that like is compared with like.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from demask.evaluation.figure_tables import markdown
from demask.evaluation.metrics.metric_catalogue import heading_of, metric_of
from demask.evaluation.table_parts import markdown_table

REPOSITORY = Path(__file__).resolve().parents[1]
MEASURED, QUALITY = REPOSITORY / "docs/measured", REPOSITORY / "docs/quality.md"
BEGIN, END = "<!-- figures: python benchmarks/readme_table.py -->", "<!-- end of figures -->"

FIGURES = ("hole_psnr", "ssim", "lpips", "identity")
ROWS = (
    ("masked input", "quality", "raw", "seen", "nothing"),  # In raw, nothing is done to it at all.
    ("OpenCV Telea, found", "benchmark", "found", "seen", "telea"),
    ("demask, found", "quality", "found", "seen", "network"),
    ("OpenCV Telea, found, mask types never trained on", "benchmark", "found", "unseen_types", "telea"),
    ("demask, found, mask types never trained on", "quality", "found", "unseen_types", "network"),
)
"""What a row is called, the folder of its report, its setting, slice and system."""


def table(measured: Path = MEASURED) -> str:
    """The table as Markdown.

    Raises:
        SystemExit: The reports are of two frozen sets, so their figures cannot stand in one table.
    """
    reports = {
        name: _report(measured / name / "results.json") for name in dict.fromkeys(row[1] for row in ROWS)
    }
    sets = {report["frozen_set"]["sha256"] for report in reports.values()}
    if len(sets) > 1:
        raise SystemExit(
            f"the reports are of different frozen sets ({', '.join(sorted(sets))}); measure them on one"
        )
    body = []
    for title, name, setting, slice_, system in ROWS:
        mean = reports[name]["slices"][setting][slice_][system]["mean"]
        body.append(
            [title, *(f"{mean[figure]['value']:.{min(metric_of(figure).places, 3)}f}" for figure in FIGURES)]
        )
    return markdown_table(["", *map(heading_of, FIGURES)], body)


def written(readme: str, block: str) -> str:
    """The README with the block between its marks.

    Raises:
        SystemExit: The marks are not there.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"docs/quality.md lacks the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{block}\n{END}{after}"


def main() -> None:
    """Write, or check."""
    wanted = {QUALITY: written(QUALITY.read_text(encoding="utf-8"), table())}
    for name in dict.fromkeys(row[1] for row in ROWS):
        wanted[MEASURED / name / "tables.md"] = markdown(_report(MEASURED / name / "results.json"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file differs")
    check = parser.parse_args().check
    for path, text in wanted.items():
        if check and path.read_text(encoding="utf-8") != text:
            raise SystemExit(f"{path.relative_to(REPOSITORY)} differs; run python benchmarks/readme_table.py")
        if not check:
            path.write_text(text, encoding="utf-8")


def _report(path: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


if __name__ == "__main__":
    main()
