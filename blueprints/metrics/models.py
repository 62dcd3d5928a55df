"""What the metrics remember: deltas as they come in, rollups by minute, hour and day, errors, and totals."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, Double, String, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base, UtcDateTime, utc_now


class MetricDelta(Base):
    """What one process counted between two flushes.

    Folding empties it and leaves its key, so that a process which never heard that it was stored can send
    it again without being counted twice.
    """

    __tablename__ = "metric_deltas"

    process: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    folded_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    payload: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class Rollup(Base):
    """The requests of one span of time that share route, method and status class."""

    __abstract__ = True

    start_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    route: Mapped[str] = mapped_column(String(200), primary_key=True)
    method: Mapped[str] = mapped_column(String(10), primary_key=True)
    status_class: Mapped[str] = mapped_column(String(3), primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)
    sum_ms: Mapped[float] = mapped_column(Double)
    max_ms: Mapped[float] = mapped_column(Double)
    queue_count: Mapped[int] = mapped_column(BigInteger)
    queue_sum_ms: Mapped[float] = mapped_column(Double)
    queue_max_ms: Mapped[float] = mapped_column(Double)
    sketch: Mapped[dict[str, Any]] = mapped_column(JSON)


class MetricMinute(Rollup):
    """The requests of one minute."""

    __tablename__ = "metric_minutes"


class MetricHour(Rollup):
    """The requests of one hour."""

    __tablename__ = "metric_hours"


class MetricDay(Rollup):
    """The requests of one day, in UTC."""

    __tablename__ = "metric_days"


class ErrorHour(Base):
    """How often one type of exception ended a request in one hour."""

    __tablename__ = "error_hours"

    hour: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    error_type: Mapped[str] = mapped_column(String(200), primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)


class ErrorUser(Base):
    """A signed-in user whom one type of exception hit in one hour."""

    __tablename__ = "error_users"

    hour: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    error_type: Mapped[str] = mapped_column(String(200), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)


class MetricTotal(Base):
    """A counter since the beginning; it never falls, and no retention touches it. `labels` is sorted JSON."""

    __tablename__ = "metric_totals"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    labels: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[float] = mapped_column(Double)
