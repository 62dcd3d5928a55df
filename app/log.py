"""Log lines: one JSON object a line on stdout, redacted, never a path, a query string or a body.

`log.info("mail_sent", job=name)` writes an event and its fields; the standard library's records take the
same form.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from app.envelope import timestamp
from app.redaction import redact, redact_text

MAX_TRACEBACK = 6000


def init(level: str) -> None:
    """Write our events and the standard library's records of this level and above."""
    root = logging.getLogger()
    root.handlers = [handler for handler in root.handlers if not isinstance(handler, StandardLines)]
    root.addHandler(StandardLines())
    root.setLevel(level)
    logging.captureWarnings(True)
    logging.getLogger("alembic.runtime.plugins").setLevel(logging.WARNING)  # a line for each of its parts


def debug(event: str, **fields: Any) -> None:
    """Write an event of level debug."""
    say(logging.DEBUG, event, fields)


def info(event: str, **fields: Any) -> None:
    """Write an event of level info."""
    say(logging.INFO, event, fields)


def warning(event: str, **fields: Any) -> None:
    """Write an event of level warning."""
    say(logging.WARNING, event, fields)


def error(event: str, **fields: Any) -> None:
    """Write an event of level error; `exc_info=` an exception adds its traceback."""
    say(logging.ERROR, event, fields)


def exception(event: str, **fields: Any) -> None:
    """Write an event of level error with the traceback of the exception that is being handled."""
    say(logging.ERROR, event, {"exc_info": sys.exc_info()[1], **fields})


def say(level: int, event: str, fields: dict[str, Any]) -> None:
    """Write an event, if its level is written at all."""
    if logging.getLogger().isEnabledFor(level):
        write(render(logging.getLevelName(level).lower(), {"event": event, **fields}))


class StandardLines(logging.Handler):
    """The standard library's records in our form."""

    def emit(self, record: logging.LogRecord) -> None:
        event: dict[str, Any] = {"event": record.getMessage(), "logger": record.name}
        if record.exc_info:
            event["exc_info"] = record.exc_info[1]
        write(render(record.levelname.lower(), event))


def render(level: str, event: dict[str, Any]) -> str:
    """One event as a redacted JSON line."""
    error = event.pop("exc_info", None)
    line = {"ts": timestamp(datetime.now(UTC)), "level": level, **redact(event)}
    if isinstance(error, BaseException):
        text = "".join(traceback.format_exception(error, limit=-20))
        line["traceback"] = redact_text(text)[-MAX_TRACEBACK:]
    return json.dumps(line, default=lambda value: redact_text(str(value)), skipkeys=True)


def write(line: str) -> None:
    """Write one line; never raises."""
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except (OSError, ValueError):
        return


def request_line(
    request_id: str, method: str, route: str, status: int, seconds: float, user_id: str | None, ip: str
) -> None:
    """The one line of a request, by hand: json.dumps takes four times as long, and this is on every request's path.

    Its fields are ours (templates, numbers, ids), so nothing is redacted; `request_id` and `method` need no quoting.
    """
    write(
        f'{{"ts":"{timestamp(datetime.now(UTC))}","level":"info","event":"request","request_id":"{request_id}",'
        f'"method":"{method}","route":{quoted(route)},"status":{status},"duration_ms":{seconds * 1000:.2f},'
        f'"user_id":{quoted(user_id)},"ip":{quoted(ip)}}}'
    )


@lru_cache(1024)
def quoted(value: str | None) -> str:
    """A text, or None, in JSON."""
    return json.dumps(value)
