"""What every request goes through first and every answer last: id, host, scheme, size, headers, log line."""

import ipaddress
import re
import time
from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from uuid import uuid4

from flask import Flask, Response, current_app, g, redirect, request
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.sansio.utils import host_is_trusted

from app import log
from app.envelope import is_api, timestamp
from app.errors import BadRequest, PayloadTooLarge, UnsupportedMediaType

MAX_BODY_BYTES = 64 * 1024
YEAR_SECONDS = 365 * 24 * 3600
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")
CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin",  # no-referrer would make our own forms send `Origin: null`
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}
HSTS = "max-age=63072000; includeSubDomains"


def init_app(app: Flask, settings: Any) -> None:
    """Register the first and the last step of every request."""
    prefix = "__Host-" if settings.is_production else ""
    app.config.update(
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_BODY_BYTES,
        MAX_FORM_PARTS=50,
        SECRET_KEY=settings.secret_key,
        SECRET_KEY_FALLBACKS=list(settings.secret_key_fallbacks),
        SESSION_TOKEN_COOKIE=f"{prefix}session",
        DEVICE_COOKIE=f"{prefix}device",
        SESSION_COOKIE_NAME=f"{prefix}pre",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        SESSION_COOKIE_SECURE=settings.is_production,
    )
    gate = Gate(settings)
    app.before_request(gate.open)
    app.after_request(gate.close)
    if settings.proxy_hops:
        hops = settings.proxy_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0, x_prefix=0)  # type: ignore[method-assign]


class Gate:
    """The first and the last step of every request."""

    def __init__(self, settings: Any) -> None:
        self.trusted_hosts = list(settings.trusted_hosts)
        self.redirects_to_https = settings.proxy_hops > 0 and settings.is_https
        self.base_url = settings.base_url
        self.secure_cookies = settings.is_production
        self.allowed_origins = set(settings.allowed_origins)
        self.headers = list((HEADERS | ({"Strict-Transport-Security": HSTS} if settings.is_https else {})).items())
        self.logs_requests = settings.log_level in ("DEBUG", "INFO")

    def open(self) -> Any:
        """Name the request, then refuse what no view should see."""
        environ = request.environ
        g.started = time.perf_counter()
        given = environ.get("HTTP_X_REQUEST_ID", "")
        g.request_id = given if REQUEST_ID.fullmatch(given) else uuid4().hex
        environ["app.request_id"] = g.request_id
        environ["app.ip"] = valid_ip(environ.get("REMOTE_ADDR", ""))
        rule = request.url_rule
        if rule is not None:
            environ["app.route"] = rule.rule
        path = request.path
        watched = path == "/metrics" or path == "/health" or path.startswith("/health/")
        if not watched:
            if not host_is_trusted(environ.get("HTTP_HOST"), self.trusted_hosts):
                raise BadRequest("This host name is not served here.")
            if self.redirects_to_https and not request.is_secure:
                if is_api():
                    raise BadRequest("Use https.")
                return redirect(self.base_url + request.full_path.rstrip("?"), 308)
        if request.method == "OPTIONS" and self.allowed_origins and self._foreign_friend():
            return self._preflight()
        if request.method not in ("GET", "HEAD", "OPTIONS"):
            check_body(environ)
        return None

    def close(self, response: Response) -> Response:
        """Put the headers on, send the session cookie, write the request's one line."""
        headers = response.headers
        headers["X-Request-ID"] = g.get("request_id", "")
        for name, value in self.headers:
            if name not in headers:
                headers[name] = value
        cookie = g.get("session_cookie")
        if cookie is not None:
            self._send_cookie(response, "SESSION_TOKEN_COOKIE", *cookie)
        device = g.get("device_cookie")
        if device is not None:
            self._send_cookie(response, "DEVICE_COOKIE", device, YEAR_SECONDS)
        if "identity" in g or cookie is not None:
            headers.add("Vary", "Cookie")
            headers.setdefault("Cache-Control", "no-store")
        if self.allowed_origins and is_api():
            self._allow_origin(response)
        if self.logs_requests:
            self._write_line(response)
        return response

    def _send_cookie(self, response: Response, name: str, value: str, max_age: int | None) -> None:
        response.set_cookie(
            current_app.config[name],
            value,
            max_age=max_age,
            secure=self.secure_cookies,
            httponly=True,
            samesite="Lax",
            path="/",
        )

    def _foreign_friend(self) -> bool:
        return is_api() and request.headers.get("Origin", "").lower() in self.allowed_origins

    def _preflight(self) -> Response:
        response = Response(status=204)
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, PATCH, DELETE"
        response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, X-Request-ID"
        response.headers["Access-Control-Max-Age"] = "600"
        return response

    def _allow_origin(self, response: Response) -> None:
        response.headers.add("Vary", "Origin")
        if self._foreign_friend():
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response.headers["Access-Control-Allow-Credentials"] = "true"
            response.headers["Access-Control-Expose-Headers"] = "X-Request-ID, Retry-After, Location"

    def _write_line(self, response: Response) -> None:
        environ = request.environ
        log.request_line(
            {
                "ts": timestamp(datetime.now(UTC)),
                "level": "info",
                "event": "request",
                "request_id": g.get("request_id"),
                "method": request.method if request.method in KNOWN_METHODS else "(other)",
                "route": environ.get("app.route", "(unmatched)"),
                "status": response.status_code,
                "duration_ms": round((time.perf_counter() - g.get("started", time.perf_counter())) * 1000, 2),
                "user_id": environ.get("app.user_id"),
                "ip": environ.get("app.ip"),
            }
        )


KNOWN_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def valid_ip(value: str) -> str:
    """A client address in its canonical form, or an empty text: a proxy header can hold anything."""
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        return ""


def check_body(environ: dict[str, Any]) -> None:
    """Refuse a body that is compressed or too large.

    A chunked body over Werkzeug's limit would be cut without an error, so it is read here, up to the
    limit and one byte more.
    :raises PayloadTooLarge:
    :raises UnsupportedMediaType:
    """
    if environ.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
        raise UnsupportedMediaType("Send the body without compression.")
    length = environ.get("CONTENT_LENGTH")
    if length:
        if length.isdigit() and int(length) > MAX_BODY_BYTES:
            raise PayloadTooLarge
    elif environ.get("wsgi.input_terminated"):
        body = environ["wsgi.input"].read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise PayloadTooLarge
        environ["wsgi.input"] = BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
