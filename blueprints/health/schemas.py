"""What health tells the outside."""

from app.schemas import Out, Timestamp


class Metrics(Out):
    """Figures of the process that answered: milliseconds, connections, bytes."""

    response_time: float
    active_connections: int
    memory_usage: int


class Health(Out):
    """The body of /health, outside the envelope."""

    status: str
    timestamp: Timestamp
    environment: str
    version: str
    checks: dict[str, str]
    metrics: Metrics


class OneCheck(Out):
    """One check, for operators."""

    name: str
    status: str
    message: str
    duration_ms: float
    critical: bool
