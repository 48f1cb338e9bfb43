"""demask: a photo in, the same photo without the face masks out.

The lower face that comes out is invented. It is not the person's and must never be used to identify
anyone.

    >>> import demask, numpy as np
    >>> nobody = np.zeros((64, 64, 3), np.uint8)
    >>> result = demask.remove(nobody)  # or a path, the bytes of a file, a PIL image
    >>> result.status
    'no_face'
    >>> result.photo is nobody
    True
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

from demask.version import __version__

if TYPE_CHECKING:
    from demask.errors import DemaskError
    from demask.faces.looker import Looked
    from demask.remover import Remover, remove
    from demask.results import Result
    from demask.video.video_remover import VideoRemover

# From 1.29 on, onnxruntime reports its use to its maker over the network, and keeps a device id and a database
# in the home folder, unless this is set before it is first imported. Nothing here may leave the machine.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = ["DemaskError", "Looked", "Remover", "Result", "VideoRemover", "__version__", "remove"]

_HOME = {
    "DemaskError": "demask.errors",
    "Looked": "demask.faces.looker",
    "Remover": "demask.remover",
    "Result": "demask.results",
    "VideoRemover": "demask.video.video_remover",
    "remove": "demask.remover",
}


def __getattr__(name: str) -> object:
    """Load the public names when they are first used (PEP 562): `import demask` itself costs nothing."""
    if name not in _HOME:
        raise AttributeError(f"module 'demask' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
