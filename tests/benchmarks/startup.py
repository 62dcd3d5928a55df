"""What a start costs: the application, loaded and created, beside the import of the libraries it stands on."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks import CannotMeasure, Figure, compare
from tests.benchmarks.serving import ROOT, production

LIBRARIES = "import flask, flask_sqlalchemy, pydantic_settings, flask_limiter, flask_mail, flask_wtf"
APPLICATION = "import wsgi"  # loads the settings and calls create_app
HEAVY = ("alembic", "boto3", "sentry_sdk", "redis", "segno", "css_inline", "rich")


def measure(*, quick: bool = False) -> list[Figure]:
    """CPU and wall time of fresh processes that take turns.

    :raises CannotMeasure: a process fails.
    """
    rounds = 5 if quick else 20
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        environ = production(Path(name))
        for code in (APPLICATION, LIBRARIES):  # writes the byte code
            run(code, environ)
        times: dict[str, list[tuple[float, float]]] = {APPLICATION: [], LIBRARIES: []}
        for number in range(rounds):
            for code in (APPLICATION, LIBRARIES) if number % 2 else (LIBRARIES, APPLICATION):
                times[code].append(run(code, environ))
    cpu, wall = ({code: [pair[part] for pair in times[code]] for code in times} for part in (0, 1))
    note = f"heavy modules loaded: {', '.join(loaded_early()) or 'none'} (goal: none)"
    return [
        compare("Start, CPU", "ms", cpu[APPLICATION], cpu[LIBRARIES], at_most=1.3, note=note),
        compare("Start, wall", "ms", wall[APPLICATION], wall[LIBRARIES], at_most=1.3),
    ]


def loaded_early() -> list[str]:
    """The heavy modules that a start loads, although they are for a first use."""
    code = f"{APPLICATION}, sys; print(*(name for name in {HEAVY} if name in sys.modules))"
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        command, environ = [sys.executable, "-c", code], production(Path(name))
        return subprocess.check_output(command, cwd=ROOT, env=environ, text=True).split()


def run(code: str, environ: dict[str, str]) -> tuple[float, float]:
    """Milliseconds of CPU and of wall time of one Python process."""
    began = time.perf_counter()
    # Without _exit the process would also be taken apart, which no start includes.
    process = subprocess.Popen([sys.executable, "-c", f"{code}; import os; os._exit(0)"], cwd=ROOT, env=environ)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise CannotMeasure(f"{code!r} ended with {process.returncode}")
    return (used.ru_utime + used.ru_stime) * 1e3, wall * 1e3
