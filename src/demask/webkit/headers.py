"""What every answer tells the browser; a handler that needs something else sets the header itself."""

from __future__ import annotations

from collections.abc import Mapping

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


def of_unchanged(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of a 304, from those of the answer that the browser has already.

    A browser takes over what a 304 says (RFC 9111, section 3.2): without the page's own policy it would show
    its copy under the one of `ALWAYS`, which lets nothing load.
    """
    return {name: value for name, value in headers.items() if name.lower() != "content-length"}
