"""How fast the service is beside what it is made of: `python -m tests.benchmarks`; docs/performance.md explains."""

from dataclasses import dataclass
from statistics import median
from typing import Any


class CannotMeasure(Exception):
    """The figures cannot be had on this machine; the message says why."""


@dataclass(frozen=True)
class Figure:
    """One compared quantity: ours, the other's, their ratio (ours to theirs, median of the rounds), and the goal."""

    name: str
    unit: str
    ours: float
    other: float
    ratio: float
    spread: tuple[float, float]  # lower and upper quartile of the rounds' ratios
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""  # what the columns cannot say

    @property
    def is_met(self) -> bool:
        """Whether the ratio is within its goal."""
        return (self.at_most is None or self.ratio <= self.at_most) and (
            self.at_least is None or self.ratio >= self.at_least
        )

    @property
    def goal(self) -> str:
        """The goal in words."""
        if self.at_most is not None and self.at_least is not None:
            return f"{self.at_least:.2f} to {self.at_most:.2f}"
        if self.at_most is not None:
            return f"at most {self.at_most:.2f}"
        return f"at least {self.at_least:.2f}" if self.at_least is not None else "none"


def compare(name: str, unit: str, ours: list[float], other: list[float], **more: Any) -> Figure:
    """The figure of paired rounds: medians of both, and the median of the rounds' ratios; `more` has goal and note."""
    ratios = sorted(mine / theirs for mine, theirs in zip(ours, other, strict=True))
    spread = (ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4])
    return Figure(name, unit, median(ours), median(other), median(ratios), spread, **more)
