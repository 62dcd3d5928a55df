"""Adds up the payloads of deltas."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from blueprints.metrics.series import BOUNDS, Series

REQUESTS = "http_server_request_duration_seconds"
QUEUE = "http_server_queue_seconds"
ERRORS = "app_errors_total"
DROPPED = "monitor_dropped_total"
UPPER_BOUNDS = (*(str(bound) for bound in BOUNDS), "+Inf")

# Start of a span, method, route, status class.
Key = tuple[datetime, str, str, str]


class Tally:
    """The sum of some payloads: requests by minute, errors by hour, and what was dropped."""

    def __init__(self, payloads: Iterable[dict[str, Any] | None] = ()) -> None:
        self.requests: dict[Key, Series] = {}
        self.errors: dict[tuple[datetime, str], int] = {}
        self.users: dict[tuple[datetime, str], set[UUID]] = {}
        self.dropped = 0
        for payload in payloads:
            if payload is not None:  # folded already
                self.add(payload)

    def add(self, payload: dict[str, Any]) -> None:
        """Add what one process counted."""
        for row in payload["requests"]:
            key = (moment(row["minute"]), row["method"], row["route"], row["status_class"])
            merge_into(self.requests, key, Series.from_json(row))
        for row in payload["errors"]:
            hour = (moment(row["hour"]), row["type"])
            self.errors[hour] = self.errors.get(hour, 0) + row["count"]
            self.users.setdefault(hour, set()).update(UUID(user) for user in row["users"])
        self.dropped += payload["dropped"]

    def by(self, seconds: int) -> dict[Key, Series]:
        """The requests by spans of `seconds` that divide a day."""
        found: dict[Key, Series] = {}
        for (minute, method, route, status_class), series in self.requests.items():
            start = moment(int(minute.timestamp()) // seconds * seconds)
            merge_into(found, (start, method, route, status_class), series)
        return found

    def increments(self) -> dict[tuple[str, str], float]:
        """By how much each counter rises, by its name and its labels as sorted JSON.

        The buckets of a histogram do not contain each other here, and its sum is in microseconds.
        """
        found: dict[tuple[str, str], float] = {}
        for (_, method, route, status_class), series in self.requests.items():
            labels = {"method": method, "route": route, "status_class": status_class}
            raise_histogram(found, REQUESTS, labels, series.buckets, series.sum_us)
            raise_histogram(found, QUEUE, {}, series.queue_buckets, series.queue_sum_us)
        for (_, error_type), count in self.errors.items():
            raise_counter(found, ERRORS, {"type": error_type}, count)
        raise_counter(found, DROPPED, {}, self.dropped)
        return found


def moment(epoch_seconds: int) -> datetime:
    """The aware time of whole seconds since 1970."""
    return datetime.fromtimestamp(epoch_seconds, UTC)


def merge_into(found: dict[Key, Series], key: Key, series: Series) -> None:
    """Merge a series into the one of the same key."""
    found.setdefault(key, Series()).merge(series)


def raise_histogram(
    found: dict[tuple[str, str], float], name: str, labels: dict[str, str], buckets: list[int], sum_us: int
) -> None:
    """Add a series' buckets and its sum in microseconds to the totals."""
    for bound, count in zip(UPPER_BOUNDS, buckets, strict=True):
        raise_counter(found, f"{name}_bucket", labels | {"le": bound}, count)
    raise_counter(found, f"{name}_sum_us", labels, sum_us)


def raise_counter(found: dict[tuple[str, str], float], name: str, labels: dict[str, str], by: float) -> None:
    """Add to one total; adding nothing makes no row."""
    if by:
        key = (name, json.dumps(labels, sort_keys=True))
        found[key] = found.get(key, 0.0) + by
