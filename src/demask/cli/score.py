"""`demask score`: how near restored pictures come to the truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from demask.cli import options as o

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from demask.evaluation.aggregate import Summary
    from demask.evaluation.metrics.distributions import SetDistance
    from demask.evaluation.pairs import Matched
    from demask.evaluation.scorer import Row, Scorer

_NAMED_SHOWN = 10
_PLAIN_WIDTH = 160
_SET_DIGITS = 5


def score(
    restored: Annotated[
        Path, typer.Argument(metavar="RESTORED", help="Folder of restored pictures, or one file.")
    ],
    truth: Annotated[
        Path,
        typer.Argument(
            metavar="TRUTH",
            help="Folder of the same names, any suffix; one file; or a frozen test set, whose holes and inputs "
            "are then used, too.",
        ),
    ],
    holes: Annotated[
        Path | None,
        typer.Option("--holes", metavar="DIR", help="PNG holes of the same names, non-zero = hole."),
    ] = None,
    masked: Annotated[
        Path | None,
        typer.Option(
            "--masked", metavar="DIR", help="The pictures before they were restored: measured beside them."
        ),
    ] = None,
    out: Annotated[
        list[Path] | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="Write a .json or .csv file. May be given several times."
        ),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            "--metrics",
            envvar="DEMASK_METRICS",
            metavar="NAME,...|all",
            help="Of mse, psnr, ssim, ms_ssim, lpips, lpips_alex, lpips_vgg, identity, landmarks, "
            "expression, fid, kid. Default: all but lpips_alex, lpips_vgg, expression, fid and kid.",
        ),
    ] = None,
    features: Annotated[
        Path | None,
        typer.Option(
            "--features", metavar="FILE", help="ONNX network for FID and KID; default: SqueezeNet 1.1."
        ),
    ] = None,
    allow_unmatched: Annotated[
        bool, typer.Option("--allow-unmatched", help="Pictures without a partner are named but no failure.")
    ] = False,
    device: o.Device = "auto",
    threads: o.Threads = None,
    max_megapixels: o.MaxMegapixels = 100,
    overwrite: o.Overwrite = False,
    json: o.Json = False,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Compare restored pictures with the truth, whoever made them.

    Files are matched by their path without suffix. Prints each figure's mean with its 95 % bootstrap
    interval over pictures. Nothing is resized: two sizes in a pair are that pair's error. A picture
    without a partner makes the exit code 3, like one that fails.

    Example: demask score restored/ truth/ --holes holes/ -o scores.json
    """
    from demask.errors import UsageError, WeightsError

    targets = _targets(out or [], overwrite=overwrite)

    from demask.evaluation.metrics.metric_catalogue import METRICS, parse_metrics
    from demask.evaluation.pairs import match

    names, by_name = parse_metrics(metrics)
    if features is not None and not any(METRICS[name].of_set for name in names):
        raise UsageError("--features is given but neither fid nor kid is measured; add --metrics fid,kid")
    matched = match(restored, truth, holes=holes, masked=masked)

    from demask.cli.streams import say
    from demask.evaluation.metrics.networks import checksums, open_networks
    from demask.evaluation.score_report import as_csv, as_json, summarise
    from demask.evaluation.scorer import Scorer

    networks = open_networks(names, device=device, threads=threads, features=features)
    if by_name and networks.missing:
        raise WeightsError("; ".join(f"{name}: {why}" for name, why in networks.missing.items()))
    if not quiet:
        for name, why in networks.missing.items():
            say(f"{name} is left out: {why}")
    scorer = Scorer(
        names,
        networks,
        holes=matched.holes,
        masked=matched.masked,
        max_megapixels=max_megapixels,
    )
    rows = _run(scorer, matched, json=json, quiet=quiet)
    _name_unmatched(matched, allowed=allow_unmatched, quiet=quiet)
    done = [row for row in rows if row.error is None]
    summary = summarise(rows, scorer.columns)
    sets = scorer.set_distances()
    network = networks.features.name if networks.features else None
    for target in targets:
        from demask.atomic import write_atomic

        if target.suffix.lower() == ".csv":
            data = as_csv(rows, scorer.columns)
        else:
            data = as_json(
                rows,
                summary,
                command=_command(),
                sets=sets,
                feature_network=network,
                missing=networks.missing,
                weights=checksums(scorer.metrics, features=features),
                matched=matched,
            )
        write_atomic(target, data, overwrite=overwrite)
    if done and not json:
        _print(summary, sets, network, num=len(done))
    num_unmatched = 0 if allow_unmatched else len(matched.only_restored) + len(matched.only_truth)
    raise typer.Exit(_exit_code(len(done), len(rows) - len(done) + num_unmatched))


def _targets(out: Sequence[Path], *, overwrite: bool) -> list[Path]:
    """Check the files to write before any work is done."""
    from demask.errors import OutputError, OutputExists, UsageError

    for path in out:
        if path.suffix.lower() not in (".json", ".csv"):
            raise UsageError(f"--out {path}: the name must end in .json or .csv")
        if not path.parent.is_dir():
            raise OutputError(f"cannot write {path}: there is no folder {path.parent}; make it first")
        if path.exists() and not overwrite:
            raise OutputExists(f"{path} exists; name another output or pass --overwrite")
    if len({path.resolve() for path in out}) < len(out):
        raise UsageError("--out names one file twice; give each its own name")
    return list(out)


def _run(scorer: Scorer, matched: Matched, *, json: bool, quiet: bool) -> list[Row]:
    """Measure all pairs; errors are printed at once.

    Raises:
        KeyboardInterrupt: After Ctrl-C; no output file has been touched.
    """
    from demask.cli.streams import meter, print_json, say_error
    from demask.evaluation.score_report import row_record

    rows: list[Row] = []
    num = len(matched.pairs)
    try:
        with meter("pictures", shown=num > 1 and not quiet) as show:
            for pair in matched.pairs:
                rows.append(scorer(pair))
                show(len(rows), num)
                if rows[-1].error is not None:
                    say_error(f"{pair.name}: {rows[-1].error}")
                if json:
                    print_json(row_record(rows[-1]))
    except KeyboardInterrupt:
        say_error(f"interrupted; {len(rows)} of {num} pictures were measured, nothing was written")
        raise
    return rows


def _name_unmatched(matched: Matched, *, allowed: bool, quiet: bool) -> None:
    """Name every file that failed for want of a partner; where that is allowed, a few of them."""
    from demask.cli.streams import say, say_error

    files = {"no truth for": matched.only_restored, "nothing restored for": matched.only_truth}
    lacking = {"no hole for": matched.no_hole, "no masked input for": matched.no_masked}
    if allowed:
        lacking = {what: tuple(map(str, paths)) for what, paths in files.items()} | lacking
    else:
        for what, paths in files.items():
            for path in paths:
                say_error(f"{what} {path}")
    for what, names in lacking.items():
        if names and not quiet:
            more = f" and {len(names) - _NAMED_SHOWN} more" if len(names) > _NAMED_SHOWN else ""
            say(f"{what} {', '.join(names[:_NAMED_SHOWN])}{more}")


def _exit_code(num_done: int, num_failed: int) -> int:
    from demask.cli.outcome import FAILED_SOME

    if not num_failed:
        return 0
    return FAILED_SOME if num_done else 1


def _command() -> list[str]:
    import sys

    return ["demask", *sys.argv[1:]]


def _print(summary: Summary, sets: dict[str, dict[str, SetDistance]], network: str | None, *, num: int) -> None:
    """The table on stdout, then what it must not hide."""
    from rich.console import Console

    from demask.evaluation.bootstrap import too_few
    from demask.evaluation.metrics.metric_catalogue import heading_of

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_PLAIN_WIDTH)
    if summary:
        console.print(_table(summary, num))
    if summary and (words := too_few(num)):
        console.print(f"{words}.", markup=False)
    for facts in summary.values():
        for reason, count in facts["reasons"].items():
            console.print(f"{facts['heading']}: {count} of {num} have none: {reason}", markup=False)
    for name, sides in sets.items():
        text = ", ".join(f"{side} {distance.value:.{_SET_DIGITS}g}" for side, distance in sides.items())
        distance = next(iter(sides.values()))
        console.print(f"{heading_of(name)}: {text} ({distance.num[0]} pictures; {network})", markup=False)
        if distance.num_left_out:
            console.print(f"  {distance.num_left_out} feature vectors were not finite and are left out")
        if distance.few:
            console.print(
                f"  too few pictures, fewer than {2 * distance.num_dims} (twice the features): "
                + ("FID comes out too high" if name == "fid" else "KID scatters widely"),
                markup=False,
            )
    if sets:
        console.print(
            "Never set them beside figures of another network, such as the published ones of Inception.",
            markup=False,
        )


def _table(summary: Summary, num: int) -> Table:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from demask.evaluation.table_parts import figure_cell

    parts = {"restored": "mean"}
    if any("masked" in facts for facts in summary.values()):
        parts |= {"masked input": "masked", "restored - masked": "difference"}
    table = Table(box=box.SIMPLE, title_justify="left")
    table.title = escape(f"{num} pictures against the truth: mean [95 % bootstrap interval]")
    table.add_column("figure")
    table.add_column("better", min_width=6)
    for head in (*parts, "pictures"):
        table.add_column(head, justify="right")
    for column, facts in summary.items():
        cells = [escape(figure_cell(facts.get(part), column).text) for part in parts.values()]
        table.add_row(facts["heading"], facts["better"], *cells, str(facts["mean"]["num"]))
    return table
