"""`demask c2pa`: what signing with Content Credentials needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from demask.cli import options as o

app = typer.Typer(no_args_is_help=True, help="Content Credentials (C2PA): a certificate to try signing with.")


@app.command("test-cert")
def trial_certificate(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the three files.")
    ] = Path(),
    days: Annotated[int, typer.Option("--days", min=1, max=825, help="How long the certificate holds.")] = 30,
    overwrite: o.Overwrite = False,
    debug: o.Debug = False,
) -> None:
    """Make a throw-away certificate chain, its key, and its root, to try --c2pa with.

    What it signs reads as valid but untrusted everywhere, as it should: anybody can make one. For real
    use, docs/provenance.md says which certificates count.

    Example: demask c2pa test-cert -o trial && demask remove photo.jpg --c2pa trial/chain.pem trial/key.pem
    """
    from demask.atomic import write_atomic
    from demask.cli.outputs import make_folder
    from demask.cli.streams import say
    from demask.errors import OutputExists
    from demask.photo.trial_certificate import make_trial_certificate

    made = make_trial_certificate(days=days)
    files = {"chain.pem": made.chain, "key.pem": made.key, "root.pem": made.root}
    make_folder(output)
    for name in files:
        if (output / name).exists() and not overwrite:
            raise OutputExists(f"{output / name} exists; name another folder or pass --overwrite")
    for name, data in files.items():
        write_atomic(output / name, data, overwrite=overwrite, mode=0o600 if name == "key.pem" else None)
    chain, key = output / "chain.pem", output / "key.pem"
    say(f"made for {days} days, trusted by nobody; use it with: --c2pa {chain} {key}")
    say(f"to see it trusted here: demask inspect FILE --trust {output / 'root.pem'}")
