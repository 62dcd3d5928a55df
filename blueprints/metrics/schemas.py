"""What the outside may see of the metrics; the rows keep the snake_case names of the contract."""

from pydantic import ConfigDict

from app.schemas import Out, Timestamp


class ErrorRow(Out):
    """One type of exception in one hour."""

    model_config = ConfigDict(alias_generator=None)

    hour: Timestamp
    error_type: str
    error_count: int
    affected_users: int


class PerformanceRow(Out):
    """One route and method over the last hour; times in milliseconds with one decimal."""

    model_config = ConfigDict(alias_generator=None)

    endpoint: str
    method: str
    request_count: int
    avg_response_time: float
    p95_response_time: float
    p99_response_time: float
    error_count: int


class MetricsReport(Out):
    """Errors of the last 24 hours, newest first; requests of the last 60 minutes, most frequent first."""

    errors: list[ErrorRow]
    performance: list[PerformanceRow]
    timestamp: Timestamp
