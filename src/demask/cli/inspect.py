"""`demask inspect`: what a picture file says of its own making."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from demask.cli import options as o

if TYPE_CHECKING:
    from demask.photo.inspection import Inspection


def inspect(
    inputs: o.Inputs,
    trust: Annotated[
        Path | None,
        typer.Option(
            "--trust",
            envvar="DEMASK_TRUST",
            metavar="FILE",
            help="Certificates (PEM) whose signatures count as trusted. Without, none do: `valid` is the most.",
        ),
    ] = None,
    max_megapixels: o.MaxMegapixels = 100,
    json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Say what is known of pictures: restored by demask or not, with which networks, what marks they carry.

    Looks at the label (XMP), the Content Credentials (C2PA) and what else is in the file; never at the
    pixels: a picture whose metadata somebody removed tells nothing.

    Example: demask inspect photo-demasked.jpg
    """
    from demask.cli.outcome import Report, exit_code_of, failure
    from demask.cli.photo_jobs import plan_jobs
    from demask.cli.streams import print_json, read_stdin, say_error, write_line
    from demask.photo.inspection import inspect_photo

    o.only_file(trust, "--trust")
    reports: list[Report] = []
    # No output of an earlier run is passed over: it is what one would look at.
    for job in plan_jobs(inputs, None, ending="\0", writes=False):
        try:
            source = read_stdin(max_megapixels=max_megapixels) if job.source is None else job.source
            known = inspect_photo(source, max_megapixels=max_megapixels, trust=trust)
        except Exception as error:  # One bad file must not end a run over many.
            reports.append(failure(job.label, error))
            if json:
                print_json({"input": job.label, "error": reports[-1].error})
            say_error(str(reports[-1].error))
            continue
        reports.append(Report(input=job.label, status="known"))
        if json:
            print_json({"input": job.label, **known.as_json(), "error": None})
        else:
            for line in _lines(job.label, known):
                write_line(line)
    raise typer.Exit(exit_code_of(reports))


def _lines(label: str, known: Inspection) -> list[str]:
    height, width = known.size
    lines = [f"{label}: {known.format}, {width}x{height} px"]
    if known.restored:
        version = f" {known.label.version}" if known.label.version else ""
        lines.append(f"  restored by demask{version}: the lower face is invented, it is not the person's")
    else:
        lines.append("  nothing says that demask restored it")
    networks = known.label.networks or dict(known.manifest.networks)
    lines += [f"  {purpose}: {name}{_installed(purpose, name)}" for purpose, name in networks.items()]
    if known.label.source_type:
        lines.append(f"  digital source type: {known.label.source_type.rpartition('/')[2]}")
    if known.label.system and not known.restored:
        lines.append(f"  made with: {known.label.system}")
    lines.append(f"  Content Credentials: {_manifest(known)}")
    lines.append(f"  holds: {', '.join(known.holds) or 'no metadata'}")
    return lines


def _installed(purpose: str, name: str) -> str:
    from demask.weights.registry import REGISTRY, fingerprint

    return ", the one installed here" if purpose in REGISTRY and fingerprint(purpose) == name else ""


def _manifest(known: Inspection) -> str:
    manifest = known.manifest
    if manifest.state == "none":
        return "none"
    if manifest.state == "unread":
        from demask.extras import install_command

        why = "; ".join(manifest.problems) or f"reading them needs c2pa-python; run: {install_command('c2pa')}"
        return f"there are some, not read ({why})"
    words = {
        "invalid": "INVALID, the file or its manifest was changed after signing",
        "valid": "valid, untrusted (the signer is on no list given with --trust)",
        "trusted": "valid, trusted",
    }
    parts = [words[manifest.state]]
    if manifest.signer:
        parts.append(f"signed by {manifest.signer}" + (f" at {manifest.when}" if manifest.when else ""))
    if manifest.actions:
        parts.append(f"actions {', '.join(manifest.actions)}")
    if manifest.originals:
        parts.append(f"made from {', '.join(manifest.originals)}")
    if manifest.problems:
        parts.append(f"problems {', '.join(manifest.problems)}")
    return "; ".join(parts)
