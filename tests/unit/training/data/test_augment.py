"""Light and losses of training pictures."""

import io

import numpy as np
import pytest
from PIL import Image

from demask.rng import rng_for
from demask.training.data.augment import (
    FACES_DEGRADATION,
    FACES_LIGHT,
    SCENES_DEGRADATION,
    SCENES_LIGHT,
    Degradation,
    Light,
    compressed,
    degrade,
    vary_light,
)
from demask.types import ImageU8

RED, BLUE = 0, 2


def stripes(channel: int) -> ImageU8:
    """Upright stripes one pixel wide in one colour, black between them."""
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, ::2, channel] = 255
    return picture


def contrast(picture: ImageU8, channel: int) -> float:
    values = picture[..., channel].astype(float)
    return float((values[:, ::2] - values[:, 1::2]).mean())


def test_pure_colours_stay_what_they_are() -> None:
    for channel in range(3):
        plain = np.zeros((32, 32, 3), np.uint8)
        plain[..., channel] = 255
        assert np.abs(compressed(plain, quality=90).astype(int) - plain).max() <= 3


def test_a_jpeg_keeps_more_of_red_detail_than_of_blue() -> None:
    # Luma, which keeps its resolution, is 0.299 red and 0.114 blue (ITU-R BT.601); chroma is halved.
    kept = {channel: contrast(compressed(stripes(channel), quality=90), channel) for channel in (RED, BLUE)}
    assert kept[RED] > 1.8 * kept[BLUE]


@pytest.mark.parametrize("quality", [40, 80])
def test_a_jpeg_is_what_another_encoder_makes_of_the_same_colours(quality: int) -> None:
    coarse = np.random.default_rng(1).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    picture = np.asarray(Image.fromarray(coarse).resize((96, 96), Image.Resampling.BICUBIC))
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    theirs = np.asarray(Image.open(file).convert("RGB"))
    assert np.abs(compressed(picture, quality=quality).astype(int) - theirs).mean() < 1


@pytest.mark.parametrize("light", [FACES_LIGHT, SCENES_LIGHT])
@pytest.mark.parametrize("losses", [FACES_DEGRADATION, SCENES_DEGRADATION])
def test_pictures_keep_their_shape_and_depend_on_the_generator_alone(light: Light, losses: Degradation) -> None:
    photo = np.random.default_rng(0).integers(0, 255, (40, 56, 3), dtype=np.uint8)
    before = photo.copy()
    seen = set()
    for number in range(30):
        first, second = (
            degrade(vary_light(photo, rng, light), rng, losses)
            for rng in (rng_for(7, "light", str(number)) for _ in range(2))
        )
        assert first.shape == photo.shape
        assert first.dtype == np.uint8
        assert np.array_equal(first, second)
        seen.add(first.tobytes())
    assert len(seen) == 30
    assert np.array_equal(photo, before)


def test_nothing_varies_where_everything_is_zero() -> None:
    photo = np.random.default_rng(0).integers(0, 255, (40, 56, 3), dtype=np.uint8)
    still = Light(gamma=0, gain=0, cast=0, grey_fraction=0)
    out = degrade(vary_light(photo, rng_for(0, "still", ""), still), rng_for(0, "still", ""), Degradation())
    assert np.abs(out.astype(int) - photo).max() <= 1


def test_grey_has_no_colour_and_a_negative_mean_gain_darkens() -> None:
    photo = np.random.default_rng(0).integers(0, 255, (40, 56, 3), dtype=np.uint8)
    grey = vary_light(photo, rng_for(0, "grey", ""), Light(gamma=0, gain=0, cast=0, grey_fraction=1))
    assert np.ptp(grey, axis=2).max() == 0
    dark = vary_light(
        photo, rng_for(0, "dark", ""), Light(gamma=0, gain=0, mean_gain=-0.5, cast=0, grey_fraction=0)
    )
    assert dark.mean() == pytest.approx(photo.mean() * np.exp(-0.5), rel=0.02)
