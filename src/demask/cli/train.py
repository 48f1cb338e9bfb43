"""`demask train` and `demask export`: one command per network, and from its run to a file that others load."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from demask.cli import options as o


def train(
    network: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE",
            help="What to train, such as finder, hole, restorer or pix2pix; --list names all.",
        ),
    ],
    data: Annotated[
        Path, typer.Option("--data", envvar="DEMASK_TRAIN_DATA", help="Folder of `demask dataset build`.")
    ],
    run: Annotated[
        Path | None,
        typer.Option(
            "--run",
            "-o",
            help="Folder of this run; the same folder resumes. Default: runs/<recipe>. "
            "Under torchrun write -o: it takes --run for its own.",
        ),
    ] = None,
    backgrounds: Annotated[
        Path | None,
        typer.Option("--backgrounds", help="Photographs without faces: prints, and the finder's negatives."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Override a setting, such as trainer.steps=100 or batch_size=8. May be given several times.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the resolved settings and one step's losses; keep nothing.")
    ] = False,
    names: Annotated[
        bool, typer.Option("--list", is_eager=True, callback=_list_recipes, help="Name the recipes and end.")
    ] = False,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Train a network. A killed run goes on with the same command; `torchrun` trains in several processes.

    Metrics go to metrics.jsonl and TensorBoard, pictures to the run folder.

    Example: demask train hole --data runs/faces --run runs/hole
    """
    import signal
    import threading
    import time

    from demask.cli.streams import meter, say, show_log
    from demask.errors import UsageError
    from demask.extras import install_command

    try:
        from demask.training.engine.run_log import Progress
        from demask.training.recipes import rehearsal, resolve, run_training
    except ModuleNotFoundError as error:
        raise UsageError(f"training needs {error.name}; run: {install_command('train')}") from error

    if not quiet:
        show_log("demask.training")
    run = run or Path("runs") / network
    recipe = resolve(network, data=data, run=run, backgrounds=backgrounds, settings=settings or ())
    if dry_run:
        import json

        typer.echo(json.dumps(rehearsal(recipe), indent=2, default=str))
        return

    # Ctrl-C and a plain kill end the run after its current step, which is saved; a second one ends it at once.
    stopping = threading.Event()

    def stop(_number: int, _frame: object) -> None:
        stopping.set()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    last_said = -float("inf")
    with meter(f"{network}, steps", shown=not quiet) as show:

        def on_progress(progress: Progress) -> None:
            nonlocal last_said
            show(progress.step, progress.steps)
            if quiet or time.monotonic() - last_said < 60:
                return
            last_said = time.monotonic()
            numbers = ", ".join(f"{name} {value:.4g}" for name, value in progress.scalars.items())
            minutes = progress.seconds_left / 60
            say(
                f"{progress.step}/{progress.steps}, {progress.pictures_per_s:.1f} pictures/s, "
                f"{progress.waiting_fraction:.0%} waiting for data, {minutes:.0f} min left: {numbers}"
            )

        trainer = run_training(recipe, on_progress, should_stop=stopping.is_set)
    if stopping.is_set():
        if not quiet:
            say("stopped and saved; the same command goes on")
        raise KeyboardInterrupt
    if not quiet and trainer.num_steps < trainer.config.steps:
        say(
            f"max_minutes is over at step {trainer.num_steps} of {trainer.config.steps}; the same command "
            f"goes on; or take it as it is: demask export {run}"
        )
    elif not quiet:
        say(f"done; export it with: demask export {run}")


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


def _list_recipes(wanted: bool) -> None:
    if not wanted:
        return
    from demask.errors import UsageError
    from demask.extras import install_command

    try:
        from demask.training.tasks.register import recipes
    except ModuleNotFoundError as error:
        raise UsageError(f"training needs {error.name}; run: {install_command('train')}") from error
    for name, make in recipes().items():
        typer.echo(f"{name:24}{(make.__doc__ or '').splitlines()[0]}")
    raise typer.Exit
