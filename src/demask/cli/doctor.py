"""`demask doctor`: is everything there that the main job needs, and does it run?"""

from __future__ import annotations

import typer

from demask.cli import options as o

PACKAGES = ("numpy", "Pillow", "opencv-python-headless", "onnxruntime", "typer", "rich")
EXTRAS = ("torch", "onnx", "pillow-heif", "c2pa-python")


def doctor(device: o.Device = "auto", debug: o.Debug = False) -> None:
    """Check the installation: packages, devices, weights, and a run of every network.

    Exits with 1 if the main job would not work.

    Example: demask doctor
    """
    import platform
    from importlib import metadata

    from demask import __version__
    from demask.cli.streams import say_error
    from demask.errors import DemaskError

    typer.echo(f"demask {__version__}, Python {platform.python_version()}, {platform.platform()}")
    for package in (*PACKAGES, *EXTRAS):
        try:
            typer.echo(f"  {package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            typer.echo(f"  {package} is not installed" + (" (optional)" if package in EXTRAS else ""))

    import onnxruntime

    typer.echo(f"onnxruntime can use: {', '.join(onnxruntime.get_available_providers())}")
    failed = False
    for name in ("finder", "hole", "restorer"):
        try:
            typer.echo(f"{name}: {_try(name, device)}")
        except DemaskError as error:
            say_error(f"{name}: {error}")
            failed = True
    if failed:
        raise typer.Exit(1)
    typer.echo("all is well")


def _try(name: str, device: str) -> str:
    """Load and run one of the three networks on an empty picture; say how long it took."""
    import time

    import numpy as np

    from demask.faces.finder import Finder
    from demask.faces.hole import HoleFinder
    from demask.restorers.by_name import get_restorer
    from demask.weights import registry

    start = time.perf_counter()
    picture = np.zeros((256, 256, 3), np.uint8)
    if name == "finder":
        finder = Finder.shipped(device=device)
        loaded = time.perf_counter()
        finder(picture)
    elif name == "hole":
        hole_finder = HoleFinder.shipped(device=device)
        loaded = time.perf_counter()
        hole_finder(picture[None])
    else:
        restorer = get_restorer("network", device=device)
        loaded = time.perf_counter()
        restorer(picture, np.ones((256, 256), bool))
    done = time.perf_counter()
    return (
        f"{registry.find(name)}, loaded in {(loaded - start) * 1000:.0f} ms, "
        f"first run {(done - loaded) * 1000:.0f} ms"
    )
