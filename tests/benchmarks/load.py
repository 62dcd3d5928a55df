"""A flood of sign-ins, in a process of its own: `python -m tests.benchmarks.load` and an Order as JSON."""

import json
import sys
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from selectors import EVENT_READ, BaseSelector, DefaultSelector
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
    """Connections that are never idle; an answer counts when it comes inside the window.

    One thread looks after all of them: what the flood itself costs is missing in what it measures.
    """

    def __init__(self, order: Order) -> None:
        self.order = order
        self.messages = [request("POST", order.path, body) for body in order.bodies]

    def run(self, connections: list[Connection]) -> dict[int, int]:
        """The answers by status.

        :raises CannotMeasure: a connection was lost.
        """
        with DefaultSelector() as selector:
            for number, connection in enumerate(connections):
                message = self.messages[number % len(self.messages)]
                selector.register(connection.socket, EVENT_READ, (connection, message))
                connection.send(message)
            self._hammer(selector, self.order.warm_up_seconds)
            print(STARTED, flush=True)
            tally = self._hammer(selector, self.order.seconds)
        for connection in connections:
            connection.read()  # or the server would still be hashing while its machine is measured
        return dict(tally)

    def _hammer(self, selector: BaseSelector, seconds: float) -> Counter[int]:
        """Send each connection's message again as soon as it is answered, for so long; counts the answers."""
        ends, tally = time.monotonic() + seconds, Counter[int]()
        while (left := ends - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                connection, message = key.data
                tally[connection.read()] += 1
                connection.send(message)
        return tally


if __name__ == "__main__":
    sys.exit(main())
