"""Every route of an application, found by walking it, and what it answers to somebody without a key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx

import own_loop


def every_route(app: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Method and path of all that an application answers, mounts and included routers too."""
    for route in app.routes:
        inner = getattr(route, "original_router", None) or getattr(route, "app", None)
        path = prefix + getattr(route, "path", "")
        if hasattr(route, "methods"):
            for method in sorted(route.methods or ()):
                yield method, re.sub(r"{[^}]*}", "x", path)
        elif hasattr(inner, "routes"):
            yield from every_route(inner, path)
        else:  # A mounted application that has no routes of its own, such as a folder of files.
            yield "GET", f"{path}/x"


def ask(app: Any, *requests: tuple[str, str], **headers: str) -> list[httpx.Response]:
    """Answers of an application to requests given as method and path."""

    async def all_of_them() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            return [await http.request(method, path, headers=headers) for method, path in requests]

    return own_loop.run(all_of_them())


def answered_without_a_key(app: Any) -> set[str]:
    """Paths of the routes that said anything but 401, each asked for real."""
    routes = list(every_route(app))
    return {
        path for (_, path), answer in zip(routes, ask(app, *routes), strict=True) if answer.status_code != 401
    }
