"""Real services for the tests: each starts on a free port, and stops with its block."""

import socket


class ServiceUnavailable(Exception):
    """A service cannot be started on this machine; the message says what is missing."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now; somebody else may take it a moment later."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
