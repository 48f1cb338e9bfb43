"""S3, Google Cloud Storage and Azure, through obstore: lists as a stream, creates only where nothing is.

A conditional create is one request (`If-None-Match: *` on S3 and Azure, `ifGenerationMatch=0` on Google's), so
that of two writers exactly one wins, and an object is there whole or not at all.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any, BinaryIO, NoReturn

from demask.batch.stores import Item, TargetUnusable
from demask.errors import InputError, OutputError, OutputExists, PhotoUnreadable, UsageError
from demask.extras import install_command
from demask.photo.file_bytes import most_bytes, too_many_bytes

_DENIED = "access is denied"
_READ_AHEAD_BYTES = 2**16


class ObjectStore:
    """A bucket, or what lies under a prefix of it.

    Args:
        url: `s3://bucket/prefix` and its like. Region, address and credentials come from the environment
            (`AWS_*`, `GOOGLE_*`, `AZURE_*`) or from the machine's role.
    """

    def __init__(self, url: str) -> None:
        try:
            from obstore import exceptions
            from obstore.store import from_url
        except ImportError:
            raise UsageError(f"{url} needs obstore; run: {install_command('batch')}") from None
        self._url = url.rstrip("/")
        patience = timedelta(seconds=float(os.environ.get("DEMASK_STORE_TIMEOUT_S", "60")))
        options: dict[str, Any] = {
            "client_options": {
                "timeout": patience,
                "connect_timeout": min(patience, timedelta(seconds=10)),
                "allow_http": _without_tls(),
            },
            "retry_config": {"max_retries": 5, "retry_timeout": 3 * patience},
        }
        try:
            self._store = from_url(self._url.replace("s3a://", "s3://", 1), **options)
        except (exceptions.BaseError, ValueError) as error:
            raise UsageError(f"{url} cannot be opened: {_first_line(error)}") from error

    def list(self) -> Iterator[Item]:
        """See `Store`; a page of a thousand names at a time."""
        import obstore

        pages = obstore.list(self._store, chunk_size=1000)
        while True:
            try:
                page = next(pages, None)
            except Exception as error:
                self._cannot("list", "", error)
            if page is None:
                return
            for meta in page:
                name = meta["path"]
                if not any(part.startswith(".") for part in PurePosixPath(name).parts):
                    yield Item(name, meta["size"])

    def read(self, name: str, *, max_megapixels: float = 100) -> bytes:
        """See `Store`."""
        import obstore

        try:
            got = obstore.get(self._store, name)
            if got.meta["size"] > most_bytes(max_megapixels):
                raise too_many_bytes(f"{self._url}/{name}", max_megapixels=max_megapixels)
            return bytes(got.bytes())
        except PhotoUnreadable:
            raise
        except Exception as error:
            self._cannot("read", name, error)

    def open(self, name: str) -> BinaryIO:
        """See `Store`."""
        import obstore

        try:
            opened = obstore.open_reader(self._store, name, buffer_size=_READ_AHEAD_BYTES)
        except Exception as error:
            self._cannot("read", name, error)
        return io.BufferedReader(_Readable(opened), _READ_AHEAD_BYTES)

    def size(self, name: str) -> int | None:
        """See `Store`."""
        import obstore

        try:
            return int(obstore.head(self._store, name)["size"])
        except FileNotFoundError:
            return None
        except Exception as error:
            raise OutputError(f"cannot look at {self._url}/{name}: {_reason(error)}") from error

    def create(self, name: str, data: bytes, *, overwrite: bool = False) -> None:
        """See `Store`."""
        import obstore
        from obstore import exceptions

        try:
            # In one request: what is sent in parts is not conditional everywhere.
            obstore.put(
                self._store, name, data, use_multipart=False, mode="overwrite" if overwrite else "create"
            )
        except exceptions.AlreadyExistsError:
            raise OutputExists(f"{self._url}/{name} exists; name another target or pass --overwrite") from None
        except Exception as error:
            reason = _reason(error)
            kind = TargetUnusable if reason.startswith(_DENIED) else OutputError
            raise kind(f"cannot write {self._url}/{name}: {reason}") from error

    def clear(self, name: str) -> None:
        """See `Store`; an object is there whole or not at all."""

    def _cannot(self, do: str, name: str, error: Exception) -> NoReturn:
        place = f"{self._url}/{name}" if name else self._url
        raise InputError(f"cannot {do} {place}: {_reason(error)}") from error


class _Readable(io.RawIOBase):
    """An object as the standard library reads files; obstore's own reader is no context manager."""

    def __init__(self, opened: Any) -> None:
        self._opened = opened

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = bytes(self._opened.read(len(buffer)))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._opened.seek(offset, whence))

    def tell(self) -> int:
        return int(self._opened.tell())


def _without_tls() -> bool:
    """Whether the address that the environment names is one without TLS, such as a store of one's own."""
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AZURE_ENDPOINT", "GOOGLE_ENDPOINT")
    return any(os.environ.get(name, "").startswith("http://") for name in names)


def _reason(error: Exception) -> str:
    """What went wrong in a few words; the library's own fill a page."""
    from obstore import exceptions

    text = str(error)
    if isinstance(error, FileNotFoundError | exceptions.NotFoundError):
        return "it is not there (any more)"
    if isinstance(error, PermissionError | exceptions.PermissionDeniedError) or "status: 403" in text:
        return f"{_DENIED}; check the credentials and the bucket's policy"
    if isinstance(error, exceptions.UnauthenticatedError) or "status: 401" in text:
        return "the credentials are refused; check them"
    if "timed out" in text or "kind: Timeout" in text or "TimedOut" in text:
        return "the store does not answer in time; try again, or raise DEMASK_STORE_TIMEOUT_S"
    return _first_line(error)


def _first_line(error: Exception) -> str:
    text = " ".join(str(error).split("\n\nDebug source")[0].split())
    return text[:300] or type(error).__name__
