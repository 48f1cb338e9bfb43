"""The landmark network in the package: where its points lie, and that torch and ONNX agree on them."""

import numpy as np
import pytest
import torch

from demask.errors import InputError
from demask.evaluation.metrics.landmark_error import LandmarkError
from demask.faces.crop_networks import LandmarkFinder
from demask.faces.finder import Finder
from demask.geometry import FRAME_POINTS, crop_to_frame, to_frame
from demask.training.models.frozen_onnx import shipped_landmarks
from demask.training.models.ranges import channels_first, to_model_range
from demask.types import ImageU8
from demask.weights.sessions import open_session

EYES = ((33, 133), (362, 263))
NOSE, MOUTH = 1, (61, 291)


@pytest.fixture(scope="module")
def crop() -> ImageU8:
    """The astronaut's face, aligned by our own finder."""
    photo = pytest.importorskip("skimage.data").astronaut()
    (face, *_) = Finder.shipped(device="cpu", threads=1)(photo)
    return crop_to_frame(photo, to_frame(face.points))[0]


def test_points_lie_on_eyes_nose_and_mouth(crop: ImageU8) -> None:
    session = open_session("landmarks", device="cpu", threads=1)
    points = session.run(["points"], {"crop": crop[None]})[0][0, :, :2]
    seen = [points[list(eye)].mean(0) for eye in EYES] + [points[NOSE], *(points[corner] for corner in MOUTH)]
    # Read off the crop by eye.
    there = [(85, 90), (169, 93), (128, 141), (88, 164), (166, 166)]
    assert np.linalg.norm(np.array(seen) - there, axis=1).max() < 9


def test_torch_and_onnx_agree(crop: ImageU8) -> None:
    session = open_session("landmarks", device="cpu", threads=1)
    theirs = session.run(["points"], {"crop": crop[None]})[0]
    network = shipped_landmarks()
    assert not any(parameter.requires_grad for parameter in network.parameters())
    ours = network(channels_first(to_model_range(torch.from_numpy(crop[None]))))
    assert np.abs(ours.numpy() - theirs).max() < 0.3


def test_the_landmark_error_is_none_for_the_same_face_and_grows(crop: ImageU8) -> None:
    error = LandmarkError(LandmarkFinder.shipped(device="cpu", threads=1))
    assert error(crop, crop, FRAME_POINTS) == 0
    shifted = np.roll(crop, 8, axis=1)
    assert error(shifted, crop, FRAME_POINTS) > 0.05
    with pytest.raises(InputError, match="one shape"):
        error(crop[:200], crop, FRAME_POINTS)
