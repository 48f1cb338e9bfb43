"""How many photographs to take from which source: `--take ffhq=1400` and named mixes."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from demask.dataset.layouts import LAYOUTS
from demask.dataset.sources import Source
from demask.errors import UsageError

STUDY_B_MIX: Mapping[str, int] = MappingProxyType({"ffhq": 1400, "kdef": 588, "utkface": 343})
"""Pictures that study B trained on (`docs/mission.md`, system 2): 2,331 in all.

Which ones is not published, so ours are drawn by the seed. The figures count photographs: those in
which no face is found are skipped and reported, not replaced.
"""

MIXES: Mapping[str, Mapping[str, int]] = MappingProxyType({"study-b": STUDY_B_MIX})


def read_takes(texts: Sequence[str], *, mix: str | None = None) -> dict[str, int]:
    """Read `NAME=NUMBER` of several sources, and add those of a named mix.

    Raises:
        UsageError: A text has another form, a name comes twice, or there is no such mix.
    """
    takes: dict[str, int] = {}
    if mix is not None:
        if mix not in MIXES:
            raise UsageError(f"there is no mix {mix!r}{_nearest(mix, MIXES)}; need one of {', '.join(MIXES)}")
        takes |= MIXES[mix]
    for text in texts:
        name, equals, number = text.rpartition("=")
        if not equals or not name or not (number.isascii() and number.isdigit()) or not 0 < int(number) < 10**9:
            raise UsageError(f"--take {text!r} cannot be read; need NAME=NUMBER, such as ffhq=1400")
        if name in takes:
            both = f"--mix {mix} and --take" if mix and name in MIXES[mix] else "--take"
            raise UsageError(f"{both} name {name} twice; give one number per source")
        takes[name] = int(number)
    return takes


def with_takes(sources: Sequence[Source], takes: Mapping[str, int], *, seed: int) -> tuple[Source, ...]:
    """Give each named source its number; sources that are not named are used whole.

    Args:
        sources: All sources of a build.
        takes: Photographs per source name.
        seed: Which photographs; see `Source`.

    Raises:
        UsageError: A name is no source of this build, or of more than one.
    """
    counts = Counter(source.name for source in sources)
    for name in takes:
        if name in LAYOUTS and not counts[name]:
            raise UsageError(f"{takes[name]} photographs of {name} are wanted; name its folder: --{name} DIR")
        if not counts[name]:
            raise UsageError(
                f"--take names {name!r}, which is no source of this build{_nearest(name, counts)}; "
                f"its sources are {', '.join(sorted(counts)) or 'none'}"
            )
        if counts[name] > 1:
            raise UsageError(f"--take {name} could be any of {counts[name]} sources; rename their folders")
    return tuple(
        replace(source, take=takes[source.name], seed=seed) if source.name in takes else source
        for source in sources
    )


def _nearest(name: str, names: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {near[0]}?" if near else ""
