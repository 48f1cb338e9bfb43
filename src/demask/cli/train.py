"""`demask train`: one command per network; the same command resumes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from demask.cli import options as o


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
