"""The main job frame by frame, with a memory: faces are followed, their holes and new faces stay the same.

The lower faces that come out are invented. They are not the persons' and must never be used to identify anyone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import cv2
import numpy as np

from demask.clock import Clock
from demask.faces.looker import Looked
from demask.geometry import Framed
from demask.photo.paste import PasteConfig
from demask.remover import Remover
from demask.results import Result, face_results
from demask.types import AnyArray, Face, Hole, ImageU8, Restorer
from demask.video.face_memory import FaceMemorySettings
from demask.video.motion import OneEuroSettings
from demask.video.track import Track, TrackTotals

_THUMBNAIL = (48, 32)


@dataclass(frozen=True, kw_only=True, slots=True)
class SteadySettings:
    """How steady, and how often the networks run.

    Attributes:
        find_every: Faces are searched for in every so many frames, and followed between.
        look_every: A covering that rests is looked at in every so many frames.
        gap_frames: A face that is followed, but was not found for so many frames more, is given up.
        cut_level: Mean change of brightness, of 255, from which a frame may belong to another shot.
        match_overlap: Boxes of one face in two frames share at least this much (intersection over union).
        smoothing: Of a face's place.
        memory: Of a face.
    """

    find_every: int = 3
    look_every: int = 3
    gap_frames: int = 6
    cut_level: float = 28.0
    match_overlap: float = 0.25
    smoothing: OneEuroSettings = field(default_factory=OneEuroSettings)
    memory: FaceMemorySettings = field(default_factory=FaceMemorySettings)


class VideoRemover:
    """Frames in, frames out, in their order: for clips, cameras and other readers. Not thread-safe.

    Args:
        remover: Finds and restores; None makes the shipped one.
        settings: How steady.
    """

    def __init__(self, remover: Remover | None = None, settings: SteadySettings | None = None) -> None:
        self.remover = remover or Remover()
        self.settings = settings or SteadySettings()
        self.reset()

    def reset(self) -> None:
        """Forget every face: the next frame begins another clip."""
        self._tracks: list[Track] = []
        self._ended: list[TrackTotals] = []
        self._thumbnail: AnyArray | None = None
        self._index = -1
        self._searched_at = -1
        self._count = 0

    def frame(self, pixels: ImageU8, time: float) -> Result[ImageU8]:
        """Restore the next frame.

        Args:
            pixels: uint8 RGB [H, W, 3], upright; not changed.
            time: When it is shown, in seconds; later than the frame before.

        Returns:
            The frame. Pixels outside `Result.hole` are unchanged bit for bit.

        Raises:
            InputError: The frame is no RGB array.
        """
        self._index += 1
        clock = Clock()
        with clock("find"):
            self._place(pixels, time)
        with clock("hole"):
            framed = [track.framed(pixels) for track in self._tracks]
            self._look(pixels, framed)
        looked = Looked(
            size=(pixels.shape[0], pixels.shape[1]),
            faces=tuple(track.looked(crop) for track, crop in zip(self._tracks, framed, strict=True)),
        )
        photo, hole = self._restore(pixels, looked, time, clock)
        for track in self._tracks:
            track.count(time)
        status = looked.status
        return Result(
            photo=photo,
            size=looked.size,
            faces=face_results(looked.faces, restored=True),
            status="restored" if status == "covered" else status,
            hole=hole,
            timings_ms=clock.timings_ms,
        )

    def tracks(self) -> list[dict[str, Any]]:
        """Every face so far, in the order of appearance: when, in how many frames, how surely covered."""
        totals = [*self._ended, *(track.totals for track in self._tracks)]
        return [one.as_json() for one in sorted(totals, key=lambda one: one.number)]

    def _place(self, pixels: ImageU8, time: float) -> None:
        """Follow every face; search where it is time to, or where one was lost."""
        followed = [track.follow(pixels).sure for track in self._tracks]
        changed = self._change(pixels)
        if changed >= self.settings.cut_level and not any(followed):
            self._end(self._tracks)
        lost = not all(followed) or changed >= self.settings.cut_level / 2
        due = self._searched_at < 0 or self._index - self._searched_at >= self.settings.find_every
        if due or lost:
            self._searched_at = self._index
            self._match(self.remover.looker.find(pixels), time)
        patience = self.settings.find_every + self.settings.gap_frames
        self._end([track for track in self._tracks if self._index - track.found_at > patience])

    def _change(self, pixels: ImageU8) -> float:
        """How much the picture differs from the one before, in levels."""
        small = cv2.resize(pixels, _THUMBNAIL, interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
        before, self._thumbnail = self._thumbnail, grey
        return 0.0 if before is None else float(np.abs(grey - before).mean())

    def _match(self, found: Sequence[Face], time: float) -> None:
        """Give every found face to the track that it overlaps most, or a track of its own."""
        pairs = [
            (_overlap(track.box, face.box), place, number)
            for place, track in enumerate(self._tracks)
            for number, face in enumerate(found)
        ]
        taken_tracks: set[int] = set()
        taken_faces: set[int] = set()
        for overlap, place, number in sorted(pairs, reverse=True):
            if overlap < self.settings.match_overlap or place in taken_tracks or number in taken_faces:
                continue
            taken_tracks.add(place)
            taken_faces.add(number)
            self._tracks[place].correct(found[number], self._index, time)
        for number, face in enumerate(found):
            if number not in taken_faces and _has_extent(face):
                self._tracks.append(self._new_track(face, time))

    def _new_track(self, face: Face, time: float) -> Track:
        settings = self.settings
        self._count += 1
        return Track(
            self._count - 1, face, self._index, time, smoothing=settings.smoothing, memory=settings.memory
        )

    def _end(self, tracks: Sequence[Track]) -> None:
        self._ended += [track.totals for track in tracks]
        self._tracks = [track for track in self._tracks if track not in tracks]

    def _look(self, pixels: ImageU8, framed: Sequence[Framed]) -> None:
        """See what those wear whose turn it is."""
        due = [
            track
            for track in self._tracks
            if track.looked_at < 0
            or not track.sure
            or not track.holes.may_wait(track.grey)
            or self._index - track.looked_at >= self.settings.look_every
        ]
        if not due:
            return
        looked = self.remover.looker.at(pixels, [track.face for track in due])
        # What a track remembers is of one size: the tight window.
        for track, face in zip(due, (face.in_tight() for face in looked.faces), strict=True):
            if face.found is not None:
                was = track.holes.covered
                track.holes.take(face.found, track.grey)
                track.looked_at = self._index
                if was and not track.holes.covered:
                    track.memory.clear()

    def _restore(
        self, pixels: ImageU8, looked: Looked, time: float, clock: Clock
    ) -> tuple[ImageU8, Hole | None]:
        """Paste every covered face, the largest first."""
        photo, hole = pixels, None
        paste = PasteConfig(seed=self._index % 4096)
        order = sorted(range(len(self._tracks)), key=lambda place: -looked.faces[place].face.size_px)
        for place in order:
            face = looked.faces[place]
            if not face.covered:
                continue
            if photo is not pixels and face.framed is not None:  # A neighbour may reach into this crop by now.
                face = replace(face, framed=Framed.cut(photo, face.framed.matrix))
            remembering = _Remembering(self._tracks[place], self.remover.restorer, time)
            one = Looked(size=looked.size, faces=(face,))
            result = self.remover.restore(photo, one, restorer=remembering, paste=paste, clock=clock)
            photo = result.photo
            if result.hole is not None:
                hole = result.hole if hole is None else hole | result.hole
        return photo, hole

    def state(self) -> dict[str, Any]:
        """Everything that the next frame depends on, as plain values and arrays."""
        return {
            "tracks": [track.as_tree() for track in self._tracks],
            "ended": [asdict(totals) for totals in self._ended],
            "thumbnail": self._thumbnail,
            "numbers": [self._index, self._searched_at, self._count],
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on after the frame that `state` was taken after."""
        settings = self.settings
        self._tracks = [
            Track.from_tree(tree, smoothing=settings.smoothing, memory=settings.memory)
            for tree in state["tracks"]
        ]
        self._ended = [TrackTotals(**totals) for totals in state["ended"]]
        self._thumbnail = state["thumbnail"]
        self._index, self._searched_at, self._count = state["numbers"]

    def fingerprint(self) -> dict[str, Any]:
        """What, besides the frames, decides what comes out: the settings and the networks."""
        return {"settings": asdict(self.settings), "networks": dict(self.remover.networks)}


class _Remembering:
    """A restorer that asks a track's memory first."""

    def __init__(self, track: Track, restorer: Restorer, time_s: float) -> None:
        self._track, self._restorer, self._time_s = track, restorer, time_s

    def __call__(self, masked: ImageU8, hole: Hole) -> ImageU8:
        track = self._track
        return track.memory.face(
            masked, hole, grey=track.grey, turn=track.turn, time_s=self._time_s, restorer=self._restorer
        )


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """Intersection over union of two boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return width * height / (areas[0] + areas[1] - width * height)


def _has_extent(face: Face) -> bool:
    """Whether its points lie apart, so that it can be aligned."""
    return bool(np.isfinite(face.points).all() and np.ptp(face.points, axis=0).max() > 1)
