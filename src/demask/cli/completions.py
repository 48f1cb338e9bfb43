"""Values that a shell completes: devices, restorers, kinds, formats, recipes."""

from __future__ import annotations

from collections.abc import Callable


def complete_with(values: Callable[[], list[str]]) -> Callable[[str], list[str]]:
    """A completion for Typer: those of the values that begin with what is typed.

    Args:
        values: Called only when somebody presses the tab key, so what it imports costs others nothing.
    """

    def complete(incomplete: str) -> list[str]:
        return [value for value in values() if value.startswith(incomplete)]

    return complete


def devices() -> list[str]:
    """Names for `--device`."""
    return ["auto", "cpu", "cuda", "directml", "coreml", "openvino"]


def restorers() -> list[str]:
    """Names for `--restorer`."""
    from demask.restorers.by_name import names

    return list(names())


def formats() -> list[str]:
    """Names for `--format`."""
    from demask.photo.formats import FORMATS

    return [name.lower() for name, kind in FORMATS.items() if kind.writes and kind.labels]


def kinds() -> list[str]:
    """Names for `--kind`."""
    from demask.coverings import KINDS

    return list(KINDS)


def weights() -> list[str]:
    """Names for `demask weights get`."""
    from demask.weights.registry import REGISTRY

    return [name for name, entry in REGISTRY.items() if entry.url]
