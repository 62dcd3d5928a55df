"""What is counted about requests that share a minute, a method, a route and a status class."""

from bisect import bisect_left
from typing import Any

from blueprints.metrics.sketch import Sketch

# Upper bounds in seconds of the histograms that Prometheus reads; one more bucket is open above.
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
NO_BUCKETS = [0] * (len(BOUNDS) + 1)


class Series:
    """Number, sum, longest, percentiles and histogram of durations, and of the waiting before them.

    The sums are whole microseconds: fractions would add up to something else in another order, and a
    counter that falls by its last digit is a restart to Prometheus.
    """

    __slots__ = (
        "buckets",
        "queue_buckets",
        "queue_count",
        "queue_max_ms",
        "queue_sum_us",
        "sketch",
        "sum_us",
    )

    def __init__(self) -> None:
        self.sum_us = 0
        self.sketch = Sketch()
        self.buckets = NO_BUCKETS.copy()
        self.queue_count = 0
        self.queue_sum_us = 0
        self.queue_max_ms = 0.0
        self.queue_buckets = NO_BUCKETS.copy()

    @property
    def count(self) -> int:
        return self.sketch.count

    def add(self, seconds: float, queue_seconds: float | None) -> None:
        """Count one request; `queue_seconds` is None when it is not known how long it waited."""
        self.sum_us += round(seconds * 1_000_000)
        self.sketch.add(seconds * 1000)
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        if queue_seconds is not None:
            self.queue_count += 1
            self.queue_sum_us += round(queue_seconds * 1_000_000)
            self.queue_max_ms = max(self.queue_max_ms, queue_seconds * 1000)
            self.queue_buckets[bisect_left(BOUNDS, queue_seconds)] += 1

    def merge(self, other: "Series") -> None:
        """Count everything that `other` counted."""
        self.sum_us += other.sum_us
        self.sketch.merge(other.sketch)
        self.buckets = [a + b for a, b in zip(self.buckets, other.buckets, strict=True)]
        self.queue_count += other.queue_count
        self.queue_sum_us += other.queue_sum_us
        self.queue_max_ms = max(self.queue_max_ms, other.queue_max_ms)
        self.queue_buckets = [a + b for a, b in zip(self.queue_buckets, other.queue_buckets, strict=True)]

    def to_json(self) -> dict[str, Any]:
        """Everything, in a form for JSON."""
        return {
            "sum_us": self.sum_us,
            "sketch": self.sketch.to_json(),
            "buckets": self.buckets,
            "queue_count": self.queue_count,
            "queue_sum_us": self.queue_sum_us,
            "queue_max_ms": self.queue_max_ms,
            "queue_buckets": self.queue_buckets,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Series":
        """The series that `to_json` wrote."""
        series = cls()
        series.sum_us = value["sum_us"]
        series.sketch = Sketch.from_json(value["sketch"])
        series.buckets = value["buckets"]
        series.queue_count = value["queue_count"]
        series.queue_sum_us = value["queue_sum_us"]
        series.queue_max_ms = value["queue_max_ms"]
        series.queue_buckets = value["queue_buckets"]
        return series
