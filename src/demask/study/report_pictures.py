"""Pictures with their scores, the best and the worst of each condition, inside the page."""

from __future__ import annotations

import base64
import io
from html import escape

from demask.errors import InputError
from demask.study.analysis import BlockResults, PictureScore
from demask.study.folder import StudyFolder

SHOWN = 4
_SIDE_PX = 160


def pictures_section(found: BlockResults, folder: StudyFolder) -> str:
    """The highest and lowest scores of a block's conditions with their pictures; empty where it has none."""
    parts = []
    for condition in dict.fromkeys(item.condition for item in found.pictures):
        own = sorted(
            (item for item in found.pictures if item.condition == condition), key=lambda item: -item.score
        )
        chosen = own if len(own) <= 2 * SHOWN else [*own[:SHOWN], *own[-SHOWN:]]
        tiles = "".join(_tile(item, folder) for item in chosen)
        middle = "" if len(own) <= 2 * SHOWN else f" ({SHOWN} best, {SHOWN} worst of {len(own)})"
        parts.append(f'<h4>{escape(condition)}{middle}</h4><div class="pictures">{tiles}</div>')
    return f"<h3>Pictures with their scores</h3>{''.join(parts)}" if parts else ""


def _tile(item: PictureScore, folder: StudyFolder) -> str:
    from PIL import Image

    path = folder.files[folder.ids[item.condition, item.face]]
    try:
        with Image.open(path) as picture:
            small = picture.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(
            f"cannot read {path}: {error}; put the picture back or leave --pictures out"
        ) from error
    small.thumbnail((_SIDE_PX, _SIDE_PX))
    buffer = io.BytesIO()
    small.save(buffer, format="WEBP", quality=80)
    data = base64.b64encode(buffer.getvalue()).decode()
    times = "judged once" if item.num == 1 else f"judged {item.num} times"
    return (
        f'<figure><img src="data:image/webp;base64,{data}" alt="{escape(f"{item.face}, {item.condition}")}" '
        f'width="{small.width}" height="{small.height}"><figcaption><b>{item.score:.2f}</b> '
        f"{escape(item.face)}, {times}</figcaption></figure>"
    )
