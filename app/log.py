"""Log lines: one JSON object a line on stdout, redacted, never a path, a query string or a body."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

import structlog

from app.envelope import timestamp
from app.redaction import redact, redact_text

MAX_TRACEBACK = 6000


def init(level: str) -> None:
    """Send structlog's and the standard library's lines through one pipeline."""
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=lambda *args: Stdout(),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [handler for handler in root.handlers if not isinstance(handler, StandardLines)]
    root.addHandler(StandardLines())
    root.setLevel(level)
    logging.captureWarnings(True)
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # a line for each of its parts


class Stdout:
    """Writes whole lines; a broken stdout must not break a request."""

    def msg(self, line: str) -> None:
        write(line)

    debug = info = warning = error = critical = msg


class StandardLines(logging.Handler):
    """The standard library's records in our form."""

    def emit(self, record: logging.LogRecord) -> None:
        event: dict[str, Any] = {"event": record.getMessage(), "logger": record.name}
        if record.exc_info:
            event["exc_info"] = record.exc_info[1]
        write(render(None, record.levelname.lower(), event))


def render(logger: Any, method: str, event: dict[str, Any]) -> str:
    """One event as a redacted JSON line."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    line = {"ts": timestamp(datetime.now(UTC)), "level": method, **redact(event)}
    if isinstance(error, BaseException):
        text = "".join(traceback.format_exception(error, limit=-20))
        line["traceback"] = redact_text(text[-MAX_TRACEBACK:])
    return json.dumps(line, default=str)


def write(line: str) -> None:
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except (OSError, ValueError):
        return


def request_line(fields: dict[str, Any]) -> None:
    """The one line of a request. Its fields are ours (templates, numbers, ids), so nothing is redacted."""
    write(json.dumps(fields, separators=(",", ":")))
