"""From settings to a listening server, and its end: what was accepted is finished."""

from __future__ import annotations

import json
import logging
import logging.config
import signal
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import FrameType
from typing import TYPE_CHECKING, Any

from demask.server.serve_settings import Limits, Settings
from demask.webkit.wire import address_of, bound_socket

if TYPE_CHECKING:
    from demask.remover import Remover

_log = logging.getLogger("demask.server")
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


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


class JsonLines(logging.Formatter):
    """Formats a record as one line of JSON; what `extra=` holds stands beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _OWN}
        if record.exc_info and record.exc_info[0]:
            # Where it happened, not what it said: an error's text may quote what was uploaded.
            kind, _, trace = record.exc_info
            line["error"] = kind.__name__
            line["trace"] = [
                f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)
            ]
        return json.dumps(line, default=str)


class Sentences(logging.Formatter):
    """Formats a record for somebody at a terminal: where to go, and what went wrong."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        if record.getMessage() == "listening":
            return f"Open {vars(record)['url']} in a browser. Ctrl-C stops the server."
        trace = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return f"{record.levelname.lower()}: {record.getMessage()}{trace}"


def set_up_logs(*, for_people: bool = False) -> None:
    """Send everything to stderr.

    Args:
        for_people: Say only where the server listens and what goes wrong, in words; else every request and
            more, a JSON line each (`JsonLines`).
    """
    handler: dict[str, Any] = {"class": "logging.StreamHandler", "formatter": "json"}
    if for_people:
        handler |= {"formatter": "words", "filters": ["for_people"]}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": {"()": JsonLines}, "words": {"()": Sentences}},
            "filters": {"for_people": {"()": lambda: _for_people}},
            "handlers": {"stderr": handler},
            "root": {"handlers": ["stderr"], "level": "WARNING"},
            "loggers": {
                "demask": {"level": "INFO"},
                # These quote what they could not read.
                "demask.photo": {"level": "ERROR"},
                "python_multipart": {"level": "CRITICAL"},
                "PIL": {"level": "ERROR"},
            },
        }
    )


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


def _for_people(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or record.getMessage() == "listening"
