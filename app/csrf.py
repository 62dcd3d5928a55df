"""Where a change may come from: a token and our own origin for forms, our own origin for JSON."""

from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, current_app, g, request, session
from flask_wtf.csrf import CSRFError, CSRFProtect

from app import access
from app.errors import CsrfFailed

protect = CSRFProtect()


def init_app(app: Flask, settings: Any) -> None:
    """Flask-WTF makes and checks the tokens of forms; we call it, and check the origin ourselves."""
    app.config.update(
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_SSL_STRICT=False,  # would want a Referer, which our policy does not send
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_FIELD_NAME="csrf_token",
    )
    protect.init_app(app)
    app.extensions["own_origins"] = {origin_of(settings.base_url), *settings.allowed_origins}


def origin_of(url: str) -> str:
    """`scheme://host[:port]` of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def check_page() -> None:
    """Refuse a form from another site, or without this browser's token.

    :raises CsrfFailed:
    """
    origin = request.headers.get("Origin")
    if origin is not None and not is_own(origin):
        raise CsrfFailed
    try:
        protect.protect()
    except CSRFError:
        raise CsrfFailed from None


def check_api(*, starts_session: bool) -> None:
    """Refuse a change that a browser sends for another site.

    An accepted access token exempts: no browser adds one by itself.
    :raises CsrfFailed:
    """
    who = access.find_me()
    if who is not None and who.session_id is None:
        return
    if who is None and not starts_session:
        return
    origin = request.headers.get("Origin")
    if origin is not None:
        if not is_own(origin):
            raise CsrfFailed("This request came from another site.")
    elif request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
        raise CsrfFailed("This request came from another site.")


def is_own(origin: str) -> bool:
    """Whether an Origin header names this service, or a front end that ALLOWED_ORIGINS lists."""
    origin = origin.lower()
    # The Host was checked against the trusted ones before any view.
    return origin in current_app.extensions["own_origins"] or origin == f"{request.scheme}://{request.host}".lower()


def renew() -> None:
    """A new secret for the forms of this browser; called at sign-in. Flash messages survive."""
    session["csrf_token"] = token_hex(20)  # not removed: an empty session would have its cookie deleted
    g.pop("csrf_token", None)
