"""Labels from the networks in the package: the default, as nothing need be fetched for it.

Both networks learned from the teachers, YuNet and FaceMesh, so a finder or landmark network that is trained
on these labels learns from its own predecessor, errors included: for those two take the teachers.
"""

from __future__ import annotations

from dataclasses import dataclass

from demask.dataset.labels import prominence
from demask.dataset.worker import Label, Labeller
from demask.faces.crop_networks import LandmarkFinder
from demask.faces.finder import Finder
from demask.geometry import crop_to_frame, to_frame
from demask.types import ImageU8
from demask.weights import registry


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnLabellers:
    """Makes labellers out of our own finder and landmark network; picklable."""

    @classmethod
    def checked(cls) -> OwnLabellers:
        """Look for the networks now, so that a missing one is reported before any work.

        Raises:
            WeightsError: One is missing or damaged.
        """
        for name in ("finder", "landmarks"):
            registry.find(name)
        return cls()

    def __call__(self) -> Labeller:
        """Load both networks."""
        finder = Finder.shipped(device="cpu", threads=1)
        landmarks = LandmarkFinder.shipped(device="cpu", threads=1)

        def label(photo: ImageU8) -> Label | None:
            faces = finder(photo)
            if not faces:
                return None
            height, width = photo.shape[:2]
            face = max(faces, key=lambda face: prominence(face, width, height))
            crop, _ = crop_to_frame(photo, to_frame(face.points))
            # FaceMesh tells how sure it is of its points; ours does not, so the finder's word counts.
            return Label(face=face, landmarks=landmarks(crop[None])[0], presence=face.score)

        return label
