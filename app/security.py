"""What every request goes through first and every answer last: id, host, scheme, size, headers, log line."""

import ipaddress
import re
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from io import BytesIO
from secrets import token_hex
from typing import Any
from urllib.parse import quote

from flask import Flask, Request, Response, current_app, g, redirect, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.sansio.utils import host_is_trusted

from app import log
from app.envelope import is_api
from app.errors import BadRequest, PayloadTooLarge, UnsupportedMediaType

MAX_BODY_BYTES = 64 * 1024
YEAR_SECONDS = 365 * 24 * 3600
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")
IPV6_LOOPBACK = re.compile(r"\[::1\](:\d{1,5})?")
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
KNOWN_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


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
    app.session_interface = PageSessions()
    gate = Gate(app.wsgi_app, settings)
    app.before_request(gate.open)
    app.after_request(gate.close)
    app.wsgi_app = gate
    if settings.proxy_hops:
        hops = settings.proxy_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=0, x_prefix=0)


class Gate:
    """The first and the last step of every request.

    What concerns every answer is done around the application: there it is one list of strings.
    """

    def __init__(self, wsgi_app: Callable[..., Iterable[bytes]], settings: Any) -> None:
        self.wsgi_app = wsgi_app
        self.trusted_hosts = list(settings.trusted_hosts)
        self.redirects_to_https = settings.proxy_hops > 0 and settings.is_https
        self.base_url = settings.base_url
        self.secure_cookies = settings.is_production
        self.allowed_origins = set(settings.allowed_origins)
        self.headers = list((HEADERS | ({"Strict-Transport-Security": HSTS} if settings.is_https else {})).items())
        self.header_names = {name.lower() for name, _ in self.headers}
        self.logs_requests = settings.log_level in ("DEBUG", "INFO")

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Name the request; put the headers on its answer and write its one line."""
        started = environ["app.started"] = time.perf_counter()
        given = environ.get("HTTP_X_REQUEST_ID", "")
        request_id = environ["app.request_id"] = given if REQUEST_ID.fullmatch(given) else token_hex(16)
        environ["app.ip"] = valid_ip(environ.get("REMOTE_ADDR", ""))

        def start(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            given = {name.lower() for name, _ in headers}
            own = self.headers if given.isdisjoint(self.header_names) else self._headers_beside(given)
            if self.logs_requests:
                write_line(environ, int(status[:3]), time.perf_counter() - started)
            return start_response(status, [*headers, *own, ("X-Request-ID", request_id)], *exc_info)

        return self.wsgi_app(environ, start)

    def _headers_beside(self, given: set[str]) -> list[tuple[str, str]]:
        """Our headers except those that the answer has given itself."""
        return [(name, value) for name, value in self.headers if name.lower() not in given]

    def open(self) -> Any:
        """Refuse what no view should see."""
        environ = request.environ
        g.request_id = environ.get("app.request_id", "")
        rule = request.url_rule
        if rule is not None:
            environ["app.route"] = rule.rule
        if not is_watched(environ["PATH_INFO"]):
            if not is_served(environ.get("HTTP_HOST", ""), self.trusted_hosts):
                raise BadRequest("This host name is not served here.")
            if self.redirects_to_https and not request.is_secure:
                if is_api():
                    raise BadRequest("Use https.")
                return redirect(https_address(self.base_url), 308)
        method = environ["REQUEST_METHOD"]
        if method == "OPTIONS" and self.allowed_origins and self._foreign_friend():
            return self._preflight()
        if method not in ("GET", "HEAD", "OPTIONS"):
            check_body(environ)
        return None

    def close(self, response: Response) -> Response:
        """Send the session cookie, and say what the answer depends on and who may keep it."""
        cookie = g.get("session_cookie")
        if cookie is not None:
            self._send_cookie(response, "SESSION_TOKEN_COOKIE", *cookie)
            if not cookie[0]:  # what a front end kept for the one who leaves; the device stays known
                response.headers["Clear-Site-Data"] = '"storage"'
        device = g.get("device_cookie")
        if device is not None:
            self._send_cookie(response, "DEVICE_COOKIE", device, YEAR_SECONDS)
        if "identity" in g or cookie is not None:
            response.headers.add("Vary", "Cookie")
        response.headers.setdefault("Cache-Control", "no-store")  # what may be kept, such as a stylesheet, says so
        if self.allowed_origins and is_api():
            self._allow_origin(response)
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


class PageSessions(SecureCookieSessionInterface):
    """Flask's sessions for pages; a request that brings none and leaves none costs nothing."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """The session of a request, without making a signer when there is nothing to verify."""
        if app.config["SESSION_COOKIE_NAME"] not in request.environ.get("HTTP_COOKIE", ""):
            return self.session_class()
        return super().open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Send a session that was used."""
        if session or session.accessed or session.modified:
            super().save_session(app, session, response)


def write_line(environ: dict[str, Any], status: int, seconds: float) -> None:
    """Write the line of a request that is answered."""
    method = environ["REQUEST_METHOD"]
    log.request_line(
        environ["app.request_id"],
        method if method in KNOWN_METHODS else "(other)",
        environ.get("app.route", "(unmatched)"),
        status,
        seconds,
        environ.get("app.user_id"),
        environ["app.ip"],
    )


def is_watched(path: str) -> bool:
    """Whether a path is for those who watch the service; they may call it by any name, without https."""
    return path == "/metrics" or path == "/health" or path.startswith("/health/")


def is_served(host: str, trusted: list[str]) -> bool:
    """Whether a Host header names one of ours, on any port."""
    host = host.lower()
    # Werkzeug's function reads "::1" among the trusted as an empty name and a port.
    return host_is_trusted(host, trusted) or ("::1" in trusted and IPV6_LOOPBACK.fullmatch(host) is not None)


def https_address(base_url: str) -> str:
    """The current request's address under BASE_URL, quoted as it came."""
    query = request.query_string.decode("latin-1")
    return base_url + quote(request.path) + (f"?{query}" if query else "")


@lru_cache(1024)
def valid_ip(value: str) -> str:
    """A client address in its canonical form, or an empty text: a proxy header can hold anything."""
    try:
        address = ipaddress.ip_address(value.partition("%")[0])  # a zone id may be any text
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)


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
    if length and "HTTP_TRANSFER_ENCODING" not in environ:
        if length.isdigit() and int(length) > MAX_BODY_BYTES:
            raise PayloadTooLarge
    elif environ.get("wsgi.input_terminated"):
        body = environ["wsgi.input"].read(MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            raise PayloadTooLarge
        environ["wsgi.input"] = BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
