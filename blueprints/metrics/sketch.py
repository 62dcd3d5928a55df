"""Durations counted in logarithmic buckets: percentiles of a whole fleet, within 2 % and merged exactly."""

from math import ceil, floor, log
from typing import Any

RELATIVE_ERROR = 0.02
# Stored sketches merge only while the base stays the same: never change it.
BASE = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
LOG_BASE = log(BASE)
LEAST_MS = 0.001  # shorter ones count as zero, so that the number of buckets is bounded
MOST_MS = 86_400_000.0  # a day; longer ones count as a day


class Sketch:
    """How many durations fell into each bucket; a bucket is 4 % wide and stands for its middle."""

    __slots__ = ("bins", "count", "max_ms", "min_ms", "zeros")

    def __init__(self) -> None:
        self.bins: dict[int, int] = {}
        self.zeros = 0
        self.count = 0
        self.min_ms = 0.0
        self.max_ms = 0.0

    def add(self, ms: float) -> None:
        """Count one duration in milliseconds; what is negative or not a number counts as zero."""
        if ms >= LEAST_MS:
            if ms > MOST_MS:
                ms = MOST_MS
            index = ceil(log(ms) / LOG_BASE)
            self.bins[index] = self.bins.get(index, 0) + 1
        else:
            ms = 0.0
            self.zeros += 1
        if ms > self.max_ms:
            self.max_ms = ms
        if ms < self.min_ms or not self.count:
            self.min_ms = ms
        self.count += 1

    def merge(self, other: "Sketch") -> None:
        """Count everything that `other` counted: the same sketch as if it had been added here."""
        if not other.count:
            return
        for index, count in other.bins.items():
            self.bins[index] = self.bins.get(index, 0) + count
        self.zeros += other.zeros
        self.min_ms = min(self.min_ms, other.min_ms) if self.count else other.min_ms
        self.max_ms = max(self.max_ms, other.max_ms)
        self.count += other.count

    def percentile(self, fraction: float) -> float | None:
        """The duration in milliseconds at `fraction` (0 to 1), None when nothing was counted.

        Interpolates between the two nearest ranks as PERCENTILE_CONT does; at most 2 % off.
        """
        if not self.count:
            return None
        rank = fraction * (self.count - 1)
        below, above = self._at(floor(rank)), self._at(ceil(rank))
        return below + (above - below) * (rank - floor(rank))

    def _at(self, rank: int) -> float:
        """The duration at a whole rank; the shortest has rank 0."""
        if rank <= 0:
            return self.min_ms
        if rank >= self.count - 1:
            return self.max_ms
        if rank < self.zeros:
            return 0.0
        seen = self.zeros
        for index in sorted(self.bins):
            seen += self.bins[index]
            if rank < seen:
                middle = 2 * BASE**index / (BASE + 1)
                return min(max(middle, self.min_ms), self.max_ms)
        return self.max_ms

    def to_json(self) -> dict[str, Any]:
        """A compact form for JSON: the buckets as one flat list, index, count, index, count …"""
        bins = [number for index in sorted(self.bins) for number in (index, self.bins[index])]
        return {"min": self.min_ms, "max": self.max_ms, "zeros": self.zeros, "bins": bins}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Sketch":
        """The sketch that `to_json` wrote."""
        sketch = cls()
        numbers = value["bins"]
        sketch.bins = dict(zip(numbers[::2], numbers[1::2], strict=True))
        sketch.zeros = value["zeros"]
        sketch.count = sketch.zeros + sum(numbers[1::2])
        sketch.min_ms, sketch.max_ms = value["min"], value["max"]
        return sketch
