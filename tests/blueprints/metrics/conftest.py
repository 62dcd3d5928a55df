"""What the tests of the metrics share: a clock that stands still, and processes that count by it."""

from datetime import datetime, timedelta

import pytest

from blueprints.metrics import recorder as recorder_module
from blueprints.metrics.recorder import Recorder


class Clock:
    """The time that recorders see; it moves only when told to."""

    def __init__(self, now: datetime):
        self.now = now

    def __call__(self) -> float:
        return self.now.timestamp()

    def back(self, **ago) -> "Clock":
        """Set the clock to a while before noon of 15 June 2027."""
        self.now = NOON - timedelta(**ago)
        return self


NOON = datetime.fromisoformat("2027-06-15T12:00:00Z")


@pytest.fixture
def clock(monkeypatch):
    clock = Clock(NOON)
    monkeypatch.setattr(recorder_module, "time", clock)
    return clock


@pytest.fixture
def recorder(clock):
    """One process of the fleet."""
    return Recorder()
