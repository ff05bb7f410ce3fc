"""What the API counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Histogram


class ServingMetrics:
    """Counters and histograms of one application, in a registry of their own.

    Attributes:
        registry: what `/metrics` shows.
        images: images predicted.
        batch_size: images of each forward pass; above 1 where requests share one.
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
