"""Settings of health."""

from pydantic import BaseModel, Field


class HealthSettings(BaseModel):
    """What an operator may set."""

    health_token: str | None = Field(None, min_length=16, repr=False, description="Bearer token for /health/<check>.")
