"""Renders the counters of the whole fleet as text for Prometheus."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import hooks
from app.database import snapshot, utc_now
from blueprints.metrics.models import MetricDelta, MetricTotal
from blueprints.metrics.services.folding import unfolded
from blueprints.metrics.tally import DROPPED, ERRORS, QUEUE, REQUESTS, UPPER_BOUNDS

if TYPE_CHECKING:
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

# What the answer to `check_statuses` says of a check; one that is not configured has no value.
CHECK_VALUES = {"healthy": 1.0, "unhealthy": 0.0}
REQUEST_LABELS = ("method", "route", "status_class")

# Name and labels as sorted JSON -> value; see Tally.increments.
Totals = dict[tuple[str, str], float]


def prometheus_text(*, openmetrics: bool = False, now: datetime | None = None) -> str:
    """Every series in Prometheus' text format 0.0.4, or in OpenMetrics 1.0.0; counters never fall."""
    from prometheus_client import CollectorRegistry, exposition
    from prometheus_client.openmetrics import exposition as openmetrics_exposition

    registry = CollectorRegistry()
    registry.register(Fleet(now or utc_now()))
    module = openmetrics_exposition if openmetrics else exposition
    return module.generate_latest(registry).decode()


class Fleet:
    """What prometheus_client asks for its metrics."""

    def __init__(self, now: datetime) -> None:
        with snapshot() as session:
            self.totals = read_totals(session)
            self.lag_seconds = read_lag(session, now)
        self.statuses: dict[str, str] = hooks.ask("check_statuses") or {}

    def describe(self) -> list[Any]:
        return []

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        requests = HistogramMetricFamily(REQUESTS, "Time to answer a request.", labels=REQUEST_LABELS)
        yield filled(requests, REQUESTS, REQUEST_LABELS, self.totals)
        queue = HistogramMetricFamily(QUEUE, "Time a request waited before it reached the application.", labels=())
        yield filled(queue, QUEUE, (), self.totals)
        yield counter(CounterMetricFamily(ERRORS, "Exceptions that ended a request.", labels=("type",)), self.totals)
        dropped = CounterMetricFamily(DROPPED, "What could not be recorded.", labels=())
        yield counter(dropped, {(DROPPED, "{}"): 0.0} | self.totals)
        checks = GaugeMetricFamily("health_check_status", "1 healthy, 0 unhealthy.", labels=("check",))
        for name, status in sorted(self.statuses.items()):
            if status in CHECK_VALUES:
                checks.add_metric([name], CHECK_VALUES[status])
        yield checks
        lag = "Age of the oldest delta that is not folded yet."
        yield GaugeMetricFamily("monitor_flush_lag_seconds", lag, value=self.lag_seconds)


def read_totals(session: Session) -> Totals:
    """The counters as stored, and what is not folded yet on top of them."""
    rows = session.execute(select(MetricTotal.name, MetricTotal.labels, MetricTotal.value))
    totals: Totals = {(name, labels): value for name, labels, value in rows}
    for key, value in unfolded(session).increments().items():
        totals[key] = totals.get(key, 0.0) + value
    return totals


def read_lag(session: Session, now: datetime) -> float:
    """Seconds since the oldest delta that waits to be folded came in; 0 without one."""
    oldest = session.scalar(select(func.min(MetricDelta.created_at)).where(MetricDelta.folded_at.is_(None)))
    return max(0.0, (now - oldest).total_seconds()) if oldest else 0.0


def filled(
    family: "HistogramMetricFamily", name: str, label_names: tuple[str, ...], totals: Totals
) -> "HistogramMetricFamily":
    """The histogram with its buckets, each of which contains the ones below, as Prometheus wants them."""
    counts: dict[tuple[str, ...], dict[str, float]] = {}
    for (found, text), value in totals.items():
        if found == f"{name}_bucket":
            labels = json.loads(text)
            counts.setdefault(tuple(labels[label] for label in label_names), {})[labels["le"]] = value
    for values, by_bound in sorted(counts.items()):
        buckets, below = [], 0.0
        for bound in UPPER_BOUNDS:
            below += by_bound.get(bound, 0.0)
            buckets.append((bound, below))
        text = json.dumps(dict(zip(label_names, values, strict=True)), sort_keys=True)
        family.add_metric(values, buckets, totals.get((f"{name}_sum_us", text), 0.0) / 1_000_000)
    return family


def counter(family: "CounterMetricFamily", totals: Totals) -> "CounterMetricFamily":
    """The counter with a sample for each of its label values."""
    for (name, text), value in sorted(totals.items()):
        if name == f"{family.name}_total":
            family.add_metric(list(json.loads(text).values()), value)
    return family
