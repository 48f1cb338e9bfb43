"""`demask dataset`: photographs of faces to shards, shards to frozen test sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from demask.cli import options as o

app = typer.Typer(
    help="Build data sets of bare faces, and freeze test sets.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_REFUSED_SHOWN = 10

Seed = Annotated[int, typer.Option("--seed", envvar="DEMASK_SEED", help="Same seed, same bytes.")]


@app.command()
def build(
    out: Annotated[Path, typer.Option("--output", "-o", help="New folder, or one a killed build left.")],
    folder: Annotated[
        list[Path] | None,
        typer.Option(
            "--folder",
            help="A folder of photographs; a subfolder holds one person. May be given several times.",
        ),
    ] = None,
    index: Annotated[
        list[Path] | None,
        typer.Option(
            "--index",
            help="A folder with an index.csv (columns file, source, identity; licence and labels if known). "
            "May be given several times.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="SOURCE", help="Of an index, read only these sources."),
    ] = None,
    ffhq: Annotated[
        Path | None, typer.Option("--ffhq", help="FFHQ as published: images1024x1024 or thumbnails128x128.")
    ] = None,
    kdef: Annotated[
        Path | None, typer.Option("--kdef", help="KDEF as published: files such as AF01/AF01ANS.JPG.")
    ] = None,
    kdef_angle: Annotated[
        list[str] | None,
        typer.Option("--kdef-angle", metavar="CODE", help="Of KDEF, only FL, HL, S, HR or FR."),
    ] = None,
    utkface: Annotated[
        Path | None, typer.Option("--utkface", help="UTKFace as published: age_gender_ethnicity_time.jpg.")
    ] = None,
    take: Annotated[
        list[str] | None,
        typer.Option("--take", metavar="NAME=NUMBER", help="Photographs to take of a source, by the seed."),
    ] = None,
    mix: Annotated[
        str | None,
        typer.Option("--mix", help="study-b: 1400 of ffhq, 588 of kdef, 343 of utkface."),
    ] = None,
    seed: Seed = 0,
    shard_size: Annotated[int, typer.Option("--shard-size", min=1, help="Faces per shard.")] = 500,
    val_percent: Annotated[int, typer.Option("--val-percent", min=0, max=100, help="Of identities.")] = 10,
    test_percent: Annotated[int, typer.Option("--test-percent", min=0, max=100, help="Of identities.")] = 10,
    workers: Annotated[int, typer.Option("--workers", envvar="DEMASK_WORKERS", min=1, help="Processes.")] = 2,
    labels: Annotated[
        str,
        typer.Option(
            "--labels",
            help="Who finds faces and landmarks: own (the package's networks) or teachers (YuNet and FaceMesh, "
            "whose files you bring).",
        ),
    ] = "own",
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights", help="Folder of the teachers' files; default: DEMASK_WEIGHTS, then downloads."
        ),
    ] = None,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Find, align and label the faces of many photographs; write them as tar shards.

    A killed build goes on with the same command. Bad files are skipped and listed.

    Example: demask dataset build --folder portraits -o runs/faces

    Study B's data: demask dataset build --ffhq A --kdef B --utkface C --mix study-b -o runs/study-b
    """
    from itertools import islice

    from demask.cli.streams import meter, say
    from demask.dataset.build import BuildConfig
    from demask.dataset.build import build as build_set
    from demask.dataset.manifest import DATASET
    from demask.dataset.sources import folder as plain
    from demask.dataset.sources import index as indexed
    from demask.dataset.sources import layout, read_takes, with_takes
    from demask.errors import UsageError
    from demask.parallel import kill_is_ctrl_c

    sources = [plain(path) for path in folder or ()]
    sources += [indexed(path, sources=tuple(only or ())) for path in index or ()]
    if kdef_angle and kdef is None:
        raise UsageError("--kdef-angle is given but no --kdef; name KDEF's folder")
    if ffhq is not None:
        sources.append(layout("ffhq", ffhq))
    if kdef is not None:
        sources.append(layout("kdef", kdef, angles=tuple(kdef_angle or ())))
    if utkface is not None:
        sources.append(layout("utkface", utkface))
    takes = read_takes(take or (), mix=mix)
    config = BuildConfig(
        sources=with_takes(sources, takes, seed=seed),
        out=out,
        seed=seed,
        shard_size=shard_size,
        val_percent=val_percent,
        test_percent=test_percent,
        workers=workers,
        labels=labels,
        weights=weights,
    )
    with kill_is_ctrl_c(), meter("photographs", shown=not quiet) as show:
        report = build_set(config, progress=lambda done, total, file: show(done, total))
    if quiet:
        return
    for face_id, reason in report.skipped.items():
        say(f"skipped {face_id}: {reason}")
    for file, reason in islice(report.refused.items(), _REFUSED_SHOWN):
        say(f"left out {file}: {reason}")
    if len(report.refused) > _REFUSED_SHOWN:
        say(f"... and {len(report.refused) - _REFUSED_SHOWN} more, listed in {report.out / DATASET}")
    splits = ", ".join(f"{count} {split}" for split, count in report.per_split.items())
    say(
        f"{report.out}: {report.num_faces} faces in {report.num_shards} shards ({splits}); "
        f"{len(report.skipped)} skipped, {len(report.duplicates)} duplicates left out"
        + (f", {len(report.refused)} with other names" if report.refused else "")
    )


@app.command()
def freeze(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Folder that `demask dataset build` wrote.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="Folder to make; must not be there yet.")],
    textures: Annotated[
        Path | None,
        typer.Option("--textures", help="Photographs without faces; pieces of them become prints."),
    ] = None,
    split: Annotated[str, typer.Option("--split", help="train, val or test.")] = "test",
    seed: Seed = 0,
    per_slice: Annotated[int, typer.Option("--per-slice", min=1, help="Pictures in each slice.")] = 300,
    portraits: Annotated[int, typer.Option("--portraits", min=0, help="Whole portraits.")] = 150,
    wide: Annotated[int, typer.Option("--wide", min=0, help="Photos whose coverings run on.")] = 150,
    turned: Annotated[int, typer.Option("--turned", min=0, help="Photos of turned heads.")] = 150,
    large: Annotated[int, typer.Option("--large", min=0, help="Sharp photos of 512 px.")] = 100,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Draw the coverings of a test set once, and store masked, face, hole and recipe.

    Example: demask dataset freeze runs/faces -o runs/frozen
    """
    from demask.cli.streams import meter, say
    from demask.dataset.freeze import FreezeConfig
    from demask.dataset.freeze import freeze as freeze_set
    from demask.parallel import kill_is_ctrl_c

    config = FreezeConfig(
        data=data,
        out=out,
        textures=textures,
        split=split,
        seed=seed,
        per_slice=per_slice,
        portraits=portraits,
        wide=wide,
        turned=turned,
        large=large,
    )
    with kill_is_ctrl_c(), meter("pictures", shown=not quiet) as show:
        frozen = freeze_set(config, progress=lambda done, total, face_id: show(done, total))
    if not quiet:
        slices = ", ".join(f"{count} {name}" for name, count in frozen.slices.items())
        say(f"{frozen.out}: {slices}; sha256 {frozen.sha256}")


@app.command()
def gallery(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Folder that `demask dataset build` wrote.")],
    out: Annotated[Path, typer.Option("--output", "-o", help="Folder to make; must not be there yet.")],
    split: Annotated[str, typer.Option("--split", help="train, val or test.")] = "train",
    seed: Seed = 0,
    workers: Annotated[int, typer.Option("--workers", envvar="DEMASK_WORKERS", min=1, help="Threads.")] = 2,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Make a gallery that the restorer scene-completion fills holes from.

    It holds the photographs of people that the set holds, and so does every face filled from it, in pieces:
    keep both to yourself, under the terms of the sources, and never publish them.

    Example: demask dataset gallery runs/faces -o runs/gallery

    Then: demask remove photo.jpg --restorer scene-completion:runs/gallery
    """
    from demask.cli.streams import meter, say
    from demask.dataset.gallery import GalleryConfig, build_gallery
    from demask.parallel import kill_is_ctrl_c

    config = GalleryConfig(data=data, out=out, split=split, seed=seed, workers=workers)
    with kill_is_ctrl_c(), meter("faces", shown=not quiet) as show:
        made = build_gallery(config, progress=show)
    if not quiet:
        say(
            f"{made.out}: {made.num_faces} faces of {made.num_identities} identities, "
            f"{made.num_bytes / 1e6:.0f} MB, {'with' if made.indexed else 'without'} an index; photographs of "
            "people: do not publish it, nor what is filled from it"
        )


@app.command()
def info(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A built set or a frozen one.")],
    debug: o.Debug = False,
) -> None:
    """Print what a set holds, as JSON.

    Example: demask dataset info runs/faces
    """
    import json

    from demask.dataset.manifest import DATASET
    from demask.errors import DatasetError

    if (folder / DATASET).is_file():
        try:
            facts = json.loads((folder / DATASET).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DatasetError(f"{folder / DATASET} is damaged: {error}; build the set again") from error
    else:
        from demask.dataset.frozen_set import SET, read_info

        if not (folder / SET).is_file():
            raise DatasetError(
                f"{folder} holds neither {DATASET} nor {SET}; name a folder that "
                "`demask dataset build` or `demask dataset freeze` finished"
            )
        facts = read_info(folder)
    typer.echo(json.dumps(facts, indent=2, ensure_ascii=False))
