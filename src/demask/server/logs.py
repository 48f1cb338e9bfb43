"""The log on stderr, a JSON object per line, or words at a terminal: no file names, nothing of an upload."""

from __future__ import annotations

import json
import logging
import logging.config
import traceback
from datetime import UTC, datetime
from typing import Any

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


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


def _for_people(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or record.getMessage() == "listening"


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
