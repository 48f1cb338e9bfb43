"""From settings to a listening server, and its end: what was accepted is finished."""

from __future__ import annotations

import logging
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import TYPE_CHECKING

from demask.server.logs import set_up_logs
from demask.server.serve_settings import Limits, Settings
from demask.webkit.sockets import address_of, bound_socket

if TYPE_CHECKING:
    from demask.remover import Remover

_log = logging.getLogger("demask.server")


def serve(settings: Settings) -> None:
    """Serve until SIGTERM (returns) or Ctrl-C.

    Raises:
        UsageError: The address cannot be bound.
        WeightsError: A network is missing or damaged.
        DeviceUnavailable: The named device is not there.
        KeyboardInterrupt: After Ctrl-C, once what was accepted is finished.
    """
    set_up_logs(for_people=sys.stderr.isatty())
    # uvicorn raises a signal again once all is finished; by then SIGTERM has been obeyed.
    signal.signal(signal.SIGTERM, _exit)
    listener = bound_socket(settings.host, settings.port)
    with ThreadPoolExecutor(1) as loader:
        loading = loader.submit(_load, settings)  # Beside the imports, which take as long.
        from demask.server.factory import create_app
        from demask.webkit.listening import Server, quiet_config

        remover = loading.result()
    app = create_app(remover, settings)
    service, limits = app.state.service, settings.limits
    facts = {"url": address_of(listener), "workers": settings.workers, "threads": settings.threads}
    config = quiet_config(app, limits, grace_s=limits.body_s + limits.deadline_s + 5, lifespan=True)
    server = Server(
        config,
        on_listening=lambda: _log.info("listening", extra=facts),
        on_signal=service.stop,
        on_stopping=lambda: _log.info("stopping", extra={"under_way": service.workshop.accepted}),
        on_stopped=lambda: _log.info("stopped"),
    )
    _raise_file_limit(limits)
    server.run(sockets=[listener])


def _load(settings: Settings) -> Remover:
    import cv2

    from demask.remover import Remover

    cv2.setNumThreads(settings.threads)  # The workers are the parallelism.
    return Remover(device=settings.device, restorer=settings.restorer, threads=settings.threads)


def _raise_file_limit(limits: Limits) -> None:
    """Let the process hold all the connections it may have, as far as the system lets it."""
    try:
        import resource
    except ImportError:  # Not a Unix.
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.max_connections + 256
    if soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _exit(sig: int, frame: FrameType | None) -> None:
    raise SystemExit(0)
