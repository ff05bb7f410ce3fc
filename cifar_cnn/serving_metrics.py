"""What the API counts, for Prometheus."""

import time

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class ServingMetrics:
    """Counters and histograms of one application, in a registry of their own.

    Attributes:
        registry: what `/metrics` shows.
        images: images predicted.
        batch_size: images of each forward pass; above 1 where requests share one.

    Example:
        >>> metrics = ServingMetrics()
        >>> metrics.answered("/predict", 200, seconds=0.02)
        >>> metrics.registry.get_sample_value("cifar_requests_total", {"route": "/predict", "status": "200"})
        1.0
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "cifar_requests", "Requests answered.", ["route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "cifar_request_seconds", "Seconds to an answer.", ["route"], registry=self.registry
        )
        self.images = Counter("cifar_images", "Images predicted.", registry=self.registry)
        self.batch_size = Histogram(
            "cifar_batch_size",
            "Images of a forward pass.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
            registry=self.registry,
        )

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count an answer.

        Args:
            route: its path template, so that made-up paths do not make up time series.
            status: HTTP status.
            seconds: it took.
        """
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)


class Measured:
    """ASGI middleware: counts and times every answer, its own application's refusals included.

    Args:
        app: what answers.
        metrics: what is told.

    Example:
        >>> from starlette.applications import Starlette
        >>> from starlette.testclient import TestClient
        >>> metrics = ServingMetrics()
        >>> TestClient(Measured(Starlette(), metrics)).get("/nowhere").status_code
        404
        >>> metrics.registry.get_sample_value("cifar_requests_total", {"route": "other", "status": "404"})
        1.0
    """

    def __init__(self, app: ASGIApp, metrics: ServingMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 500  # what Starlette, further out, makes of an exception

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, seen)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.answered(route, status, time.perf_counter() - began)
