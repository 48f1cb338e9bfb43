"""Every exception demask raises on purpose.

::

    DemaskError                 exit 1
    ├── InputError              exit 1   a photo, a hole or a file we were given cannot be used
    │   ├── PhotoUnreadable              not a picture, broken, truncated
    │   ├── PhotoUnsupported             a picture of a kind we refuse (animated, unknown mode)
    │   ├── PhotoTooLarge                more pixels than the limit; decided before decoding
    │   ├── ClipUnreadable               not a clip, without pictures, or broken beyond use
    │   └── ShapeMismatch                two arrays that must cover the same pixels do not
    ├── OutputError             exit 1   the result cannot be written where it was wanted
    │   └── OutputExists                 the target is there and overwriting was not asked for
    ├── UsageError              exit 2   arguments that contradict each other
    ├── ConfigError             exit 2   a setting that does not exist or has the wrong type
    ├── WeightsError            exit 1   a weights file is missing, damaged or of the wrong kind
    ├── RestorerError           exit 1   a restorer that is not demask's own cannot be used
    ├── DeviceUnavailable       exit 1   the named device is not there
    ├── DatasetError            exit 1   shards, manifests or landmarks that cannot be used
    └── TrainingError           exit 1   a run that cannot go on (a non-finite loss, a foreign checkpoint)

A message says what we got, what we need and what to do. Facts are attributes, not only text.
"""

from __future__ import annotations


class DemaskError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what the command line returns."""

    exit_code = 1
    code = "error"


class InputError(DemaskError):
    """A photo, a hole or a file we were given cannot be used."""

    code = "bad_input"


class PhotoUnreadable(InputError):
    """The bytes are not a picture, or the picture is broken or cut short."""

    code = "photo_unreadable"


class PhotoUnsupported(InputError):
    """A picture of a kind that is refused, such as an animation."""

    code = "photo_unsupported"


class PhotoTooLarge(InputError):
    """The header promises more pixels than the limit; nothing was decoded."""

    code = "photo_too_large"

    def __init__(self, *, width: int, height: int, max_megapixels: float) -> None:
        super().__init__(
            f"the picture is {width}x{height} px ({width * height / 1e6:.0f} megapixels) "
            f"but the limit is {max_megapixels:g}; scale it down or raise --max-megapixels"
        )
        self.width, self.height, self.max_megapixels = width, height, max_megapixels


class ClipUnreadable(InputError):
    """The file is not a clip, holds no pictures, or is broken beyond use."""

    code = "clip_unreadable"


class ShapeMismatch(InputError):
    """Two arrays that must cover the same pixels do not."""

    code = "shape_mismatch"

    def __init__(self, *, image: tuple[int, ...], hole: tuple[int, ...]) -> None:
        super().__init__(
            f"hole is {hole[1]}x{hole[0]} but the image is {image[1]}x{image[0]} (width x height); "
            "draw the hole on the original photo, before any resize"
        )
        self.image, self.hole = image, hole


class OutputError(DemaskError):
    """The result cannot be written where it was wanted; whatever was there is unharmed."""

    code = "output_failed"


class OutputExists(OutputError):
    """The target exists and overwriting was not asked for."""

    code = "output_exists"


class UsageError(DemaskError):
    """Arguments that contradict each other or cannot be met."""

    exit_code = 2
    code = "usage"


class ConfigError(DemaskError):
    """A setting that does not exist, has the wrong type, or contradicts another."""

    exit_code = 2
    code = "config"


class WeightsError(DemaskError):
    """A weights file is missing, damaged or of the wrong kind."""

    code = "weights"


class RestorerError(DemaskError):
    """A restorer that is not demask's own cannot be opened, fails, or gives no picture of the crop."""

    code = "restorer"


class DeviceUnavailable(DemaskError):
    """The device that was named is not there; never a silent fall-back."""

    code = "device"


class DatasetError(DemaskError):
    """Shards, manifests or landmarks that cannot be used."""

    code = "dataset"


class TrainingError(DemaskError):
    """A training run that cannot go on."""

    code = "training"
