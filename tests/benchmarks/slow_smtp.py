"""An SMTP server that takes its time, in a process of its own: `python -m tests.benchmarks.slow_smtp PORT SECONDS`."""

import asyncio
import sys
from typing import Any

from aiosmtpd.controller import Controller


class Slow:
    """Takes every message, after a while, and forgets it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def handle_DATA(self, _server: Any, _session: Any, _envelope: Any) -> str:
        await asyncio.sleep(self.seconds)
        return "250 OK"


def main() -> None:
    """Serve until standard input is closed."""
    controller = Controller(Slow(float(sys.argv[2])), hostname="127.0.0.1", port=int(sys.argv[1]))
    controller.start()
    print("listening", flush=True)
    sys.stdin.read()
    controller.stop()


if __name__ == "__main__":
    main()
