"""Runs the checks: in parallel, each with a deadline kept from outside, cached, one refresh at a time."""

import os
import time
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Any

from app import log
from app.database import db
from app.plugins import Check

CHECK_SECONDS = 2.0
REFRESH_SECONDS = 3.0
PHRASES = {"healthy": "answered", "unhealthy": "failed", "timeout": "no answer in time", "unknown": "not configured"}


@dataclass(frozen=True)
class Result:
    """What one check found: its status, a fixed phrase, and how long it took."""

    status: str  # healthy | unhealthy | unknown
    phrase: str
    duration_ms: float
    checked_at: float  # monotonic seconds


class Monitor:
    """The results of an application's checks."""

    def __init__(self, app: Any, checks: list[Check]) -> None:
        self.app = app
        self.checks = checks
        self.results: dict[str, Result] = {}
        self.running: dict[str, Thread] = {}
        self.refreshing = Lock()

    def current(self, checks: list[Check] | None = None) -> dict[str, Result]:
        """The results by name, refreshed when they are too old; answers within three seconds.

        While someone else refreshes, the last results are good enough.
        """
        wanted = self.checks if checks is None else checks
        deadline = time.monotonic() + REFRESH_SECONDS
        if self._due(wanted):
            known = all(check.name in self.results for check in wanted)
            if self.refreshing.acquire(blocking=not known, timeout=-1 if known else REFRESH_SECONDS):
                try:
                    self._refresh(self._due(wanted), deadline)
                finally:
                    self.refreshing.release()
        never = Result("unhealthy", PHRASES["timeout"], 0, 0)
        return {check.name: self.results.get(check.name, never) for check in wanted}

    def _due(self, checks: list[Check]) -> list[Check]:
        now = time.monotonic()
        due = []
        for check in checks:
            result = self.results.get(check.name)
            if result is None or now - result.checked_at > check.cached_seconds:
                due.append(check)
        return due

    def _refresh(self, due: list[Check], deadline: float) -> None:
        """Run the checks that are due; one that does not answer goes on in its thread, and is not waited for twice."""
        idle = [check for check in due if check.name not in self.running or not self.running[check.name].is_alive()]
        for check in idle:
            thread = Thread(target=self._run, args=(check,), daemon=True, name=f"check-{check.name}")
            self.running[check.name] = thread
            thread.start()
        until = min(time.monotonic() + CHECK_SECONDS, deadline)
        for check in due:
            if check in idle:
                self.running[check.name].join(max(0.0, until - time.monotonic()))
            if self.running[check.name].is_alive():
                late = Result("unhealthy", PHRASES["timeout"], CHECK_SECONDS * 1000, time.monotonic())
                self.results[check.name] = late

    def _run(self, check: Check) -> None:
        began = time.monotonic()
        try:
            found = check.run(self.app)
            status = "unknown" if found is None else "healthy" if found else "unhealthy"
        except Exception as error:
            log.warning("check_failed", check=check.name, error_type=type(error).__name__)
            status = "unhealthy"
        ended = time.monotonic()
        self.results[check.name] = Result(status, PHRASES[status], round((ended - began) * 1000, 1), ended)


def monitor(app: Any) -> Monitor:
    """The monitor of an application, with the checks of every loaded plugin."""
    if "health" not in app.extensions:
        checks = [check for plugin in app.extensions["plugins"] for check in plugin.checks]
        app.extensions.setdefault("health", Monitor(app, checks))
    return app.extensions["health"]


def overall(checks: list[Check], results: dict[str, Result]) -> str:
    """`unhealthy` when a critical check failed, `degraded` when another did, else `healthy`."""
    failed = [check for check in checks if results[check.name].status == "unhealthy"]
    if any(check.critical for check in failed):
        return "unhealthy"
    return "degraded" if failed else "healthy"


def active_connections() -> int:
    """Database connections of this process that are in use now."""
    checked_out = getattr(db.engine.pool, "checkedout", None)
    return checked_out() if checked_out else 0


def memory_usage() -> int:
    """Resident bytes of this process."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
