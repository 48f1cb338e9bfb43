"""A photo at an address that fsspec knows: a bucket, a zip file, another machine."""

from __future__ import annotations

from typing import Any, cast

from demask.errors import DemaskError, InputError, PhotoUnreadable
from demask.photo.file_bytes import read_stream


def read_address(address: str, *, max_megapixels: float) -> bytes:
    """All bytes at an address such as `s3://bucket/photo.jpg` or `zip://photo.jpg::photos.zip`.

    Raises:
        InputError: fsspec, or what it needs for this kind of address, is not installed.
        PhotoUnreadable: It cannot be read, or there are more bytes than any photo has.
    """
    try:
        import fsspec
    except ImportError:
        raise InputError(
            f"{address} is an address, which needs fsspec; run: pip install fsspec, or give a path"
        ) from None
    try:
        with fsspec.open(address, "rb") as file:
            return read_stream(cast(Any, file), address, max_megapixels=max_megapixels)
    except DemaskError:
        raise
    except ImportError as error:
        raise InputError(f"{address}: {error}") from error
    except Exception as error:  # Each kind of store raises errors of its own.
        raise PhotoUnreadable(f"cannot read {address}: {error}; check the address") from error
