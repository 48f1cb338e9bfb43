"""How every answer looks: headers for the browser, and what goes wrong as HTTP says it, in one shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from demask import errors

Statuses = Mapping[type[errors.DemaskError], int]
STATUS_OF: Statuses = {
    errors.PhotoTooLarge: 413,
    errors.InputError: 422,
    errors.UsageError: 422,
    errors.DemaskError: 500,
}
"""The first entry that fits counts."""
ALWAYS = {
    # For what is no page: nothing may be loaded, and nothing may show it in a frame.
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
# Nothing from any other address; no inline script or style. Pictures that a script holds are blob: addresses.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
PAGE = {"content-security-policy": PAGE_POLICY}
"""For a page and what belongs to it."""


class Refusal(errors.DemaskError):
    """A request that is not answered with a picture.

    Args:
        status: HTTP status.
        code: What programs branch on.
        message: A sentence for people: what we got, what we need, what to do.
        details: Facts of the message.
        headers: To send along, such as `Retry-After`.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.details = status, code, dict(details or {})
        self.headers = dict(headers or {})


class ClientGone(Exception):
    """Nobody is there to answer."""


def refusal_of(error: errors.DemaskError, more: Statuses | None = None) -> Refusal:
    """An error of the library as a refusal.

    Args:
        error: What was raised.
        more: Statuses of errors that only one application knows; they come first.
    """
    if isinstance(error, Refusal):
        return error
    known = [*(more or {}).items(), *STATUS_OF.items()]
    status = next(status for kind, status in known if isinstance(error, kind))
    if status == 500:  # Weights, devices: the client can do nothing, and need not see paths.
        return internal()
    if isinstance(error, errors.PhotoTooLarge):
        size = {"width": error.width, "height": error.height, "max_megapixels": error.max_megapixels}
        message = (
            f"the picture is {error.width}x{error.height} px ({error.width * error.height / 1e6:.0f} "
            f"megapixels) but the limit here is {error.max_megapixels:g}; scale it down"
        )
        return Refusal(status, error.code, message, details=size)
    return Refusal(status, error.code, str(error))


def internal() -> Refusal:
    """What a client learns of a bug: nothing but the request id, under which the log has the rest."""
    return Refusal(500, "internal", "something went wrong here; the server's log has it under this request id")


def body_of(refusal: Refusal, request_id: str) -> dict[str, Any]:
    """The JSON body of every refusal."""
    error = {"code": refusal.code, "message": str(refusal), "details": refusal.details}
    return {"error": error, "request_id": request_id}


def of_unchanged(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of a 304, from those of the answer that the browser has already.

    A browser takes over what a 304 says (RFC 9111, section 3.2): without the page's own policy it would show
    its copy under the one of `ALWAYS`, which lets nothing load.
    """
    return {name: value for name, value in headers.items() if name.lower() != "content-length"}
