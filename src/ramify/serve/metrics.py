"""Counts of the service, in the text format of Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from ramify.serve.batching import Dispatcher

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
OTHER = "other"
"""Route of requests for paths that the service does not have, which clients could make without end."""

SHED = 503
HEALTH = "/health/"


class Metrics:
    """Counts of one service, in a registry of its own.

    Parameters
    ----------
    dispatcher : Dispatcher
        Its queue and its models.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._registry = CollectorRegistry()
        own = self._registry
        self._requests = Counter("ramify_requests", "Requests by route and status.", ("route", "status"), registry=own)
        self._seconds = Histogram(
            "ramify_request_seconds", "Seconds to the answer.", ("route",), buckets=SECONDS, registry=own
        )
        self._batches = Histogram("ramify_batch_texts", "Texts per batch.", buckets=TEXTS, registry=own)
        self._shed = Counter("ramify_shed_requests", "Requests refused because of the load.", registry=own)
        self._models = Gauge("ramify_model_info", "Models in use.", ("model", "version", "kind"), registry=own)
        queue = Gauge("ramify_queue_requests", "Requests that wait.", registry=own)
        queue.set_function(lambda: dispatcher.waiting)
        processes = Gauge("ramify_model_processes", "Processes that hold the models.", registry=own)
        processes.set_function(lambda: sum(link.ready for link in dispatcher.links))
        dispatcher.on_batch = self._batches.observe

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        if status == SHED and HEALTH not in route:
            self._shed.inc()

    def text(self) -> bytes:
        """All counts."""
        self._models.clear()
        for one in self._dispatcher.models.values():
            self._models.labels(one.name, one.version, one.kind).set(1)
        return generate_latest(self._registry)
