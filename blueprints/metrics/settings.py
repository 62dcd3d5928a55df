"""Settings of the metrics, from the environment."""

from pydantic import BaseModel, ConfigDict, Field


class MetricsSettings(BaseModel):
    """METRICS_TOKEN; without it only administrators read /metrics."""

    model_config = ConfigDict(frozen=True)

    metrics_token: str | None = Field(None, min_length=16, repr=False, description="Bearer token that reads /metrics.")
