"""What can be refused, and the one renderer that turns it into JSON or a page."""

import traceback
from typing import Any

from flask import Flask, Response, current_app, g, render_template
from markupsafe import escape
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from app import database, hooks, log, sentry
from app.envelope import failure, wants_json_errors


class AppError(Exception):
    """A refusal that the outside may see: status, code, a sentence, and the field it belongs to."""

    status = 400
    code = "BAD_REQUEST"
    message = "The request could not be understood."
    field: str | None = None  # the Python name of the field at fault
    next_step: tuple[str, str] | None = None  # label and endpoint of the button on the page of a dead link

    def __init__(self, message: str | None = None, *, details: dict[str, Any] | None = None, **headers: str) -> None:
        super().__init__(message or self.message)
        self.text = message or self.message
        self.details = details or {}
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    @property
    def page_status(self) -> int:
        """The status on a page, where refused input is 422."""
        return 422 if self.code == "VALIDATION_ERROR" else self.status


class BadRequest(AppError):
    pass


class ValidationFailed(AppError):
    code = "VALIDATION_ERROR"
    message = "Please check the fields below"

    def __init__(self, fields: dict[str, list[str]], message: str | None = None) -> None:
        super().__init__(message, details={"fields": fields})
        self.fields = fields


class Unauthorized(AppError):
    status, code, message = 401, "UNAUTHORIZED", "Sign in to continue."


class Forbidden(AppError):
    status, code, message = 403, "FORBIDDEN", "You are not allowed to do this."


class ReauthenticationRequired(AppError):
    status, code, message = 403, "REAUTHENTICATION_REQUIRED", "Confirm your password to continue."


class CsrfFailed(AppError):
    status, code = 403, "CSRF_FAILED"
    message = "This form has expired or came from another site. Please try again."


class NotFound(AppError):
    status, code, message = 404, "NOT_FOUND", "There is nothing here."


class Conflict(AppError):
    status, code, message = 409, "CONFLICT", "Someone else changed this at the same time. Please try again."


class PayloadTooLarge(AppError):
    status, code, message = 413, "PAYLOAD_TOO_LARGE", "The request is too large."


class UnsupportedMediaType(AppError):
    status, code, message = 415, "UNSUPPORTED_MEDIA_TYPE", "Send application/json."


class RateLimited(AppError):
    status, code, message = 429, "RATE_LIMIT_EXCEEDED", "Too many tries. Please wait and try again."

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(Retry_After=str(max(1, retry_after_seconds)))


class ServiceUnavailable(AppError):
    status, code = 503, "SERVICE_UNAVAILABLE"
    message = "The service is busy. Please try again in a moment."

    def __init__(self, message: str | None = None, retry_after_seconds: int = 5) -> None:
        super().__init__(message, Retry_After=str(retry_after_seconds))


class InternalError(AppError):
    status, code, message = 500, "INTERNAL_ERROR", "Something went wrong on our side."


CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    429: "RATE_LIMIT_EXCEEDED",
    503: "SERVICE_UNAVAILABLE",
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")  # the order in which Allow names them
SENTENCES = {404: NotFound.message, 405: "This address does not take that method.", 413: PayloadTooLarge.message}


def init_app(app: Flask) -> None:
    """Every error of the application, of Flask and of its libraries goes through `render`.

    `Exception` is handled here and reported from here: with a handler of its own, Flask no longer sends
    `got_request_exception`, which Sentry listens to.
    """
    app.register_error_handler(Exception, handle)


def handle(error: Exception) -> Response:
    """Answer any exception, and report the ones that are our fault."""
    # Flask wraps what fails before or after a view in an InternalServerError.
    error = getattr(error, "original_exception", None) or error
    known = classify(error)
    if known.status >= 500:
        report(error)
    return render(known, error)


def classify(error: Exception) -> AppError:
    """The refusal that stands for an exception."""
    if isinstance(error, AppError):
        return error
    if isinstance(error, HTTPException) and error.code and error.code < 500:
        return from_http(error)
    if database.is_unavailable(error):
        return ServiceUnavailable()
    return InternalError()


def from_http(error: HTTPException) -> AppError:
    """The refusal that stands for one of Werkzeug's; its headers (Allow, Retry-After) stay."""
    code = error.code or 400
    known = AppError(SENTENCES.get(code, AppError.message))
    # 406, 408, 411 … have no code of their own in the contract.
    known.status, known.code = code, CODES.get(code, "BAD_REQUEST")
    drop = ("content-type", "content-length")
    known.headers = {name: value for name, value in error.get_headers() if name.lower() not in drop}
    if isinstance(error, MethodNotAllowed):
        known.headers["Allow"] = ", ".join(sorted(error.valid_methods or (), key=METHODS.index))
    return known


def report(error: Exception) -> None:
    """Log an exception once and tell whoever records errors; never raises.

    A refusal that was meant, such as that of a full lane, is counted and needs no traceback.
    """
    if not isinstance(error, AppError):
        log.error("request_failed", request_id=g.get("request_id"), error_type=type(error).__name__, exc_info=error)
        sentry.capture(error, current_app.config["SETTINGS"], g.get("request_id", ""))
    try:
        hooks.tell("request_failed", error, g.get("identity"))
    except Exception:
        log.exception("error_not_recorded")


def render(known: AppError, error: Exception | None = None) -> Response:
    """The envelope under /api, a page elsewhere."""
    details = dict(known.details)
    if known.status == 500 and current_app.config["ENVIRONMENT"] == "development" and error is not None:
        details["error"] = "".join(traceback.format_exception_only(error)).strip()
    if wants_json_errors():
        response = failure(known, details)
    else:
        response = Response(page(known, details), known.page_status, content_type="text/html; charset=utf-8")
    response.headers.update(known.headers)
    return response


def page(known: AppError, details: dict[str, Any]) -> str:
    """The HTML of an error: a template of its own without session and database, else plain text in HTML."""
    from app.web import page_url

    g.error_page = True  # no session, no navigation, no query: any of them may be what is broken
    try:
        next_step = (known.next_step[0], page_url(known.next_step[1])) if known.next_step else None
        return render_template(
            "errors/error.html",
            status=known.page_status,
            title=title_of(410 if known.next_step else known.page_status),  # a dead link, whatever its status
            message=known.text,
            next_step=next_step,
            detail=details.get("error"),
        )
    except Exception:
        log.exception("error_page_broken")
        return (
            f"<!doctype html><html lang=en><title>{known.page_status}</title>"
            f"<h1>{escape(title_of(known.page_status))}</h1>"
            f"<p>{escape(known.text)}</p><p>Request {escape(g.get('request_id', ''))}</p></html>"
        )


def title_of(status: int) -> str:
    """The heading of the error page for a status."""
    titles = {
        400: "This request could not be understood",
        401: "Please sign in",
        403: "Not allowed",
        404: "Page not found",
        405: "That does not work here",
        409: "That did not fit",
        410: "This link no longer works",
        413: "Too large",
        415: "Unknown format",
        422: "This request could not be understood",
        429: "Too many tries",
        500: "Something went wrong",
        503: "Busy at the moment",
    }
    return titles.get(status, "That did not work")


def is_page_refusal(error: AppError) -> bool:
    """Whether a page shows its form again for this refusal, with its status."""
    return error.status in (400, 401, 403, 409, 429) and not isinstance(error, (BadRequest, ReauthenticationRequired))
