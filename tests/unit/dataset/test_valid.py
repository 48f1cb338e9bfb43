"""Which pixels of a crop may be learnt from."""

import numpy as np
import pytest
from drawn_faces import draw_photo

from demask.dataset.record import black_corners, valid_region
from demask.geometry import FRAME_POINTS, to_frame


def with_corner(level: int = 0) -> np.ndarray:
    """A photo whose top left corner is a near-black triangle with a 60 px leg."""
    photo = draw_photo(1, width=256, height=256)
    y, x = np.mgrid[:256, :256]
    photo[x + y < 60] = level
    return photo


@pytest.mark.parametrize("hinted", [True, None])
def test_a_black_corner_is_found(hinted: bool | None) -> None:
    found = black_corners(with_corner(), hinted=hinted)
    y, x = np.mgrid[:256, :256]
    np.testing.assert_array_equal(found, x + y < 60)


def test_a_source_that_denies_corners_is_believed() -> None:
    assert not black_corners(with_corner(), hinted=False).any()


def test_dark_hair_is_a_corner_only_if_hinted() -> None:
    photo = with_corner(level=11)
    assert not black_corners(photo).any()
    assert black_corners(photo, hinted=True).any()


def test_black_inside_the_picture_is_no_corner() -> None:
    photo = draw_photo(2, width=256, height=256)
    photo[100:160, 100:160] = 0
    assert not black_corners(photo, hinted=True).any()


def test_a_photo_that_fills_the_frame_is_valid_to_its_edge() -> None:
    _, valid = valid_region(draw_photo(3, width=256, height=256), to_frame(FRAME_POINTS))
    assert valid.all()


def test_beyond_the_photo_nothing_is_valid_and_its_edge_is_left_out() -> None:
    photo = draw_photo(4, width=256, height=256)[:, 40:]
    crop, valid = valid_region(photo, to_frame(FRAME_POINTS - np.float32([40, 0])))
    assert not valid[:, :43].any()
    assert valid[:, 44:].all()
    np.testing.assert_array_equal(crop[:, 60:200], photo[:, 20:160])


def test_a_corner_is_left_out_of_the_crop() -> None:
    _, valid = valid_region(with_corner(), to_frame(FRAME_POINTS), hinted=True)
    assert not valid[0, :60].any()
    assert valid[80:, 80:].all()
