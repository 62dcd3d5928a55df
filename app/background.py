"""The threads of a serving process: started by gunicorn's hooks, stopped when the process ends."""

import atexit
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

from flask import Flask

STOP_SECONDS = 5


def start(app: Flask) -> None:
    """Start the embedded worker and the plugins' threads of this process."""
    stop = threading.Event()
    runs: list[Callable[..., Any]] = [thread for plugin in app.extensions["plugins"] for thread in plugin.threads]
    threads = [threading.Thread(target=run, args=(app, stop), daemon=True, name=run.__name__) for run in runs]
    if app.config["WORKER"] == "embedded":
        worker = app.extensions["jobs"]
        threads.append(threading.Thread(target=worker.run_forever, args=(stop,), daemon=True, name="worker"))
    for thread in threads:
        thread.start()
    pid = os.getpid()

    def finish() -> None:
        if os.getpid() != pid:
            return  # a fork has our handlers, not our threads
        stop.set()
        app.extensions["jobs"].wake.set()
        for thread in threads:
            thread.join(STOP_SECONDS)

    # atexit runs on SIGTERM, SIGQUIT, SIGHUP and Ctrl-C alike; gunicorn's worker_exit misses one.
    atexit.register(finish)


def drain_on_sigterm(app: Flask) -> None:
    """Say so in /health/ready while this process stops; gunicorn's own handler does the stopping."""
    before = signal.getsignal(signal.SIGTERM)

    def handle(number: int, frame: Any) -> None:
        app.extensions["draining"] = True
        if callable(before):
            before(number, frame)

    signal.signal(signal.SIGTERM, handle)
