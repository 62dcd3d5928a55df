"""The two clients of the tests: a browser that fills forms, and a program that speaks JSON."""

import contextvars
import re
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, has_app_context
from flask.testing import FlaskClient

from app.database import db

BASE = "http://localhost:8000"


class TestClient(FlaskClient):
    """Runs each request in a context of its own, as a server does, and ends what the test was reading."""

    __test__ = False

    def open(self, *args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("base_url", BASE)
        if has_app_context():
            db.session.rollback()
            db.session.expire_all()
        return contextvars.Context().run(super().open, *args, **kwargs)


@dataclass
class Answer:
    """What either client got: the status, the JSON data or page text, and the raw response."""

    status: int
    data: Any
    code: str | None
    text: str
    response: Any
    fields: dict[str, list[str]] = field(default_factory=dict)

    @property
    def location(self) -> str:
        return self.response.headers.get("Location", "")


class Browser:
    """Fills forms: `submit` gets the page first, takes its token, and posts."""

    is_browser = True

    def __init__(self, app: Flask) -> None:
        self.client = app.test_client()

    def get(self, path: str, **kwargs: Any) -> Answer:
        return self._answer(self.client.get(path, **kwargs))

    def post(self, path: str, **kwargs: Any) -> Answer:
        """Post without looking at a form first."""
        return self._answer(self.client.post(path, **kwargs))

    def submit(self, path: str, verb: str = "POST", _page: str | None = None, **values: Any) -> Answer:
        """Fill in and send the form at `path`; True ticks a box, False and None leave a field out."""
        path += {"PUT": "/edit", "PATCH": "/edit", "DELETE": "/delete"}.get(verb, "")
        data = {name: "on" if value is True else value for name, value in values.items() if value not in (None, False)}
        data["csrf_token"] = self.token(_page or path)
        return self._answer(self.client.post(path, data=data))

    def token(self, path: str) -> str:
        """The CSRF token of a page."""
        page = self.client.get(path).text
        found = re.search(r'name="csrf_token"\s+value="([^"]+)"', page)
        return found.group(1) if found else ""

    def _answer(self, response: Any) -> Answer:
        return Answer(response.status_code, None, None, response.text, response)


class Program:
    """Speaks JSON: `submit("/auth/sign-in", …)` calls `/api/auth/sign-in`."""

    is_browser = False

    def __init__(self, app: Flask, token: str | None = None) -> None:
        self.client = app.test_client()
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str, **kwargs: Any) -> Answer:
        return self._call("GET", path, **kwargs)

    def post(self, path: str, **kwargs: Any) -> Answer:
        return self._call("POST", path, **kwargs)

    def submit(self, path: str, verb: str = "POST", _page: str | None = None, **values: Any) -> Answer:
        """Send `values` as the JSON body."""
        return self._call(verb, path, json={name: value for name, value in values.items() if value is not None})

    def _call(self, verb: str, path: str, headers: dict[str, str] | None = None, **kwargs: Any) -> Answer:
        path = path if path.startswith("/api") else f"/api{path}"
        response = self.client.open(path, method=verb, headers={**self.headers, **(headers or {})}, **kwargs)
        body = response.get_json(silent=True) or {}
        error = body.get("error", {})
        fields = error.get("details", {}).get("fields", {})
        return Answer(response.status_code, body.get("data"), error.get("code"), response.text, response, fields)
