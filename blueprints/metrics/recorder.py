"""Counts requests and errors in the memory of this process: a few microseconds each, and bounded."""

import os
import threading
from dataclasses import dataclass
from time import time
from typing import Any
from uuid import UUID, uuid4

from blueprints.metrics.series import Series

MAX_KEYS = 500  # of method, route and status class; the next ones are counted under the route `(other)`
MAX_SERIES = 5_000  # keys times minutes while the database is away: at most some 20 MB
MAX_ERRORS = 1_000  # error types times hours; the next types are counted as `(other)`
MAX_USERS = 10_000  # users of errors between two flushes
MAX_NAME = 200  # characters of a route or an error type
OTHER = "(other)"


@dataclass(frozen=True)
class Delta:
    """What one process counted since its last delta; `process` and `seq` name it for ever."""

    process: UUID
    seq: int
    payload: dict[str, Any]


class Recorder:
    """What this process counted since the last `drain`."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begin empty, as a process of its own: what a forked child must do."""
        self._lock = threading.Lock()
        self._process = uuid4()
        self._seq = 0
        self._known: set[tuple[str, str, str]] = set()
        self._empty()

    def _empty(self) -> None:
        self._series: dict[tuple[int, str, str, str], Series] = {}
        self._errors: dict[tuple[int, str], tuple[list[int], set[str]]] = {}
        self._users = 0
        self._dropped = 0

    def add_request(
        self, method: str, route: str, status_class: str, seconds: float, queue_seconds: float | None = None
    ) -> None:
        """Count one request that has just ended; `status_class` is `2xx` and the like."""
        minute = int(time()) // 60 * 60
        with self._lock:
            series = self._series.get((minute, method, route, status_class))
            if series is None:
                series = self._open(minute, method, route, status_class)
                if series is None:
                    self._dropped += 1
                    return
            series.add(seconds, queue_seconds)

    def _open(self, minute: int, method: str, route: str, status_class: str) -> Series | None:
        """The series of a key not met in this minute yet, None when memory is used up."""
        known = (method, route, status_class)
        if known not in self._known:
            if len(self._known) < MAX_KEYS:
                self._known.add(known)
            else:
                route = OTHER
        key = (minute, method, route, status_class)
        if key not in self._series:
            if len(self._series) >= MAX_SERIES:
                return None
            self._series[key] = Series()
        return self._series[key]

    def add_error(self, error: BaseException, user_id: UUID | None = None) -> None:
        """Count an exception in the current hour, and whom it hit."""
        key = (int(time()) // 3600 * 3600, type(error).__name__[:MAX_NAME])
        with self._lock:
            if key not in self._errors and len(self._errors) >= MAX_ERRORS:
                key = (key[0], OTHER)
            count, users = self._errors.setdefault(key, ([0], set()))
            count[0] += 1
            if user_id is None or str(user_id) in users:
                return
            if self._users < MAX_USERS:
                users.add(str(user_id))
                self._users += 1
            else:
                self._dropped += 1

    def add_drop(self) -> None:
        """Count something that could not be recorded."""
        with self._lock:
            self._dropped += 1

    def drain(self) -> Delta | None:
        """Take everything counted so far, as JSON under the next number; None when there is nothing."""
        with self._lock:
            series, errors, dropped = self._series, self._errors, self._dropped
            self._empty()
            if not (series or errors or dropped):
                return None
            self._seq += 1
            process, seq = self._process, self._seq
        requests = [
            {"minute": minute, "method": method, "route": route[:MAX_NAME], "status_class": status_class}
            | counted.to_json()
            for (minute, method, route, status_class), counted in series.items()
        ]
        failures = [
            {"hour": hour, "type": error_type, "count": count[0], "users": sorted(users)}
            for (hour, error_type), (count, users) in errors.items()
        ]
        return Delta(process, seq, {"requests": requests, "errors": failures, "dropped": dropped})


this_process = Recorder()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=this_process.restart)
