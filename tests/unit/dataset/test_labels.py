"""The teachers on a real face: the astronaut portrait that scikit-image carries (NASA, public domain)."""

import os
from pathlib import Path

import numpy as np
import pytest

from demask.dataset.labels import TeacherPaths, Teachers
from demask.dataset.worker import TeacherLabellers
from demask.errors import WeightsError
from demask.faces.landmarks import landmarks_from_points
from demask.geometry import apply, to_frame

# Read off the enlarged picture: pupils, nose tip, mouth corners; the chin's lowest point.
BY_HAND = np.array([(203, 101), (246, 103), (222, 126), (202, 140), (246, 140)], np.float32)
CHIN_BY_HAND = np.array([(223, 178)], np.float32)
NEIGHBOUR = Path(__file__).parents[3].parent / "shared" / "weights"


@pytest.fixture(scope="module")
def paths() -> TeacherPaths:
    folder = Path(os.environ.get("DEMASK_WEIGHTS", NEIGHBOUR))
    try:
        return TeacherPaths.find(folder)
    except WeightsError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    data = pytest.importorskip("skimage.data")
    return data.astronaut()


@pytest.mark.shared
def test_the_teachers_find_the_astronaut(paths: TeacherPaths, astronaut: np.ndarray) -> None:
    teachers = Teachers(paths)
    face = teachers.main_face(astronaut)
    assert face is not None
    np.testing.assert_allclose(face.points, BY_HAND, atol=8)

    matrix = to_frame(face.points)
    landmarks, presence = teachers.landmarks(astronaut, matrix)
    assert presence > 0.9
    aligned = apply(matrix, face.points)
    mouth_and_nose = landmarks[[4, 61, 291], :2]
    np.testing.assert_allclose(mouth_and_nose, aligned[2:], atol=14)
    eyes = [(landmarks[33] + landmarks[133])[:2] / 2, (landmarks[263] + landmarks[362])[:2] / 2]
    np.testing.assert_allclose(eyes, aligned[:2], atol=8)
    np.testing.assert_allclose(landmarks[152, :2], apply(matrix, CHIN_BY_HAND)[0], atol=12)

    guessed = apply(matrix, landmarks_from_points(face.points))
    error = np.linalg.norm(guessed[:, :2] - landmarks[:, :2], axis=1).mean() / 76
    assert error < 0.12


@pytest.mark.shared
def test_a_tight_chip_is_found_too(paths: TeacherPaths, astronaut: np.ndarray) -> None:
    chip = np.ascontiguousarray(astronaut[70:170, 180:272])
    face = Teachers(paths).main_face(chip)
    assert face is not None
    np.testing.assert_allclose(face.points[:2], BY_HAND[:2] - (180, 70), atol=7)


@pytest.mark.shared
def test_a_picture_without_a_face_has_none(paths: TeacherPaths) -> None:
    assert TeacherLabellers(paths=paths)()(np.full((120, 120, 3), 128, np.uint8)) is None


@pytest.mark.shared
@pytest.mark.parametrize("size", [(1, 1), (2, 500), (700, 3)])
def test_absurd_shapes_do_no_harm(paths: TeacherPaths, size: tuple[int, int]) -> None:
    assert Teachers(paths).main_face(np.zeros((*size, 3), np.uint8)) is None


def test_missing_teachers_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="face_detection_yunet"):
        TeacherPaths.find(tmp_path)


def test_a_teacher_that_is_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "face_detection_yunet_2023mar.onnx").write_bytes(b"no network")
    with pytest.raises(WeightsError, match="sha256"):
        TeacherPaths.find(tmp_path)
