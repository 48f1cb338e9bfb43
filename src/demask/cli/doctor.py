"""`demask doctor`: is everything there that the main job needs, does it run, and how to get what is missing."""

from __future__ import annotations

import typer

from demask.cli import options as o


def doctor(device: o.Device = "auto", debug: o.Debug = False) -> None:
    """Check the installation: packages, extras, devices, weights, and a run of every network.

    Exits with 1 if the main job would not work.

    Example: demask doctor --device cuda
    """
    import platform

    from demask.cli.installation import base_packages, extra_states
    from demask.cli.streams import say_error
    from demask.errors import DemaskError
    from demask.extras import install_command
    from demask.version import __version__

    typer.echo(f"demask {__version__}, Python {platform.python_version()}, {platform.platform()}")
    typer.echo("base:")
    for package, version in base_packages():
        typer.echo(f"  {package} {version or 'IS NOT INSTALLED'}")
    typer.echo("extras:")
    for extra, packages in extra_states():
        missing = [name for name, version in packages if version is None]
        there = ", ".join(f"{name} {version}" for name, version in packages if version)
        how = f"missing {', '.join(missing)}; to have it: {install_command(extra)}" if missing else "all there"
        typer.echo(f"  {extra}: {how}" + (f" (there: {there})" if missing and there else ""))
    failed = _devices(device)
    for name in ("finder", "hole", "restorer"):
        try:
            typer.echo(f"{name}: {_try(name, device)}")
        except DemaskError as error:
            say_error(f"{name}: {error}")
            failed = True
    if failed:
        raise typer.Exit(1)
    typer.echo("all is well")


def _devices(device: str) -> bool:
    """Tell which devices there are; True where something is wrong with the runtime."""
    import sys

    from demask.cli.streams import say_error

    try:
        import onnxruntime

        from demask.weights.devices import KINDS, how_to_get, installed_builds, providers_for
    except ImportError as error:
        hint = ""
        if sys.platform == "win32":
            hint = "; install Microsoft's Visual C++ runtime: https://aka.ms/vs/17/release/vc_redist.x64.exe"
        say_error(f"onnxruntime cannot be loaded: {error}{hint}")
        raise typer.Exit(1) from None
    there = onnxruntime.get_available_providers()
    typer.echo("devices:")
    typer.echo("  cpu: there")
    for name, kind in KINDS.items():
        typer.echo(f"  {name}: {'there' if kind.provider in there else 'not there; ' + how_to_get(name)}")
    builds = installed_builds()
    if len(builds) > 1:
        names = " ".join(builds)
        say_error(
            f"{' and '.join(builds)} are all installed and spoil each other; run: pip uninstall -y {names} && "
            f"pip install {list(builds)[-1]}"
        )
        return True
    from demask.errors import DemaskError

    try:
        used = providers_for(device)[0]
        typer.echo(f"used with --device {device}: {used[0] if isinstance(used, tuple) else used}")
    except DemaskError as error:
        say_error(str(error))
        return True
    return False


def _try(name: str, device: str) -> str:
    """Load and run one of the three networks on an empty picture; say how long it took."""
    import time

    import numpy as np

    from demask.faces.crop_networks import HoleFinder
    from demask.faces.finder import Finder
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
