"""The tables of a report, once for every form they take: Markdown here, HTML on the page, in a terminal.

A report is what `results.json` holds: what was measured and with what, and the summary of `aggregate`.
Every table follows from it alone, so tables can be written anew from a committed report.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from demask.dataset.expression_labels import EXPRESSIONS
from demask.dataset.frozen_set import PHOTO_SLICES
from demask.evaluation.aggregate import BASE_SLICE, GROUPS, HOLE_FACTS
from demask.evaluation.bootstrap import too_few
from demask.evaluation.metrics.comparison import FIGURES
from demask.evaluation.metrics.metric_catalogue import heading_of, metric_of
from demask.evaluation.table_parts import Cell, FigureTable, Line, figure_cell, fraction, markdown_of

Report = Mapping[str, Any]

SETTING_TITLES: Mapping[str, str] = {
    "raw": "raw (true hole, nothing matched)",
    "pasted": "pasted (true hole, pasted as for a user)",
    "found": "found (found hole, what a user gets)",
    "whole": "whole (whole answer, nothing pasted)",
}
_SETTINGS_SAID: Mapping[str, str] = {
    "raw": "Setting raw: every restorer is given the pixels that the covering changed, and what it draws there "
    "is judged as it is; this compares restorers.",
    "pasted": "Setting pasted: the true hole, filled and pasted with tone and grain matched.",
    "found": "Setting found: the hole network finds the hole (and in portraits the finder the face), and the "
    "filling is pasted with its tone and grain matched, the same for every restorer; this is what a user gets.",
    "whole": "Setting whole: what the restorer makes of the crop is judged as it is, nothing pasted.",
}
INVENTED = "The restored faces are invented; they are nobody's, and not those of the people in the photographs."
_VERDICTS = {"better": "won", "worse": "lost", "open": "open", "same": "same", "none": "-"}
_HOLE_HEADS = {
    "hole_iou": "hole IoU",
    "hole_reached": "of the true hole filled",
    "hole_extra": "of the filled not covered",
    "covering_left": "of the covering left",
    "restored": "restored",
}


def all_tables(report: Report) -> list[FigureTable]:
    """Every table that a report fills, in the order of the page."""
    tables = [
        means_table(report),
        common_table(report),
        holes_table(report),
        differences_table(report),
        wins_table(report),
        unseen_table(report),
        *group_tables(report),
        expressions_table(report),
        named_table(report),
        failures_table(report),
        *([systems_table(report)] if "systems" in report else []),
    ]
    return [table for table in tables if table.lines]


def means_table(report: Report) -> FigureTable:
    """Every system in every setting on every slice."""
    lines = [
        _line(place, [_count(facts["num"]), _count(facts["num_failed"]), *_figures(facts["mean"])])
        for *place, facts in _places(report)
    ]
    return FigureTable(
        name="figures",
        title="All figures",
        caption="Mean and 95 % interval; ↑ more is better, ↓ less is better." + _few(report),
        head=("system", "setting", "slice", "pictures", "failed", *map(_arrow, FIGURES)),
        num_words=3,
        lines=tuple(lines),
    )


def _few(report: Report) -> str:
    """A sentence for each slice of which there are too few pictures."""
    counts = {name: facts["num"] for _, name, _, facts in _places(report)}
    said = [f" {name}: {words}." for name, num in counts.items() if (words := too_few(num))]
    return "".join(said)


def common_table(report: Report) -> FigureTable:
    """Means over the pictures that every system has, where some have more."""
    lines = [
        _line((setting, name, system), [_count(facts["num"]), *_figures(mean)])
        for setting, slices in report["common"].items()
        for name, facts in slices.items()
        if facts and facts["num"]
        for system, mean in facts["mean"].items()
    ]
    return FigureTable(
        name="common",
        title="On the pictures that every system has",
        caption="Mean and 95 % interval over those pictures only.",
        head=("system", "setting", "slice", "pictures", *map(_arrow, FIGURES)),
        num_words=3,
        lines=tuple(lines),
    )


def holes_table(report: Report) -> FigureTable:
    """The found hole against the true one.

    No restorer changes it, so the system with most pictures speaks for all, unless the report's `own_holes`
    says that each finds its own.
    """
    lines = []
    found = report["slices"].get("found", {})
    # Reports of earlier versions lack what was not measured then.
    measured = {key for systems in found.values() for facts in systems.values() for key in facts}
    keys = [key for key in ("restored", *HOLE_FACTS) if key in measured]
    for name, systems in found.items():
        shown = systems
        if not report.get("own_holes"):
            shown = {"": max(systems.values(), key=lambda facts: facts["num"])}
        for system, facts in shown.items():
            cells = [_count(facts["num"]), *(fraction(facts.get(key)) for key in keys)]
            lines.append(Line(name=", ".join(filter(None, (slice_title(name), system))), cells=tuple(cells)))
    heads = (_HOLE_HEADS[key] for key in keys)
    return FigureTable(
        name="holes",
        title="Holes found",
        caption="Fractions with 95 % intervals; the hole IoU is that of the hole before it is widened.",
        head=("slice", "pictures", *heads),
        num_words=1,
        lines=tuple(lines),
    )


def differences_table(report: Report) -> FigureTable:
    """Each system minus the base, over the same pictures."""
    base = report["base"]
    lines = [
        _line(place, [_count(facts["against_base"]["psnr"]["num"]), *_figures(facts["against_base"])])
        for *place, facts in _places(report)
        if place[2] != base and facts.get("against_base")
    ]
    return FigureTable(
        name="differences",
        title=f"Differences to {base}",
        caption=f"Minus {base} on the same pictures, mean and 95 % interval.",
        head=("system", "setting", "slice", "pairs", *map(_arrow, FIGURES)),
        num_words=3,
        lines=tuple(lines),
    )


def wins_table(report: Report) -> FigureTable:
    """Where the base wins, and where it loses."""
    base = report["base"]
    lines = [
        _line(place, [_won(facts["against_base"][figure]) for figure in FIGURES])
        for *place, facts in _places(report)
        if place[2] != base and facts.get("against_base")
    ]
    return FigureTable(
        name="wins",
        title=f"What {base} wins and what it loses",
        caption=f"won, lost: the interval of the paired difference leaves no doubt that {base} is better or "
        f"worse; open: it holds 0. Per cent: pictures on which {base} is better.",
        head=("against", "setting", "slice", *map(heading_of, FIGURES)),
        num_words=3,
        lines=tuple(lines),
    )


def unseen_table(report: Report) -> FigureTable:
    """How much worse coverings go that nobody trained on."""
    figures = ("hole_iou", *FIGURES)
    lines = [
        _line((setting, name, system), [fraction(facts.get(figure)) for figure in figures])
        for setting, slices in report["unseen"].items()
        for name, systems in slices.items()
        for system, facts in systems.items()
    ]
    return FigureTable(
        name="unseen",
        title="Unseen over seen coverings",
        caption="Ratio of the means on the same faces, and its 95 % interval; 1 = no change.",
        head=("system", "setting", "slice", "hole IoU", *map(heading_of, FIGURES)),
        num_words=3,
        lines=tuple(lines),
    )


def group_tables(report: Report) -> Iterator[FigureTable]:
    """Results by turn, skin, source and kind of covering."""
    for setting, traits in report["groups"].items():
        for trait, groups in traits.items():
            counts = {value: max(facts["num"] for facts in some.values()) for value, some in groups.items()}
            systems = list(dict.fromkeys(system for some in groups.values() for system in some))
            over = "all crops" if trait == "kind" else f"slice {BASE_SLICE}"
            taken = {figure for some in groups.values() for facts in some.values() for figure in facts}
            for figure in (figure for figure in FIGURES if figure in taken):
                yield FigureTable(
                    name=f"group-{setting}-{trait}-{figure}",
                    title=f"By kind of picture: {SETTING_TITLES[setting]}",
                    caption=f"{heading_of(figure)} in {setting}, by {GROUPS[trait][0]} ({over}); in brackets "
                    "the pictures.",
                    head=("system", *(f"{value} ({count})" for value, count in counts.items())),
                    num_words=1,
                    lines=tuple(
                        Line(
                            name=system,
                            cells=tuple(
                                figure_cell(some.get(system, {}).get(figure), figure)
                                for some in groups.values()
                            ),
                        )
                        for system in systems
                    ),
                )


def expressions_table(report: Report) -> FigureTable:
    """How often the expression network agrees with the labels: on true, masked and restored faces."""
    sides = {"truth": "true faces", "masked": "masked faces", "restored": "restored faces"}
    lines = [
        _line(place, [_count(facts["num"]), *(fraction(facts[side]) for side in sides)])
        for *place, facts in _labelled(report)
    ]
    return FigureTable(
        name="expressions",
        title="Expressions",
        caption="Fraction of the faces with a labelled expression that our expression network names as their "
        "label does, and its 95 % interval. No restorer does better than the true faces but by chance.",
        head=("system", "setting", "slice", "faces", *sides.values()),
        num_words=3,
        lines=tuple(lines),
    )


def named_table(report: Report) -> FigureTable:
    """What restored faces are named, by label: what a restorer makes of a smile."""
    lines = [
        Line(
            name=system,
            cells=(
                *(Cell(text=text) for text in (setting, name.replace("_", " "), label)),
                *(_count(counts.get(said, 0)) for said in EXPRESSIONS),
            ),
            setting=setting,
            slice=name,
        )
        for setting, name, system, facts in _labelled(report)
        for label, counts in facts["named"].items()
    ]
    return FigureTable(
        name="named",
        title="What restored faces show",
        caption="Restored faces by the label of the true one, and how many our expression network named what.",
        head=("system", "setting", "slice", "labelled", *EXPRESSIONS),
        num_words=4,
        lines=tuple(lines),
    )


def _labelled(report: Report) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    # Reports of earlier versions have none.
    return _places({"slices": report.get("expressions", {})})


def failures_table(report: Report) -> FigureTable:
    """Every failure with its reason."""
    names = ("setting", "slice", "face_id", "error")
    return FigureTable(
        name="failures",
        title="Failures",
        caption="Pictures that a restorer failed on; they are in no mean.",
        head=("system", *names),
        num_words=5,
        lines=tuple(
            Line(name=failure["system"], cells=tuple(Cell(text=failure[name]) for name in names))
            for failure in report["failures"]
        ),
    )


def systems_table(report: Report) -> FigureTable:
    """Who took part."""
    lines = []
    for name, facts in report["systems"].items():
        taken = ", ".join(f"{slice_} {count}" for slice_, count in facts["pictures"].items())
        cells = [Cell(text=text) for text in (facts["version"], taken, facts["paper"])]
        lines.append(Line(name=name, cells=tuple(cells)))
    return FigureTable(
        name="systems",
        title="Systems",
        caption="Who took part, in which version.",
        head=("system", "version", "pictures", "source"),
        num_words=4,
        lines=tuple(lines),
    )


def about_lines(report: Report) -> list[str]:
    """What was measured, in sentences."""
    frozen = report["frozen_set"]
    slices = ", ".join(f"{name} {count}" for name, count in frozen["slices"].items())
    lines = [
        f"Frozen set {frozen['sha256'][:12]} ({slices}). Means over pictures with 95 % bootstrap intervals "
        f"[low, high]; seed {report['seed']}.",
        " ".join(_SETTINGS_SAID[setting] for setting in report["settings"]),
        INVENTED,
    ]
    if "migrated" in report:
        lines.insert(0, report["migrated"])
    if report["limit"] is not None:
        lines.append(f"Only the first {report['limit']} pictures of each slice were used.")
    subsets = {
        name: facts["subset"] for name, facts in report["systems"].items() if facts["subset"] is not None
    }
    if subsets:
        counts = sorted(set(subsets.values()), reverse=True)
        systems = {n: ", ".join(name for name, count in subsets.items() if count == n) for n in counts}
        ran = "; ".join(f"{names} ran on at most {count} pictures a slice" for count, names in systems.items())
        lines.append(
            f"Fixed subsets, drawn by the seed: {ran}. Their means are over those. The paired differences are "
            "over the same pictures for both sides."
        )
    return lines


def markdown(report: Report) -> str:
    """The whole report; it holds no timing, so the same results give the same bytes."""
    parts = [f"Made by `{report['command']}`.", *about_lines(report), markdown_of(all_tables(report))]
    if not report["failures"]:
        parts += ["## Failures", "None."]
    return "\n\n".join(parts) + "\n"


def slice_title(name: str) -> str:
    """A slice as people read it."""
    shown = name.replace("_", " ")
    if name not in PHOTO_SLICES:
        return shown
    return f"{shown} (whole portraits)" if name == "portrait" else f"{shown} (whole photos)"


def _places(report: Report) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    for setting, slices in report["slices"].items():
        for name, systems in slices.items():
            for system, facts in systems.items():
                yield setting, name, system, facts


def _line(place: Sequence[str], cells: Sequence[Cell]) -> Line:
    setting, name, system = place
    words = (Cell(text=setting), Cell(text=name.replace("_", " ")))
    return Line(name=system, cells=(*words, *cells), setting=setting, slice=name)


def _figures(means: Mapping[str, Any]) -> list[Cell]:
    return [figure_cell(means.get(figure), figure) for figure in FIGURES]


def _count(number: int) -> Cell:
    return Cell(text=str(number), value=number)


def _won(against: Mapping[str, Any]) -> Cell:
    """Of the base over another system, from that system's `against_base`."""
    verdict = {"better": "worse", "worse": "better"}.get(against["verdict"], against["verdict"])
    if against["worse_on"] is None:
        return Cell(text="-")
    said = _VERDICTS[verdict]
    return Cell(text=f"{said} ({100 * against['worse_on']:.0f} %)", value=against["worse_on"], verdict=said)


def _arrow(figure: str) -> str:
    return f"{heading_of(figure)} {'↑' if metric_of(figure).better == 'higher' else '↓'}"
