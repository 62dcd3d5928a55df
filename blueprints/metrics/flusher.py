"""The thread that moves what this process counted into the database, away from every request."""

import atexit
import os
import threading
from time import monotonic

from flask import Flask

from app import log
from blueprints.metrics import services
from blueprints.metrics.recorder import Delta, Recorder, this_process

FLUSH_SECONDS = 2.0
LOG_SECONDS = 60.0


def flush_forever(app: Flask, stop: threading.Event) -> None:
    """Store what was counted every two seconds, and once more when the process stops."""
    outbox = Outbox(app, this_process)
    process_id = os.getpid()
    atexit.register(lambda: outbox.send() if os.getpid() == process_id else None)
    while not stop.wait(FLUSH_SECONDS):
        outbox.send()
    outbox.send()


class Outbox:
    """Stores one delta after the other, each once.

    While one cannot be stored the recorder goes on counting within its bounds, so nothing piles up here.
    """

    def __init__(self, app: Flask, recorder: Recorder) -> None:
        self.app = app
        self.recorder = recorder
        self.delta: Delta | None = None
        self.first_tried_at = 0.0
        self.logged_at = -LOG_SECONDS
        self.lock = threading.Lock()

    def send(self) -> bool:
        """Store what was counted so far; False when the database refused. Never raises."""
        with self.lock:
            try:
                if self.delta is None:
                    self.delta = self.recorder.drain()
                    self.first_tried_at = monotonic()
                if self.delta is not None:
                    with self.app.app_context():
                        services.store_delta(self.delta)
                self.delta = None
            except Exception as error:
                self._forget_if_too_old()
                self._log(error)
                return False
        return True

    def _forget_if_too_old(self) -> None:
        # Later its key may be gone from the database, and it could be counted twice.
        if self.delta is not None and monotonic() - self.first_tried_at > services.RETRY_SECONDS:
            self.delta = None
            self.recorder.add_drop()

    def _log(self, error: Exception) -> None:
        if monotonic() - self.logged_at >= LOG_SECONDS:
            self.logged_at = monotonic()
            log.warning("metrics_not_stored", error_type=type(error).__name__)
