"""`demask compare`: a photo and what was made of it, shown together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from demask.cli import options as o


def compare(
    before: Annotated[Path, typer.Argument(metavar="BEFORE", help="The photo.")],
    after: Annotated[Path, typer.Argument(metavar="AFTER", help="What was made of it, of the same size.")],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="A picture (.png, .jpg, .webp): side by side. A .gif: in turns. An .html page: with a slider.",
        ),
    ],
    max_px: Annotated[
        int | None,
        typer.Option("--max-px", min=16, help="Longest side of each; larger ones are scaled down."),
    ] = None,
    max_megapixels: o.MaxMegapixels = 100,
    overwrite: o.Overwrite = False,
    quiet: o.Quiet = False,
    debug: o.Debug = False,
) -> None:
    """Show a photo and what was made of it together: a picture, a GIF, or a page with a slider.

    Example: demask compare photo.jpg photo-demasked.jpg -o both.html
    """
    import io

    from demask.atomic import write_atomic
    from demask.cli.streams import say
    from demask.errors import OutputExists, UsageError
    from demask.photo.showing import pixels_of, side_by_side, slider_page, taking_turns

    for path, name in ((before, "BEFORE"), (after, "AFTER")):
        o.only_file(path, name)
    kinds = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".gif": "GIF", ".html": "HTML"}
    kind = kinds.get(output.suffix.lower())
    if kind is None:
        raise UsageError(f"{output} must end in one of {', '.join(kinds)}")
    if output.exists() and not overwrite:
        raise OutputExists(f"{output} exists; name another output or pass --overwrite")
    one, other = (pixels_of(path, max_megapixels=max_megapixels) for path in (before, after))
    if kind == "GIF":
        data = taking_turns(one, other, max_px=max_px or 720)
    elif kind == "HTML":
        data = slider_page(one, other, title=after.name, max_px=max_px or 1600).encode()
    else:
        both, written = side_by_side(one, other, max_px=max_px), io.BytesIO()
        options = {"xmp": both.info["xmp"]} if kind != "PNG" else {"pnginfo": _png_label(both.info["xmp"])}
        both.save(written, kind, quality=92, **options)
        data = written.getvalue()
    write_atomic(output, data, overwrite=overwrite)
    if not quiet:
        say(f"{before}, {after} -> {output}")


def _png_label(xmp: bytes) -> object:
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    text.add_itxt("XML:com.adobe.xmp", xmp.decode())
    return text
