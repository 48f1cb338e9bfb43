"""Count what eyes made of the contact sheet of real photographs.

python benchmarks/real_photos.py --out docs/measured/real_photos.json --pages runs/real_photos
python benchmarks/by_eye.py --out docs/measured/by_eye.json

`--verdicts` is a CSV of `file,verdict,flaws`, filled in by whoever looked at every pair of the sheet. Verdicts:
`convincing` at arm's length, `flawed` (a visible flaw, still a face), `broken`, `untouched` (nothing restored).
Flaws are words, separated by `;`. The first line, `# looked at: FINDER HOLE RESTORER SETTINGS`, holds digests
of the networks and of the settings of hole and paste that were looked at; verdicts on others than those of the
report are refused.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import _common

VERDICTS = ("convincing", "flawed", "broken", "untouched")
MOST_BROKEN = 0.10


def main() -> None:
    """Check the verdicts against the report they belong to, count them, write."""
    parser = _common.parser(__doc__)
    folder = _common.REPOSITORY / "docs/measured"
    parser.add_argument("--verdicts", type=Path, default=folder / "by_eye.csv")
    parser.add_argument("--photos", type=Path, default=folder / "real_photos.json", help="report of the sheet")
    arguments = parser.parse_args()
    report = json.loads(arguments.photos.read_text(encoding="utf-8"))
    head, *lines = arguments.verdicts.read_text(encoding="utf-8").splitlines()
    settings = hashlib.sha256(json.dumps(report["settings"], sort_keys=True).encode()).hexdigest()[:16]
    made_with = " ".join([*map(str, report["networks_sha256"].values()), settings])
    if head != f"# looked at: {made_with}":
        raise SystemExit(f"{arguments.verdicts} says {head!r}, the sheet was made with {made_with}; look again")
    rows = {row["file"]: row for row in csv.DictReader(lines)}
    missing, unknown = set(report["on_sheet"]) - set(rows), set(rows) - set(report["on_sheet"])
    if missing or unknown:
        raise SystemExit(f"without a verdict: {sorted(missing)}; not on the sheet: {sorted(unknown)}")
    wrong = [row["file"] for row in rows.values() if row["verdict"] not in VERDICTS]
    if wrong:
        raise SystemExit(f"verdicts are {', '.join(VERDICTS)}; others stand at {wrong}")
    touched = [row["verdict"] for row in rows.values() if row["verdict"] != "untouched"]
    fractions = {name: _common.fraction([verdict == name for verdict in touched]) for name in VERDICTS[:3]}
    flaws = Counter(
        flaw.strip() for row in rows.values() for flaw in (row["flaws"] or "").split(";") if flaw.strip()
    )
    results = {
        "num": len(rows),
        "untouched": len(rows) - len(touched),
        "fractions_of_restored": fractions,
        "flaws": dict(flaws.most_common()),
        "looked_at": {**report["networks_sha256"], "settings": settings},
    }
    _common.write_report(arguments.out, results, table=_table(results))


def _table(results: dict[str, Any]) -> str:
    fractions, flaws = results["fractions_of_restored"], results["flaws"]
    lines = [
        f"{results['num']} real photographs with one clear masked person, drawn by the seed; "
        f"{results['untouched']} were left as they are, the fractions are of the others. Looked at by one of "
        "the developers, who knew what to look for; people who do not are asked by `demask study`.",
        "",
        "| | fraction |",
        "| --- | --- |",
        *(f"| {name} | {_common.percent(fraction)} |" for name, fraction in fractions.items()),
        "",
        f"Broken at most {MOST_BROKEN:.0%}: {'yes' if fractions['broken']['value'] <= MOST_BROKEN else 'no'}.",
        "",
        "| flaw | photographs |",
        "| --- | --- |",
        *(f"| {flaw} | {count} |" for flaw, count in flaws.items()),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
