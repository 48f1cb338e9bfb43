"""`demask export`: a training run to the ONNX file that the main job loads, or to safetensors, with a card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from demask.cli import options as o


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a training run.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="File to write, .onnx or .safetensors. Default: RUN/<network>.onnx."
        ),
    ] = None,
    card: Annotated[
        bool, typer.Option("--card", help="Write a model card beside it: data, recipe, figures, limits.")
    ] = False,
    checkpoint: Annotated[
        str, typer.Option("--checkpoint", help="Which of the run's checkpoints: last.pt or best.pt.")
    ] = "last.pt",
    blend_with: Annotated[
        Path | None,
        typer.Option(
            "--blend-with",
            metavar="FILE",
            help="Mix in the weights of another export of this network, such as the one the run began with.",
        ),
    ] = None,
    blend: Annotated[
        float | None,
        typer.Option("--blend", metavar="SHARE", help="How much FILE's weights count, 0 to 1. Default: 0.5."),
    ] = None,
    overwrite: o.Overwrite = False,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Export the averaged weights of a run, as ONNX checked against torch or as safetensors.

    Written into the package's own folder of weights, its checksum is recorded there too.

    Example: demask export runs/hole -o hole.onnx
    """
    from demask.cli.streams import say
    from demask.errors import OutputError, OutputExists, TrainingError, UsageError
    from demask.extras import install_command
    from demask.weights import registry

    try:
        from demask.training.recipes import export_run, saved_recipe
    except ModuleNotFoundError as error:
        raise UsageError(f"exporting needs {error.name}; run: {install_command('train')}") from error

    if blend is not None and blend_with is None:
        raise UsageError(f"--blend {blend:g} says how much, but not of what; name a file with --blend-with")
    name, recipe = saved_recipe(run)
    target = output or run / f"{name}.onnx"
    if target.suffix not in (".onnx", ".safetensors"):
        raise UsageError(f"{target} is neither .onnx nor .safetensors; name one of these")
    beside = target.with_suffix(".md") if card else None
    for path in (target, beside):
        if path and path.exists() and not overwrite:
            raise OutputExists(f"{path} exists; name another output or pass --overwrite")
    if not target.parent.is_dir():
        raise OutputError(f"cannot write {target}: there is no folder {target.parent}; make it first")
    if not (run / checkpoint).is_file():
        raise TrainingError(f"{run} has no checkpoint {checkpoint}; train first, or name another")
    export_run(
        recipe,
        target,
        checkpoint_name=checkpoint,
        card=beside,
        blend=(blend_with, 0.5 if blend is None else blend) if blend_with else None,
    )
    if target.parent.resolve() == registry.SHIPPED_FOLDER.resolve():
        registry.record_shipped(target)
    if not quiet:
        say(f"{run} ({name}) -> {target}, {target.stat().st_size / 1e6:.1f} MB")
