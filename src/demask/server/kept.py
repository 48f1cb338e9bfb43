"""Photos that a page goes on with: in memory, few, for minutes, and only for who has the token."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass

from demask.faces.looker import Looked
from demask.webkit.responses import Refusal


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class KeptPhoto:
    """A photo and what was found in it.

    Attributes:
        photo: The uploaded file.
        looked: Its faces and holes.
    """

    photo: bytes
    looked: Looked

    @property
    def num_bytes(self) -> int:
        """Memory that it takes; crops and holes count as well."""
        arrays = [
            array.nbytes
            for face in self.looked.faces
            if face.framed is not None and face.found is not None
            for array in (
                (face.wide or face.framed).crop,
                (face.wide or face.framed).valid,
                face.found.hole,
                face.found.coverage,
            )
        ]
        return len(self.photo) + sum(arrays)


class KeptPhotos:
    """A bounded memory that forgets by itself; all methods but `token_for` run in the event loop.

    Where there is no room, the photo that was not used for longest makes way; its page sends it again.

    Args:
        most: Photos.
        most_bytes: Memory of all together.
        keep_s: Seconds from the last use on; 0 keeps nothing.
    """

    def __init__(self, *, most: int, most_bytes: int, keep_s: float) -> None:
        self._most, self._most_bytes, self._keep_s = most, most_bytes, keep_s
        self._photos: dict[str, KeptPhoto] = {}  # The one used last stands last.
        self._ends: dict[str, asyncio.TimerHandle] = {}
        self.num_bytes = 0

    def __len__(self) -> int:
        return len(self._photos)

    def token_for(self, photo: KeptPhoto) -> str | None:
        """A token that nobody can guess; None where the photo is larger than all the room. In any thread."""
        if not self._keep_s or not self._most or photo.num_bytes > self._most_bytes:
            return None
        return secrets.token_urlsafe(32)

    def keep(self, token: str, photo: KeptPhoto) -> None:
        """Keep a photo under a token of `token_for`."""
        size = photo.num_bytes
        while self._photos and (len(self) >= self._most or self.num_bytes + size > self._most_bytes):
            self.forget(next(iter(self._photos)))
        self._photos[token] = photo
        self.num_bytes += size
        self._wind_up(token)

    def take_up(self, token: str) -> KeptPhoto:
        """A photo that was kept; it is kept for as long again.

        Raises:
            Refusal: 410, it is not there any more, or never was.
        """
        photo = self._photos.pop(token, None)
        if photo is None:
            raise Refusal(410, "not_kept", "the photo is not kept any more; send it again, in the field photo")
        self._photos[token] = photo
        self._wind_up(token)
        return photo

    def forget(self, token: str) -> bool:
        """Forget a photo; whether it was there."""
        photo = self._photos.pop(token, None)
        if photo is None:
            return False
        self._ends.pop(token).cancel()
        self.num_bytes -= photo.num_bytes
        return True

    def _wind_up(self, token: str) -> None:
        if token in self._ends:
            self._ends[token].cancel()
        self._ends[token] = asyncio.get_running_loop().call_later(self._keep_s, self.forget, token)
