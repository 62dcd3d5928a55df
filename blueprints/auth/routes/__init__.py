"""The account pages and the JSON API of accounts, one file a topic."""

from blueprints.auth.routes import accounts, addresses, passwords, sessions, sign_ups, tokens
from blueprints.auth.routes.browser import bp, ended_session, let_in, session_of, user_of

__all__ = [
    "accounts",
    "addresses",
    "bp",
    "ended_session",
    "let_in",
    "passwords",
    "session_of",
    "sessions",
    "sign_ups",
    "tokens",
    "user_of",
]
