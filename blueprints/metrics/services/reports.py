"""Reads what the whole fleet counted: rollups and what is not folded yet, as they are at one moment."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.database import snapshot, utc_now
from blueprints.metrics.models import ErrorHour, ErrorUser, MetricMinute
from blueprints.metrics.schemas import ErrorRow, MetricsReport, PerformanceRow
from blueprints.metrics.services.folding import unfolded
from blueprints.metrics.sketch import Sketch
from blueprints.metrics.tally import Tally

PERFORMANCE_MINUTES = 60  # whole ones; the running one comes on top
ERROR_HOURS = 24
USERS_AT_ONCE = 500

# Hour and type of an error.
Group = tuple[datetime, str]


def report(now: datetime | None = None) -> MetricsReport:
    """Errors of the last 24 hours by hour and type; requests of the last 60 minutes by route and method."""
    now = now or utc_now()
    with snapshot() as session:
        tally = unfolded(session)
        return MetricsReport(
            errors=error_rows(session, tally, now),
            performance=performance_rows(session, tally, now),
            timestamp=now,
        )


def error_rows(session: Session, tally: Tally, now: datetime) -> list[ErrorRow]:
    """The last 24 whole hours and the running one, newest first, then the most frequent first."""
    since = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=ERROR_HOURS)
    counts = count_errors(session, since)
    for group, count in tally.errors.items():
        if group[0] >= since:
            counts[group] = counts.get(group, 0) + count
    users = count_users(session, since)
    for group, found in tally.users.items():
        users[group] = users.get(group, 0) + count_new(session, group, found)
    rows = [
        ErrorRow(
            hour=hour,
            error_type=error_type,
            error_count=count,
            affected_users=users.get((hour, error_type), 0),
        )
        for (hour, error_type), count in counts.items()
    ]
    return sorted(rows, key=lambda row: (-row.hour.timestamp(), -row.error_count, row.error_type))


def count_errors(session: Session, since: datetime) -> dict[Group, int]:
    """Folded errors by hour and type."""
    rows = session.execute(select(ErrorHour.hour, ErrorHour.error_type, ErrorHour.count).where(ErrorHour.hour >= since))
    return {(hour, error_type): count for hour, error_type, count in rows}


def count_users(session: Session, since: datetime) -> dict[Group, int]:
    """Distinct users by hour and type of error."""
    rows = session.execute(
        select(ErrorUser.hour, ErrorUser.error_type, func.count())
        .where(ErrorUser.hour >= since)
        .group_by(ErrorUser.hour, ErrorUser.error_type)
    )
    return {(hour, error_type): count for hour, error_type, count in rows}


def count_new(session: Session, group: Group, users: set[UUID]) -> int:
    """How many of `users` are not stored for a group yet."""
    hour, error_type = group
    ordered = sorted(users)
    stored = 0
    for first in range(0, len(ordered), USERS_AT_ONCE):
        some = ErrorUser.user_id.in_(ordered[first : first + USERS_AT_ONCE])
        stored += (
            session.scalar(select(func.count()).where(ErrorUser.hour == hour, ErrorUser.error_type == error_type, some))
            or 0
        )
    return len(users) - stored


def performance_rows(session: Session, tally: Tally, now: datetime) -> list[PerformanceRow]:
    """The last 60 whole minutes and the running one, the most frequent first."""
    since = now.replace(second=0, microsecond=0) - timedelta(minutes=PERFORMANCE_MINUTES)
    endpoints: dict[tuple[str, str], Endpoint] = {}
    for method, route, status_class, sum_ms, sketch in measured(session, tally, since):
        endpoints.setdefault((route, method), Endpoint()).add(status_class, sum_ms, sketch)
    ordered = sorted(endpoints.items(), key=lambda item: (-item[1].sketch.count, item[0]))
    return [endpoint.row(route, method) for (route, method), endpoint in ordered]


def measured(session: Session, tally: Tally, since: datetime) -> Iterator[tuple[str, str, str, float, Sketch]]:
    """Method, route, status class, sum in milliseconds and sketch of everything since a moment."""
    row = MetricMinute
    columns = select(row.method, row.route, row.status_class, row.sum_ms, row.sketch)
    for method, route, status_class, sum_ms, sketch in session.execute(columns.where(row.start_at >= since)):
        yield method, route, status_class, sum_ms, Sketch.from_json(sketch)
    for (minute, method, route, status_class), series in tally.requests.items():
        if minute >= since:
            yield method, route, status_class, series.sum_us / 1000, series.sketch


class Endpoint:
    """One route and method, added up."""

    def __init__(self) -> None:
        self.sum_ms = 0.0
        self.errors = 0
        self.sketch = Sketch()

    def add(self, status_class: str, sum_ms: float, sketch: Sketch) -> None:
        self.sum_ms += sum_ms
        self.sketch.merge(sketch)
        if status_class == "5xx":
            self.errors += sketch.count

    def row(self, route: str, method: str) -> PerformanceRow:
        return PerformanceRow(
            endpoint=route,
            method=method,
            request_count=self.sketch.count,
            avg_response_time=round(self.sum_ms / self.sketch.count, 1),
            p95_response_time=round(self.sketch.percentile(0.95) or 0.0, 1),
            p99_response_time=round(self.sketch.percentile(0.99) or 0.0, 1),
            error_count=self.errors,
        )
