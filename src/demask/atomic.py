"""Write a file or a folder whole or not at all: under a temporary name beside it, then renamed.

Temporary names begin with a dot, end in `.part` and say which process on which machine writes there;
`part_name` is the only place that makes them, `remove_leftovers` the only one that clears up after the killed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from demask.errors import OutputError, OutputExists

_LONGEST_NAME_BYTES = 255
"""What common file systems allow."""
_PART = re.compile(
    r"\.(?P<name>.+)\.(?P<machine>[0-9a-f]{8})-(?P<process>[0-9]+)-[0-9a-f]{12}\.part", re.DOTALL
)
_STALE_S = 86_400.0
"""Another machine's leftover is one after a day without a byte; its processes cannot be asked after."""


def part_name(target: Path) -> Path:
    """A fresh temporary name in the folder of `target`, never longer than file systems allow."""
    ending = f".{_machine()}-{os.getpid()}-{secrets.token_hex(6)}.part"
    room = _LONGEST_NAME_BYTES - len(ending) - 1
    kept = target.name.encode(errors="surrogateescape")[:room].decode(errors="ignore")
    return target.with_name(f".{kept}{ending}")


def remove_leftovers(folder: Path, name: str | None = None) -> int:
    """Delete what killed processes left half written in a folder; other names are not touched.

    Args:
        folder: Where to look, not below; it need not exist.
        name: Only leftovers of this target; None = all of ours.

    Returns:
        How many were deleted.
    """
    count = 0
    try:
        paths = list(folder.iterdir())
    except OSError:
        return 0
    for path in paths:
        found = _PART.fullmatch(path.name)
        if found is None or (name is not None and found["name"] != name) or not _is_left(path, found):
            continue
        _delete(path)
        count += 1
    return count


def _is_left(path: Path, found: re.Match[str]) -> bool:
    """Whether nobody writes there any more."""
    if found["machine"] == _machine() and os.name == "posix":
        try:
            os.kill(int(found["process"]), 0)  # Asks only whether it is there.
        except (ProcessLookupError, OverflowError):
            return True
        except OSError:
            pass
        return False
    try:
        return time.time() - path.stat().st_mtime > _STALE_S
    except OSError:
        return False


def _machine() -> str:
    """Eight digits for this machine (or container): process numbers mean nothing on another."""
    return hashlib.blake2b(socket.gethostname().encode(errors="surrogateescape"), digest_size=4).hexdigest()


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give a temporary path; what was written there when the block ends takes the name `target`.

    For what a library writes itself, and for folders. A folder takes the name only where nothing is, a
    file replaces what was there. If the block raises, all that it wrote is deleted. Errors of the disk are
    the caller's to name: nothing is wrapped here.

    Raises:
        OSError: The disk is full, the folder is missing, or the name cannot be taken.
    """
    temporary = part_name(target)
    try:
        yield temporary
        temporary.replace(target)
    finally:
        _delete(temporary)


def write_atomic(path: Path, data: bytes, *, overwrite: bool, mode: int | None = None) -> None:
    """Write `data` to a temporary name in the same folder, flush it to the disk, then rename.

    Whoever looks at `path` sees what was there before or all of `data`, never a part. The temporary
    file is removed on every way out, an interrupt and a full disk included. Without `overwrite` the
    name is claimed with a hard link, so of two writers that race for one name exactly one wins.

    Args:
        path: Where the file goes; its folder must exist. A symbolic link is followed.
        data: The whole content.
        overwrite: Replace a file that is there; its permissions are kept.
        mode: Permissions of a new file, such as 0o600; None = what the umask leaves.

    Raises:
        OutputExists: The target exists and `overwrite` is False.
        OutputError: The folder is missing or not writable, the disk is full, or `path` is a folder.
    """
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder; name a file")
    if not overwrite and os.path.lexists(path):
        raise _exists(path)
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    temporary = part_name(target)
    try:
        _write_synced(temporary, data, mode_of=target, mode=mode)
        if overwrite:
            temporary.replace(target)
        else:
            _claim(temporary, target)
    except OutputError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"cannot write {path}: {reason}; name another place or free it") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    _sync_folder(target.parent)


def _exists(path: Path) -> OutputExists:
    return OutputExists(f"{path} exists; name another output or pass --overwrite")


def _write_synced(temporary: Path, data: bytes, *, mode_of: Path, mode: int | None) -> None:
    """Create `temporary`, write, flush; permissions as `mode_of` has them, else `mode`, or the umask's.

    Nobody else can open it before it has the permissions that it keeps.
    """
    with contextlib.suppress(OSError):
        mode = mode_of.stat().st_mode & 0o777
    opener = None if mode is None else lambda name, flags: os.open(name, flags, 0o600)
    with open(temporary, "xb", opener=opener) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if mode is not None:
        with contextlib.suppress(OSError):
            temporary.chmod(mode)


def _claim(temporary: Path, target: Path) -> None:
    """Give the finished file its name unless the name was taken meanwhile."""
    try:
        os.link(temporary, target)
        return
    except FileExistsError:
        raise _exists(target) from None
    except OSError:
        pass  # FAT and some network folders know no hard links.
    # Creating exclusively is the other way to claim a name; the claim goes if the rename fails.
    try:
        with target.open("xb"):
            pass
    except FileExistsError:
        raise _exists(target) from None
    try:
        temporary.replace(target)
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where the system allows syncing a folder."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
