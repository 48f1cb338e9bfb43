"""What all requests share, and what is counted of them for Prometheus: never who or what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from demask.remover import Remover
from demask.server.jobs import Answer
from demask.server.kept import KeptPhotos
from demask.server.serve_settings import Settings
from demask.server.workshop import Workshop
from demask.webkit.responses import Refusal
from demask.webkit.upload import HeldBytes

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_MEGAPIXELS = (0.3, 1, 2, 4, 8, 12, 24, 50, 100)
MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4


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


class Metrics:
    """Counters of one server.

    Args:
        waiting: Asked for the photos that wait or are worked on, whenever somebody reads the metrics.
        held_bytes: The same for bytes of uploads in memory.
        kept_bytes: The same for photos that pages go on with.
    """

    def __init__(
        self,
        *,
        waiting: Callable[[], float],
        held_bytes: Callable[[], float],
        kept_bytes: Callable[[], float],
    ) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        made = self._registry
        self._requests = Counter("demask_requests", "Requests answered.", ("route", "status"), registry=made)
        self._seconds = Histogram(
            "demask_request_seconds", "From head to last byte.", ("route",), buckets=_SECONDS, registry=made
        )
        self._stages = Histogram(
            "demask_stage_seconds", "Work by stage.", ("stage",), buckets=_SECONDS, registry=made
        )
        self._photos = Counter("demask_photos", "Photos worked on.", ("status",), registry=made)
        self._faces = Counter("demask_faces", "Faces found.", ("status",), registry=made)
        self._megapixels = Histogram(
            "demask_photo_megapixels", "Size of photos.", buckets=_MEGAPIXELS, registry=made
        )
        Gauge("demask_under_way", "Photos waiting or worked on.", registry=made).set_function(waiting)
        Gauge("demask_held_bytes", "Uploads in memory.", registry=made).set_function(held_bytes)
        Gauge("demask_kept_bytes", "Photos that pages go on with.", registry=made).set_function(kept_bytes)

    def request(self, route: str, status: int, spent_s: float) -> None:
        """Count a request that was answered; 499 where the client left."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(spent_s)

    def photo(self, answer: Answer) -> None:
        """Count a photo that was worked on."""
        self._photos.labels(answer.status).inc()
        self._megapixels.observe(answer.megapixels)
        for status in answer.faces:
            self._faces.labels(status).inc()
        for stage, spent_ms in answer.timings_ms.items():
            self._stages.labels(stage).observe(spent_ms / 1000)

    def text(self) -> bytes:
        """All of it, in the text format of Prometheus."""
        return generate_latest(self._registry)
