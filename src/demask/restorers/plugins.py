"""Restorers of other packages, found by the entry-point group `demask.restorers`.

A package names its restorers in its own metadata; installing it is all that it takes. Nothing of a package is
imported before its name is asked for, or all are listed. What goes wrong with one, whenever it does, becomes an
error that names it and its package, and costs the others nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from demask.errors import DemaskError, RestorerError
from demask.geometry import TIGHT, WIDE, Window
from demask.restorers.about import About
from demask.restorers.drawn import require_drawing
from demask.types import Hole, ImageU8, Restorer
from demask.version import __version__

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint

GROUP = "demask.restorers"

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_WINDOWS: Mapping[str, Window] = {"tight": TIGHT, "wide": WIDE}


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What a plug-in is told when its restorer is made.

    Attributes:
        device: Where a network shall run, as `demask.weights.devices.providers_for` takes it.
        threads: Threads of a network; None leaves it to the runtime.
        options: Of onnxruntime's sessions, see `demask.weights.sessions.open_session`.
        argument: What stands behind the colon of `NAME:ARGUMENT`; empty = nothing.
    """

    device: str = "auto"
    threads: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    argument: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plugin:
    """What an entry point of the group loads to.

    Attributes:
        about: Describes the restorer. The entry point's name is the one that counts.
        make: Makes the restorer, which several threads may call at once. It may have a method `batch`, see
            `demask.restorers.by_name.BatchRestorer`.
    """

    about: About
    make: Callable[[Context], Restorer]


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """One name that installed packages add.

    Attributes:
        name: Of the entry point.
        package: Name and version of the package.
        about: None where the plug-in cannot be used.
        reason: Why it cannot; empty = it can.
    """

    name: str
    package: str
    about: About | None
    reason: str = ""


def names() -> tuple[str, ...]:
    """Names that installed packages add, usable or not; nothing of them is imported."""
    return tuple(_found())


def load(name: str) -> Plugin:
    """Import one plug-in.

    Args:
        name: One of `names`.

    Raises:
        RestorerError: It cannot be used; the message names it, its package and why.
        DemaskError: What the plug-in itself raises of demask's errors, as it is.
    """
    entry, *others = _found()[name]
    if others:
        packages = " and ".join(sorted(_package(one) for one in (entry, *others)))
        raise RestorerError(f"{name!r} is a plug-in of {packages}; uninstall all but one of them")
    if not _NAME.fullmatch(name):
        raise RestorerError(
            f"the plug-in {name!r} of {_package(entry)} has no name for a restorer: small letters, digits, "
            "and . _ - between them"
        )
    _require_version(entry, _asked_by_metadata(entry.dist))
    try:
        plugin = entry.load()
    except DemaskError:
        raise
    except (Exception, SystemExit) as error:
        raise RestorerError(
            f"the plug-in {name!r} of {_package(entry)} cannot be imported: {_told(error)}"
        ) from error
    if not isinstance(plugin, Plugin) or not isinstance(plugin.about, About):
        raise RestorerError(
            f"the plug-in {name!r} of {_package(entry)}: {entry.value} is a {type(plugin).__name__}, need a "
            "demask.restorers.plugins.Plugin; docs/restorers.md has an example"
        )
    _require_version(entry, plugin.about.needs_demask)
    return replace(plugin, about=replace(plugin.about, name=name, package=_package(entry)))


def open_plugin(name: str, context: Context) -> Restorer:
    """Make the restorer of a plug-in: one that names itself when it fails.

    Raises:
        RestorerError: It cannot be used, or making it fails.
        DemaskError: What the plug-in itself raises of demask's errors, as it is.
    """
    plugin = load(name)
    called = f"{name!r} of {plugin.about.package}"
    try:
        restorer = plugin.make(context)
    except DemaskError:
        raise
    except (Exception, SystemExit) as error:
        raise RestorerError(f"the plug-in {called} cannot be opened: {_told(error)}") from error
    if not callable(restorer):
        raise RestorerError(f"the plug-in {called} made a {type(restorer).__name__}, need a restorer, callable")
    kind = _InBatches if callable(getattr(restorer, "batch", None)) else _OneByOne
    return kind(restorer, called, plugin.about)


def listing(taken: Collection[str]) -> list[Listed]:
    """Import every plug-in and say what each is, or why it cannot be used.

    Args:
        taken: Names of demask's own restorers, which no plug-in replaces.
    """
    listed = []
    for name, entries in _found().items():
        package = ", ".join(_package(entry) for entry in entries)
        if name in taken:
            reason = f"left out: demask has a restorer named {name!r} itself; the package must rename its own"
            listed.append(Listed(name=name, package=package, about=None, reason=reason))
            continue
        try:
            listed.append(Listed(name=name, package=package, about=load(name).about))
        except DemaskError as error:
            listed.append(Listed(name=name, package=package, about=None, reason=str(error)))
    return listed


class _OneByOne:
    """A plug-in's restorer that answers for what it gives; see `Restorer`.

    Attributes:
        windows: Those that the plug-in says it takes.
    """

    def __init__(self, restorer: Any, called: str, about: About) -> None:
        self._restorer, self._called = restorer, called
        self.windows = tuple(_WINDOWS[window] for window in about.windows)

    def __call__(self, masked: ImageU8, hole: Hole) -> ImageU8:
        """Fill one crop, as a `Restorer` does.

        Raises:
            RestorerError: The plug-in fails, or gives no picture of the crop.
        """
        return self._drawn(self._restorer, masked, hole)

    def _drawn(self, restore: Callable[[ImageU8, Hole], Any], masked: ImageU8, hole: Hole) -> ImageU8:
        try:
            drawn: ImageU8 = restore(masked.copy(), hole.copy())
        except DemaskError:
            raise
        except (Exception, SystemExit) as error:
            raise RestorerError(f"the plug-in {self._called} failed: {_told(error)}") from error
        require_drawing(self._called, drawn, masked.shape)
        return drawn


class _InBatches(_OneByOne):
    """The same, for one that takes several crops in a run."""

    def batch(self, masked: ImageU8, hole: Hole) -> ImageU8:
        """Fill several crops of one window, as a `BatchRestorer` does; errors as for one."""
        return self._drawn(self._restorer.batch, masked, hole)


def _found() -> dict[str, list[EntryPoint]]:
    """All entry points of the group by name, in the order of the names."""
    from importlib.metadata import entry_points  # Slow to import, and hardly ever needed.

    found: dict[str, list[EntryPoint]] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        found.setdefault(entry.name, []).append(entry)
    return found


def _package(entry: EntryPoint) -> str:
    return "an unknown package" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"


def _asked_by_metadata(package: Distribution | None) -> str:
    """The oldest demask that a package's own requirements allow; empty = any."""
    for line in (package and package.requires) or ():
        if re.match(r"demask\s*(\[|[(<>=~!;]|$)", line) and (least := re.search(r"(?:>=|~=)\s*([\d.]+)", line)):
            return least[1]
    return ""


def _require_version(entry: EntryPoint, asked: str) -> None:
    if _release(asked) > _release(__version__):
        raise RestorerError(
            f"the plug-in {entry.name!r} of {_package(entry)} needs demask {asked}, this is {__version__}; "
            "update demask, or take an older version of the package"
        )


def _release(version: str) -> tuple[int, ...]:
    """The numbers of a version, without what follows them and without zeros at the end."""
    release = re.match(r"[\d.]*", version)
    numbers = [int(part) for part in (release[0] if release else "").split(".") if part]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def _told(error: BaseException) -> str:
    """An error of somebody else's code in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())
