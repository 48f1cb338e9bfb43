"""From settings to a listening server, and its end: what was accepted is finished."""

from __future__ import annotations

import logging
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import TYPE_CHECKING

from demask.errors import UsageError
from demask.server.logs import set_up_logs
from demask.server.settings import Limits, Settings

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
    set_up_logs()
    # uvicorn raises a signal again once all is finished; by then SIGTERM has been obeyed.
    signal.signal(signal.SIGTERM, _exit)
    listener = _bound(settings)
    with ThreadPoolExecutor(1) as loader:
        loading = loader.submit(_load, settings)  # Beside the imports, which take as long.
        import uvicorn

        from demask.server.app import create_app
        from demask.server.connection import protocol_for

        remover = loading.result()
    app = create_app(remover, settings)
    limits = settings.limits
    config = uvicorn.Config(
        app,
        http=protocol_for(limits),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=2048,
        timeout_graceful_shutdown=round(limits.body_s + limits.deadline_s) + 5,
    )

    class Server(uvicorn.Server):
        """Says when it listens and when it stops, to the log and to the application."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            facts = {"url": url, "workers": settings.workers, "threads": settings.threads}
            _log.info("listening", extra=facts)

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            app.state.service.stopping = True
            super().handle_exit(sig, frame)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            _log.info("stopping", extra={"under_way": app.state.service.workshop.accepted})
            await super().shutdown(sockets)
            _log.info("stopped")

    _raise_file_limit(limits)
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
    Server(config).run(sockets=[listener])


def _load(settings: Settings) -> Remover:
    import cv2

    from demask.remover import Remover

    cv2.setNumThreads(settings.threads)  # The workers are the parallelism.
    return Remover(device=settings.device, restorer=settings.restorer, threads=settings.threads)


def _bound(settings: Settings) -> socket.socket:
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(
            f"cannot listen on {settings.host} port {settings.port}: {reason}; name another --port"
        ) from error
    return listener


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
