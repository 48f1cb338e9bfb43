"""Options that several commands share; each has an environment variable that mirrors it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from demask.cli.completions import complete_with, devices, restorers
from demask.cli.streams import set_debugging
from demask.errors import UsageError

if TYPE_CHECKING:
    from demask.faces.choice import Faces as FaceChoice


def _debug(wanted: bool) -> bool:
    if wanted:
        set_debugging()
    return wanted


Debug = Annotated[
    bool,
    typer.Option(
        "--debug", envvar="DEMASK_DEBUG", callback=_debug, help="Show tracebacks and what the libraries log."
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        envvar="DEMASK_DEVICE",
        autocompletion=complete_with(devices),
        metavar="auto|cpu|cuda[:N]|directml[:N]|coreml|openvino[:NAME]",
        help="Where the networks run; `demask doctor` says what is there and how to get more.",
    ),
]
FinderNetwork = Annotated[
    Path | None,
    typer.Option(
        "--finder-network",
        envvar="DEMASK_FINDER_NETWORK",
        metavar="FILE",
        help="Find faces with this .onnx network instead; docs/python.md says what it takes and gives.",
    ),
]
HoleNetwork = Annotated[
    Path | None,
    typer.Option(
        "--hole-network",
        envvar="DEMASK_HOLE_NETWORK",
        metavar="FILE",
        help="Find holes with this .onnx network instead; docs/python.md says what it takes and gives.",
    ),
]
Restorer = Annotated[
    str,
    typer.Option(
        "--restorer",
        envvar="DEMASK_RESTORER",
        autocompletion=complete_with(restorers),
        metavar="NAME",
        help="One of `demask restorers`, other packages' too; scene-completion:GALLERY; or an .onnx file.",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        envvar="DEMASK_THREADS",
        min=1,
        help="Threads of each network; default: cores divided by --jobs.",
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        envvar="DEMASK_JOBS",
        min=1,
        help="Photos worked on at the same time; default: cores divided by --threads, or one per core.",
    ),
]
Faces = Annotated[
    str,
    typer.Option(
        "--faces",
        envvar="DEMASK_FACES",
        metavar="all|largest|0,2,...",
        help="Which faces; numbers count as `demask find` lists them, from 0.",
    ),
]
MaxMegapixels = Annotated[
    float,
    typer.Option(
        "--max-megapixels",
        envvar="DEMASK_MAX_MEGAPIXELS",
        help="Refuse larger pictures, before they are decoded.",
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", envvar="DEMASK_OVERWRITE", help="Replace files that exist.")
]
SkipUntouched = Annotated[
    bool,
    typer.Option(
        "--skip-untouched",
        envvar="DEMASK_SKIP_UNTOUCHED",
        help="Write no output for a photo with nothing to remove. Default: it is copied.",
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", envvar="DEMASK_QUIET", help="Say nothing but errors on stderr.")
]
Json = Annotated[
    bool, typer.Option("--json", envvar="DEMASK_JSON", help="Print one JSON line per input on stdout.")
]
WebRuntime = Annotated[
    Path | None,
    typer.Option(
        "--runtime",
        envvar="DEMASK_RUNTIME",
        metavar="DIR",
        help="Folder of onnxruntime-web, so that the page works in the browser too; see `demask page`.",
    ),
]
C2pa = Annotated[
    tuple[Path, Path] | None,
    typer.Option(
        "--c2pa",
        envvar="DEMASK_C2PA",
        metavar="CERT KEY",
        help="Sign what is restored with this certificate chain and key (PEM): its Content Credentials then "
        "name the photo it was made from. `demask c2pa test-cert` makes a pair to try.",
    ),
]
Inputs = Annotated[
    list[str],
    typer.Argument(metavar="PHOTO...", help="Files, folders (searched recursively), or - for stdin."),
]


def parse_faces(text: str) -> FaceChoice:
    """Read `all`, `largest` or `0,2`.

    Raises:
        UsageError: It is none of these.
    """
    from demask.faces.choice import faces_from_text

    return faces_from_text(text, name="--faces")


def only_file(path: Path | None, option: str) -> Path | None:
    """Return `path` if it is absent or a file.

    Raises:
        UsageError: The path that the option names is no file.
    """
    if path is not None and not path.is_file():
        there = "it is not a file" if path.exists() else "there is no such file"
        raise UsageError(f"{option} {path}: {there}")
    return path


def require_c2pa(pair: tuple[Path, Path] | None) -> None:
    """Try the certificate and key, if any, before any work is done.

    Raises:
        UsageError: A path is no file, or c2pa-python is not installed.
        InputError: They do not sign.
    """
    if pair is None:
        return
    for path in pair:
        only_file(path, "--c2pa")
    from demask.photo.credentials import require_signer

    require_signer(*pair)


def parse_format(name: str | None) -> str | None:
    """Read the name of a format to write, such as `jpg` or `PNG`; None stays None.

    Raises:
        UsageError: We do not write it.
    """
    if name is None:
        return None
    from demask.errors import PhotoUnsupported
    from demask.photo.formats import format_of, writable

    known = format_of(Path(f"x.{name.lower()}")) or name.upper()
    try:
        writable(known, label=True)
    except PhotoUnsupported as error:
        raise UsageError(f"--format {name}: {error}") from error
    return known
