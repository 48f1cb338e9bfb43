"""Stages of a job side by side: what comes is prepared ahead, what is done is taken away, few things wait."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Generic, TypeVar

Item = TypeVar("Item")
_POLL_S = 0.2


def ahead(items: Iterable[Item], *, depth: int) -> Iterator[Item]:
    """Draw items in a thread of their own, at most `depth` of them before they are asked for.

    What drawing raises is raised here, after the items before it. When the consumer stops, drawing stops.
    """
    waiting: queue.Queue[tuple[Item] | BaseException | None] = queue.Queue(maxsize=depth)
    stopped = threading.Event()

    def put(entry: tuple[Item] | BaseException | None) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(entry, timeout=_POLL_S)
                return True
            except queue.Full:
                continue
        return False

    def draw() -> None:
        try:
            for item in items:
                if not put((item,)):
                    return
            put(None)
        except BaseException as error:  # Whatever it is, the consumer has to know.
            put(error)

    thread = threading.Thread(target=draw, name="demask-ahead", daemon=True)
    thread.start()
    try:
        while True:
            entry = waiting.get()
            if entry is None:
                return
            if isinstance(entry, BaseException):
                raise entry
            yield entry[0]
    finally:
        stopped.set()
        thread.join()


class Behind(Generic[Item]):
    """Hand items to a consumer in a thread of its own; a context that ends when all are consumed.

    Args:
        consume: Called with each item, in order.
        depth: How many may wait.
    """

    def __init__(self, consume: Callable[[Item], None], *, depth: int) -> None:
        self._consume = consume
        self._waiting: queue.Queue[tuple[Item] | None] = queue.Queue(maxsize=depth)
        self._error: BaseException | None = None
        self._given_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demask-behind", daemon=True)

    def __enter__(self) -> Behind[Item]:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._given_up.set()
        self._put(None)
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error

    def __call__(self, item: Item) -> None:
        """Hand one over; raises what the consumer raised."""
        self._put((item,))
        if self._error is not None:
            raise self._error

    def _put(self, entry: tuple[Item] | None) -> None:
        while self._error is None:
            try:
                self._waiting.put(entry, timeout=_POLL_S)
                return
            except queue.Full:
                continue

    def _run(self) -> None:
        try:
            while (entry := self._waiting.get()) is not None:
                if not self._given_up.is_set():
                    self._consume(entry[0])
        except BaseException as error:  # Told to whoever hands over the next item.
            self._error = error
