"""Whether a password has appeared in a data breach, asked of a range service where one is configured.

The service learns five digits of a hash, has half a second in all, and is left alone for a while after it
failed. No answer is no objection.
"""

import hashlib
import io
import re
import socket
import ssl
import time
from concurrent.futures import Future
from functools import cache, cached_property
from http.client import HTTPResponse
from threading import BoundedSemaphore, Thread
from typing import Any
from urllib.parse import urlsplit

from app import log, plugins
from blueprints.auth.settings import AuthSettings

LOOKUP_SECONDS = 0.5
PAUSE_SECONDS = 30
MOST_BYTES = 2**18  # a range of Have I Been Pwned is about a thousand lines of 40 bytes
LINE = re.compile(r"([0-9A-Fa-f]{35}):([0-9]{1,18})")

# The lookups of this process: a name server that does not answer can be left waiting, but not stopped.
MOST_AT_ONCE = 8
places = BoundedSemaphore(MOST_AT_ONCE)


class UnexpectedAnswer(Exception):
    """The service answered something other than a range."""


def is_breached(password: str) -> bool:
    """Whether the configured service knows the password; without one, and without an answer, no.

    Takes LOOKUP_SECONDS at most: call it outside the lane, and hold no database connection.
    """
    url = plugins.current(AuthSettings).breached_passwords_url
    return url is not None and service(url, plugins.kernel_settings().product_name).knows(password)


@cache
def service(url: str, asker: str) -> "RangeService":
    """The range service at an address, one in each process."""
    return RangeService(url, asker)


class RangeService:
    """A service that answers which hashes begin with five digits, and whether it may be asked now."""

    def __init__(self, url: str, asker: str) -> None:
        self.url = urlsplit(url)
        self.asker = asker
        self.again_at = 0.0  # seconds of time.monotonic

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """Verifies the certificate and the name, as it is by default."""
        return ssl.create_default_context()

    def knows(self, password: str) -> bool:
        """Whether the password has appeared in a breach; says no when the service cannot be asked."""
        if time.monotonic() < self.again_at:
            return False
        if not places.acquire(blocking=False):
            log.warning("breach_lookup_skipped")
            return False
        digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
        try:
            return self._start(digest).result(LOOKUP_SECONDS)
        except Exception as error:
            self.again_at = time.monotonic() + PAUSE_SECONDS
            log.warning("breach_lookup_failed", error_type=type(error).__name__)
            return False

    def _start(self, digest: str) -> Future[bool]:
        """Look up in a thread of its own: no timeout of a socket limits a name lookup, or a trickle of bytes."""
        found: Future[bool] = Future()
        deadline = time.monotonic() + LOOKUP_SECONDS
        thread = Thread(target=self._look_up, args=(digest, deadline, found), name="breach-lookup", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the system has no more threads
            places.release()
            raise
        return found

    def _look_up(self, digest: str, deadline: float, found: Future[bool]) -> None:
        try:
            found.set_result(has_hit(self._fetch(digest[:5], deadline), digest[5:]))
        except Exception as error:
            found.set_exception(error)
        finally:
            places.release()

    def _fetch(self, prefix: str, deadline: float) -> bytes:
        """The body of the answer. The request is written by hand: what traces http.client would note the prefix."""
        request = (
            f"GET {self.url.path}{prefix} HTTP/1.1\r\nHost: {self.url.netloc}\r\nUser-Agent: {self.asker}\r\n"
            "Add-Padding: true\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
        )
        with self._connect(deadline) as connection:
            connection.sendall(request.encode("ascii", "replace"))
            response = HTTPResponse(Incoming(connection, deadline))  # type: ignore[arg-type]
            response.begin()
            if response.status != 200:
                raise UnexpectedAnswer
            body = response.read(MOST_BYTES + 1)
        if response.length or len(body) > MOST_BYTES:  # cut off, or endless
            raise UnexpectedAnswer
        return body

    def _connect(self, deadline: float) -> socket.socket:
        secure = self.url.scheme == "https"
        host = self.url.hostname or ""
        connection = socket.create_connection((host, self.url.port or (443 if secure else 80)), left(deadline))
        return self.tls.wrap_socket(connection, server_hostname=host) if secure else connection


class Incoming(io.RawIOBase):
    """What a socket receives until a deadline, in the form in which HTTPResponse reads it."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self.connection = connection
        self.deadline = deadline

    def makefile(self, mode: str) -> io.BufferedReader:
        """The reader that HTTPResponse asks a socket for."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.connection.settimeout(left(self.deadline))
        return self.connection.recv_into(buffer)


def left(deadline: float) -> float:
    """The seconds until a deadline of time.monotonic.

    :raises TimeoutError: there are none.
    """
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def has_hit(body: bytes, suffix: str) -> bool:
    """Whether a range, `SUFFIX:COUNT` a line, has the suffix; a count of zero is padding.

    :raises UnexpectedAnswer: it is no range.
    """
    lines = [LINE.fullmatch(line) for line in body.decode("ascii", "replace").split()]
    if not lines or None in lines:
        raise UnexpectedAnswer
    return any(line[1].upper() == suffix and int(line[2]) > 0 for line in lines if line)
