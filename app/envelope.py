"""The JSON envelope of the API."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flask import Response, current_app, g, request

if TYPE_CHECKING:
    from app.errors import AppError


def is_api() -> bool:
    """Whether the current request is for the JSON API, an unknown path under /api included."""
    return request.path.startswith("/api/") or request.path == "/api"


def wants_json_errors() -> bool:
    """Whether errors of the current request come in the envelope."""
    return is_api() or g.get("json_errors", False)


def timestamp(moment: datetime) -> str:
    """`2026-01-31T12:00:00.000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def meta() -> dict[str, str]:
    """What every envelope says of its request."""
    return {"requestId": g.get("request_id", ""), "timestamp": timestamp(datetime.now(UTC))}


def success(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """`{"success": true, "data": …, "meta": …}`."""
    return answer({"success": True, "data": data, "meta": meta()}, status, headers)


def failure(error: "AppError", details: dict[str, Any]) -> Response:
    """`{"success": false, "error": …, "meta": …}`; `details` is left out when empty."""
    body: dict[str, Any] = {"code": error.code, "message": error.text}
    if details:
        body["details"] = details
    return answer({"success": False, "error": body, "meta": meta()}, error.status)


def answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response that no cache keeps."""
    response = Response(f"{current_app.json.dumps(body)}\n", status, content_type="application/json")
    response.headers["Cache-Control"] = "no-store"
    response.headers.update(headers or {})
    return response
