"""What all requests share."""

from __future__ import annotations

from dataclasses import dataclass, field

from demask.remover import Remover
from demask.server.kept import KeptPhotos
from demask.server.metrics import Metrics
from demask.server.serve_settings import Settings
from demask.server.workshop import Workshop
from demask.webkit.failures import Refusal
from demask.webkit.upload import HeldBytes


@dataclass(kw_only=True, slots=True, eq=False)
class Service:
    """One server's remover, limits, queue and counters.

    Attributes:
        remover: Does the work.
        settings: As the server was started.
        workshop: Threads and queue.
        held: Bytes of uploads in memory.
        kept: Photos that pages go on with.
        metrics: Counters.
        stopping: Set once the server was told to stop.
    """

    remover: Remover
    settings: Settings
    workshop: Workshop = field(init=False)
    held: HeldBytes = field(init=False)
    kept: KeptPhotos = field(init=False)
    metrics: Metrics = field(init=False)
    stopping: bool = False

    def __post_init__(self) -> None:
        limits = self.settings.limits
        self.workshop = Workshop(workers=self.settings.workers, max_waiting=limits.max_waiting)
        self.held = HeldBytes(limits.max_held_bytes)
        self.kept = KeptPhotos(most=limits.max_kept, most_bytes=limits.max_kept_bytes, keep_s=limits.keep_s)
        self.metrics = Metrics(
            waiting=lambda: self.workshop.accepted,
            held_bytes=lambda: self.held.now,
            kept_bytes=lambda: self.kept.num_bytes,
        )

    def stop(self) -> None:
        """Take no more photos from now on."""
        self.stopping = True

    def refuse_if_stopping(self) -> None:
        """Send a client elsewhere.

        Raises:
            Refusal: 503, the server stops.
        """
        if self.stopping:
            headers = {"Retry-After": "5", "Connection": "close"}
            raise Refusal(503, "shutting_down", "the server is stopping; come back soon", headers=headers)
