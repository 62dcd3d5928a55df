"""A flood of sign-ins, in a process of its own: `python -m tests.benchmarks.load` and an Order as JSON."""

import json
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from threading import Lock, Thread
from typing import Any

from tests.benchmarks import CannotMeasure
from tests.benchmarks.client import Connection, request

STARTED = "counting"


@dataclass(frozen=True)
class Order:
    """What to send: connection n sends body n modulo their number, again as soon as it is answered."""

    port: int
    path: str
    bodies: list[dict[str, Any]]
    connections: int
    warm_up_seconds: float
    seconds: float


def main() -> int:
    """Print a line when the counting begins, and the number of answers by status when it is over."""
    order = Order(**json.loads(sys.argv[1]))
    try:
        with ExitStack() as stack:
            connections = [stack.enter_context(Connection(order.port)) for _ in range(order.connections)]
            print(json.dumps(Flood(order).run(connections)), flush=True)
    except CannotMeasure as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def command(order: Order) -> list[str]:
    """How to start this in another process."""
    return [sys.executable, "-m", "tests.benchmarks.load", json.dumps(asdict(order))]


class Flood:
    """Connections that are never idle; an answer counts when it comes inside the window."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.begins = time.monotonic() + order.warm_up_seconds
        self.ends = self.begins + order.seconds
        self.tally: Counter[int] = Counter()
        self.lock = Lock()
        self.failure: CannotMeasure | None = None

    def run(self, connections: list[Connection]) -> dict[int, int]:
        """The answers by status.

        :raises CannotMeasure: a connection was lost.
        """
        threads = [Thread(target=self._hammer, args=pair) for pair in enumerate(connections)]
        for thread in threads:
            thread.start()
        time.sleep(self.order.warm_up_seconds)
        print(STARTED, flush=True)
        for thread in threads:
            thread.join()
        if self.failure is not None:
            raise self.failure
        return dict(self.tally)

    def _hammer(self, number: int, connection: Connection) -> None:
        message = request("POST", self.order.path, self.order.bodies[number % len(self.order.bodies)])
        try:
            while time.monotonic() < self.ends and self.failure is None:
                status = connection.ask(message)
                if self.begins <= time.monotonic() < self.ends:
                    with self.lock:
                        self.tally[status] += 1
        except CannotMeasure as error:
            self.failure = error


if __name__ == "__main__":
    sys.exit(main())
