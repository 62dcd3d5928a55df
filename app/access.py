"""Who may use a view: every view declares it, and the loader refuses one that does not."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import current_app, g, request

from app import hooks
from app.database import is_unavailable, utc_now
from app.envelope import is_api
from app.errors import Forbidden, ReauthenticationRequired, Unauthorized

REAUTHENTICATED_FOR = timedelta(minutes=10)
ADMIN_IDLE = timedelta(minutes=30)
SEEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class Identity:
    """Who asks: one row of session (or access token) and user, read once a request."""

    user_id: UUID
    email: str
    name: str | None
    username: str | None
    user_type: str
    is_admin: bool
    created_at: datetime
    session_id: UUID | None  # None: came with an access token
    token_id: UUID | None
    expires_at: datetime | None
    last_seen_at: datetime | None
    reauthenticated_at: datetime | None
    email_verified: bool = True

    @property
    def own_session(self) -> UUID:
        """The id of the caller's session.

        :raises Forbidden: came with an access token, which has none.
        """
        if self.session_id is None:
            raise Forbidden
        return self.session_id

    @property
    def is_fresh(self) -> bool:
        """Whether the password was proved within the last ten minutes."""
        moment = self.reauthenticated_at
        return moment is not None and utc_now() - moment < REAUTHENTICATED_FOR


@dataclass(frozen=True)
class Client:
    """Where a request comes from; `device` is the value of the known-device cookie."""

    ip: str
    user_agent: str
    request_id: str
    device: str | None = None


@dataclass(frozen=True)
class Rule:
    """What a view asks of its caller."""

    public: bool = False
    admin: bool = False
    cookie: bool = False  # an access token is not enough
    fresh: bool = False  # the password must have been proved lately
    token: Callable[[], str | None] | None = None  # an operator's bearer that stands in for an administrator


def _declare(rule: Rule) -> Callable[[Callable[..., Any]], Any]:
    def mark(view: Callable[..., Any]) -> Callable[..., Any]:
        view.access = rule  # type: ignore[attr-defined]
        return view

    return mark


def public(view: Any) -> Any:
    """Anyone may use the view."""
    return _declare(Rule(public=True))(view)


def signed_in(view: Any) -> Any:
    """Anyone with a session or an access token."""
    return _declare(Rule())(view)


def session_only(view: Any) -> Any:
    """Only with a session: an access token gets 403."""
    return _declare(Rule(cookie=True))(view)


def fresh_session(view: Any) -> Any:
    """Only with a session whose password was proved within the last ten minutes."""
    return _declare(Rule(cookie=True, fresh=True))(view)


def admin(view: Any) -> Any:
    """Only administrators."""
    return _declare(Rule(admin=True))(view)


def admin_or_token(token: Callable[[], str | None]) -> Callable[[Any], Any]:
    """Administrators, or whoever holds the operator's bearer token; never answers with a redirect."""
    return _declare(Rule(admin=True, token=token))


def enforce(rule: Rule) -> None:
    """Refuse the current request unless the rule allows it.

    :raises Unauthorized: nobody is signed in, or the credentials are junk.
    :raises Forbidden: signed in, but not allowed.
    :raises ReauthenticationRequired: the password must be proved again first.
    """
    if rule.public:
        return
    challenge: dict[str, Any] = {"WWW_Authenticate": "Bearer"} if rule.token is not None else {}
    if rule.token is not None and "Authorization" in request.headers:
        if _holds(rule.token()):
            return
        raise Unauthorized(**challenge)  # with a header and a cookie, the header decides
    who = find_me()
    if who is None:
        raise Unauthorized(**challenge)
    if (rule.admin and not who.is_admin) or (rule.cookie and who.session_id is None):
        raise Forbidden
    if rule.fresh and not who.is_fresh:
        raise ReauthenticationRequired
    if rule.admin and rule.token is None and _is_idle(who):
        raise ReauthenticationRequired
    _note_seen(who)


def _holds(token: str | None) -> bool:
    given = bearer()
    return bool(token and given) and hmac.compare_digest(str(given).encode(), str(token).encode())


def _is_idle(who: Identity) -> bool:
    """Whether there was a pause of half an hour since the password was proved, this one or an earlier one."""
    if who.session_id is None or who.last_seen_at is None:
        return False
    return who.reauthenticated_at is None or utc_now() - max(who.last_seen_at, who.reauthenticated_at) > ADMIN_IDLE


def _note_seen(who: Identity) -> None:
    if who.last_seen_at is None or utc_now() - who.last_seen_at < SEEN_EVERY:
        return
    try:
        hooks.tell("seen", who, client())
    except Exception as error:
        # A database that only reads still serves: when someone was last seen is not worth an error.
        if not is_unavailable(error):
            raise


def bearer() -> str | None:
    """The bearer token of the request, or None."""
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if kind.lower() == "bearer" and value.strip() else None


def find_me() -> Identity | None:
    """Who asks, or None when nobody is signed in; one query a request.

    Under /api an Authorization header decides alone; pages read the cookie only.
    """
    if "identity" not in g:
        has_header = is_api() and "Authorization" in request.headers
        cookie = None if has_header else session_cookie()
        token = bearer() if has_header else None
        g.identity = hooks.ask("identify", cookie, token) if cookie or token else None
        if g.identity is not None:
            request.environ["app.user_id"] = str(g.identity.user_id)
    return g.identity


def session_cookie() -> str | None:
    """The value of the request's session cookie, whoever it stands for."""
    return request.cookies.get(current_app.config["SESSION_TOKEN_COOKIE"])


def me() -> Identity:
    """Who asks.

    :raises Unauthorized: nobody is signed in.
    """
    who = find_me()
    if who is None:
        raise Unauthorized
    return who


def identified() -> Identity | None:
    """Who asks if that is known already; never a query."""
    return g.get("identity")


def client() -> Client:
    """Where the current request comes from."""
    return Client(
        ip=request.environ.get("app.ip", ""),
        user_agent=clean_user_agent(request.headers.get("User-Agent", "")),
        request_id=g.get("request_id", ""),
        device=request.cookies.get(current_app.config["DEVICE_COOKIE"]),
    )


def clean_user_agent(value: str) -> str:
    """A user agent fit to store: printable, at most 300 characters."""
    return "".join(letter for letter in value if letter.isprintable())[:300]


def set_session(token: str, max_age_seconds: int | None) -> None:
    """Send the session cookie with the answer of this request."""
    g.session_cookie = (token, max_age_seconds)


def clear_session() -> None:
    """Delete the session cookie with the answer of this request."""
    g.session_cookie = ("", 0)


def mark_device(value: str) -> None:
    """Send the cookie that marks this browser as a known device, for a year."""
    g.device_cookie = value
