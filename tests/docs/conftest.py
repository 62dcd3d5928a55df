"""The documentation is tried on the running service."""

from tests.live import live

__all__ = ["live"]
