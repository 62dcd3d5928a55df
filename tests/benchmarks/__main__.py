"""Measures everything and prints one table; exits 1 only when it could not measure anything."""

import argparse
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks import CannotMeasure, Figure, flood, requests, same_time, startup

BENCHMARKS = {
    "requests": requests.measure,
    "startup": startup.measure,
    "flood": flood.measure,
    "same-time": same_time.measure,
}


def main() -> int:
    """Run the benchmarks; a goal that is not met is said, and is no failure."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds: a look, not a figure to keep")
    parser.add_argument("--only", action="append", choices=BENCHMARKS, help="one of them; may be given several times")
    options = parser.parse_args()
    figures: list[Figure] = []
    print(machine(), load())
    for name in options.only or BENCHMARKS:
        try:
            figures += BENCHMARKS[name](quick=options.quick)
        except CannotMeasure as error:
            print(f"Could not measure: {name}. {error}", file=sys.stderr)
    if not figures:
        return 1
    print(table(figures))
    for figure in figures:
        if figure.note:
            print(f"{figure.name}: {figure.note}")
    print(load())
    return 0


def machine() -> str:
    """One line on where and when this was measured."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        processor = platform.processor() or platform.machine()
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    return f"{today}, {os.cpu_count()} x {processor}, {platform.system()}, Python {platform.python_version()}"


def load() -> str:
    """How busy the machine was; what others do on it disturbs every figure."""
    return "Load average over 1, 5 and 15 minutes: " + ", ".join(f"{average:.1f}" for average in os.getloadavg())


def table(figures: list[Figure]) -> str:
    """The figures as aligned columns."""
    rows = [("", "ours", "other", "ratio", "half of the rounds", "goal", "met")]
    for figure in figures:
        low, high = figure.spread
        rows.append(
            (
                f"{figure.name} ({figure.unit})",
                number(figure.ours),
                number(figure.other),
                f"{figure.ratio:.3f}",
                f"{low:.3f} to {high:.3f}",
                figure.goal,
                ("yes" if figure.is_met else "no") if figure.goal != "none" else "",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def number(value: float) -> str:
    """A quantity with three digits that matter."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


if __name__ == "__main__":
    sys.exit(main())
