"""The lane in which bcrypt runs: a few at a time, a few waiting, everyone else is told to come back.

Measured: without it a flood of sign-ins makes a trivial route a hundred times slower.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock
from typing import NoReturn

from app.errors import ServiceUnavailable

# gthread shares connections unevenly, so each process may use every core.
RUNNING = os.cpu_count() or 2
WAITING = 5  # a wait costs less than a refusal, but holds a thread
REFUSED_AFTER_SECONDS = 0.02  # at once would let clients that retry at once eat the processor
LONGEST_WAIT_SECONDS = 5

_permits = BoundedSemaphore(RUNNING)
_lock = Lock()
_waiting = 0


@contextmanager
def lane() -> Iterator[None]:
    """Hold a place for hashing; enter before looking anything up, and hold no database connection inside.

    :raises ServiceUnavailable: the lane and its queue are full.
    """
    if not _permits.acquire(blocking=False):
        _wait()
    try:
        yield
    finally:
        _permits.release()


def refuse_when_full() -> None:
    """Refuse whoever would find no place, before anything is read or counted: in a flood most are refused.

    :raises ServiceUnavailable: the lane and its queue are full.
    """
    with _lock:
        full = _waiting >= WAITING
    if full:
        _refuse()


def _wait() -> None:
    global _waiting
    with _lock:
        full = _waiting >= WAITING
        if not full:
            _waiting += 1
    if full:
        _refuse()
    try:
        if not _permits.acquire(timeout=LONGEST_WAIT_SECONDS):
            raise ServiceUnavailable(retry_after_seconds=1)
    finally:
        with _lock:
            _waiting -= 1


def _refuse() -> NoReturn:
    time.sleep(REFUSED_AFTER_SECONDS)
    raise ServiceUnavailable(retry_after_seconds=1)
