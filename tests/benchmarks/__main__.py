"""Measures everything and prints one table; exits 1 only when it could not measure."""

import argparse
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks import CannotMeasure, Figure, requests, startup


def main() -> int:
    """Run the benchmarks; a goal that is not met is said, and is no failure."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds: a look, not a figure to keep")
    quick = parser.parse_args().quick
    print(machine())
    try:
        figures = requests.measure(quick=quick) + startup.measure(quick=quick)
        early = startup.loaded_early()
    except CannotMeasure as error:
        print(f"Could not measure. {error}", file=sys.stderr)
        return 1
    print(table(figures))
    print(f"Heavy modules loaded at the start: {', '.join(early) or 'none'} (goal: none)")
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


def table(figures: list[Figure]) -> str:
    """The figures as aligned columns."""
    rows = [("", "ours", "other", "ratio", "half of the rounds", "goal", "met")]
    for figure in figures:
        low, high = figure.spread
        rows.append(
            (
                f"{figure.name} ({figure.unit})",
                f"{figure.ours:.0f}",
                f"{figure.other:.0f}",
                f"{figure.ratio:.3f}",
                f"{low:.3f} to {high:.3f}",
                figure.goal,
                "yes" if figure.is_met else "no",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


if __name__ == "__main__":
    sys.exit(main())
