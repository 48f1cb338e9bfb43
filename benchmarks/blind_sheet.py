r"""Two systems on the same real photographs, judged by eye without knowing which is which.

python benchmarks/blind_sheet.py sheet --networks sixth=FOLDER --networks shipped=FOLDER --pages runs/blind \
    --out runs/blind/key.json
python benchmarks/blind_sheet.py count --key runs/blind/key.json --verdicts runs/blind/verdicts.csv \
    --out docs/measured/blind_sheet.json

`sheet` draws photographs by the seed, lays out before, one system's result, and the other's, in an order drawn
anew for each photograph, and keeps the order in a key that the pages don't show. It also writes a
`verdicts.csv` to fill in, one line a result: `file,place,verdict,flaws`, `place` being `a` (the left one) or
`b`. Verdicts: `convincing` at arm's length, `flawed` (a visible flaw, still a face), `broken`, `untouched`
(nothing restored). Flaws are words, separated by `;`, of these: covering left, jaw, mouth, nose, tone, soft,
texture, turned head, rim, beard, expression, beyond (something taken that is no covering).

`count` joins verdicts and key: what became of each system, its flaws side by side, and in how many photographs
one did better than the other. What a stranger's detector (YuNet at 0.6) says of the results stands beside it.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import _common
from _sheets import Sheet, around
from by_eye import VERDICTS
from demask.errors import DemaskError
from demask.remover import Remover
from demask.rng import rng_for

PLACES = ("a", "b")
FLAWS = (
    "covering left", "jaw", "mouth", "nose", "tone", "soft", "texture", "turned head", "rim", "beard",
    "expression", "beyond",
)  # fmt: skip
SAME_FACE = 0.3
"""Boxes that overlap by this much (intersection over union) are one face."""


def main() -> None:
    """Lay out, or count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    sheet = commands.add_parser("sheet", help="lay out a sheet and its key")
    sheet.add_argument("--networks", action="append", required=True, metavar="NAME=FOLDER")
    sheet.add_argument("--data", type=Path, default=_common.data_folder("real_masked"))
    sheet.add_argument("--names", type=Path, default=_common.REPOSITORY / "docs/measured/real_masked_clear.txt")
    sheet.add_argument("--photos", type=int, default=100)
    sheet.add_argument("--seed", type=int, default=0)
    sheet.add_argument("--pages", type=Path, required=True, metavar="FOLDER")
    sheet.add_argument("--threads", type=int, default=None)
    sheet.add_argument("--out", type=Path, required=True, metavar="JSON", help="where the key goes")
    sheet.set_defaults(do=_sheet)
    count = commands.add_parser("count", help="count what was said")
    count.add_argument("--key", type=Path, required=True)
    count.add_argument("--verdicts", type=Path, required=True)
    count.add_argument("--out", type=Path, required=True, metavar="JSON")
    count.set_defaults(do=_count)
    arguments = parser.parse_args()
    arguments.do(arguments)


def _sheet(arguments: argparse.Namespace) -> None:
    _common.outside_repository(arguments.pages)
    _common.use_neighbouring_weights()
    removers = _removers(arguments.networks, arguments.threads)
    yunet = _common.YuNet(longest_px=640, threshold=0.6)
    names = [name for name in _common.names_in(arguments.names)[""] if (arguments.data / name).exists()]
    if not names:
        raise SystemExit(f"no photograph of {arguments.names} lies in {arguments.data}; name both folders")
    rng = rng_for(arguments.seed, "blind sheet", arguments.data.name)
    chosen = sorted(names[i] for i in rng.permutation(len(names))[: arguments.photos])
    sheet = Sheet(arguments.pages, "blind", columns=1, rows=4, side_px=420)
    key: dict[str, Any] = {"seed": arguments.seed, "systems": list(removers), "photos": {}}
    for done, name in enumerate(chosen, start=1):
        order = [list(removers)[i] for i in rng.permutation(len(PLACES))]
        photo = _common.pixels_of(arguments.data / name)
        shown, facts = [], {}
        window = None
        for system in order:
            try:
                result = removers[system](arguments.data / name)
            except DemaskError as error:
                raise SystemExit(f"{name}: {error}") from error
            restored = [face.face for face in result.faces if face.status == "restored"]
            after = _common.pixels_of(BytesIO(result.photo))
            seen = yunet(after) if restored else []
            facts[system] = {
                "restored": len(restored),
                "seen": [
                    any(_common.overlap(face.box, other.box) >= SAME_FACE for other in seen)
                    for face in restored
                ],
            }
            faces = restored or [face.face for face in result.faces]
            if window is None and faces:
                window = around(photo, max(faces, key=lambda face: face.size_px).box, factor=2.4)
            shown.append(after)
        cut = window or (slice(None), slice(None))
        sheet.add(f"{done} {name}", [picture[cut] for picture in (photo, *shown)])
        key["photos"][name] = {**dict(zip(PLACES, order, strict=True)), **facts}
        _common.show_progress(done, len(chosen))
    sheet.close()
    arguments.out.write_text(json.dumps(key, indent=1) + "\n", encoding="utf-8")
    lines = [f"{name},{place},," for name in chosen for place in PLACES]
    (arguments.pages / "verdicts.csv").write_text("\n".join(["file,place,verdict,flaws", *lines]) + "\n")


def _removers(named: Sequence[str], threads: int | None) -> dict[str, Remover]:
    if len(named) != len(PLACES):
        raise SystemExit(f"a sheet compares two systems, --networks names {len(named)}")
    removers = {}
    for text in named:
        name, _, folder = text.partition("=")
        hole, restorer = (Path(folder) / f"{what}.onnx" for what in ("hole", "restorer"))
        removers[name] = Remover(hole_finder=hole, restorer=str(restorer), device="cpu", threads=threads)
    return removers


def _count(arguments: argparse.Namespace) -> None:
    key = json.loads(arguments.key.read_text(encoding="utf-8"))
    with arguments.verdicts.open(encoding="utf-8", newline="") as file:
        rows = {(row["file"], row["place"]): row for row in csv.DictReader(file)}
    expected = {(name, place) for name in key["photos"] for place in PLACES}
    if rows.keys() != expected:
        raise SystemExit(
            f"without a verdict: {sorted(expected - rows.keys())}; unknown: {sorted(rows.keys() - expected)}"
        )
    for where, row in rows.items():
        if row["verdict"] not in VERDICTS or not set(_flaws(row)) <= set(FLAWS):
            raise SystemExit(f"{where}: {row['verdict']!r} with {_flaws(row)}; see --help for what there is")
    said = {
        system: [
            rows[name, place]
            for name, facts in key["photos"].items()
            for place in PLACES
            if facts[place] == system
        ]
        for system in key["systems"]
    }
    results: dict[str, Any] = {"photos": len(key["photos"]), "seed": key["seed"], "systems": {}}
    for system, verdicts in said.items():
        touched = [row for row in verdicts if row["verdict"] != "untouched"]
        seen = [one for facts in key["photos"].values() for one in facts[system]["seen"]]
        results["systems"][system] = {
            "untouched": len(verdicts) - len(touched),
            "fractions_of_restored": {
                verdict: _common.fraction([row["verdict"] == verdict for row in touched])
                for verdict in VERDICTS[:3]
            },
            "flaws": dict(Counter(flaw for row in touched for flaw in _flaws(row))),
            "face_seen_by_yunet": _common.fraction(seen),
        }
    first, second = key["systems"]
    ranks = [
        VERDICTS.index(mine["verdict"]) - VERDICTS.index(other["verdict"])
        for mine, other in zip(said[first], said[second], strict=True)
    ]
    results["better"] = {first: sum(rank < 0 for rank in ranks), second: sum(rank > 0 for rank in ranks)}
    _common.write_report(arguments.out, results, table=_table(results))


def _flaws(row: dict[str, str]) -> list[str]:
    return [flaw.strip() for flaw in (row["flaws"] or "").split(";") if flaw.strip()]


def _table(results: dict[str, Any]) -> str:
    systems = results["systems"]
    flaws = [flaw for flaw in FLAWS if any(flaw in found["flaws"] for found in systems.values())]

    def line(title: str, cells: Sequence[object]) -> str:
        return f"| {title} | {' | '.join(map(str, cells))} |"

    fractions = {name: found["fractions_of_restored"] for name, found in systems.items()}
    (first, wins), (second, losses) = results["better"].items()
    same = results["photos"] - wins - losses
    lines = [
        f"{results['photos']} real photographs with one clear masked person, drawn by seed {results['seed']}; "
        "both systems' results side by side in an order drawn for each. Looked at by one of the developers, "
        "who did not know which was which, but knew what to look for.",
        "",
        line("", systems),
        line("---", ["---"] * len(systems)),
        *(
            line(name, [_common.percent(fractions[system][name]) for system in systems])
            for name in VERDICTS[:3]
        ),
        line("untouched", [found["untouched"] for found in systems.values()]),
        line("YuNet sees a face", [_common.percent(found["face_seen_by_yunet"]) for found in systems.values()]),
        *(line(f"flaw: {flaw}", [found["flaws"].get(flaw, 0) for found in systems.values()]) for flaw in flaws),
        "",
        f"Better: {first} in {wins} photographs, {second} in {losses}, no difference in {same}.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
