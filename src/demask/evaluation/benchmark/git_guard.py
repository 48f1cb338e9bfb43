"""Where pictures of people may go: not where git would pick them up."""

from __future__ import annotations

import subprocess
from pathlib import Path

from demask.errors import OutputError


def refuse_where_git_looks(folder: Path) -> None:
    """Let a folder pass that lies in no git repository, or in a part of one that is ignored.

    Args:
        folder: Need not be there yet.

    Raises:
        OutputError: The next commit would take in what is written there.
    """
    place = folder.resolve()
    repository = next((above for above in (place, *place.parents) if (above / ".git").exists()), None)
    if repository is None:
        return
    command = ["git", "-C", str(repository), "check-ignore", "--quiet", str(place / "report.html")]
    try:
        ignored = subprocess.run(command, check=False, capture_output=True).returncode == 0
    except OSError:  # Without git nobody can say what it ignores.
        ignored = False
    if not ignored:
        raise OutputError(
            f"{folder} lies in the git repository {repository.name}, which would take in pictures of people; "
            "name a folder outside it or one that it ignores, or pass --no-pictures"
        )
