"""The program's side of a view: strict JSON in, the envelope out."""

from collections.abc import Callable
from typing import Any

from flask import Response, request

from app import access, csrf
from app.envelope import success
from app.errors import UnsupportedMediaType
from app.schemas import read_json, read_query
from app.web import Done, View

SAFE = ("GET", "HEAD", "OPTIONS")


def serve(view: View) -> Callable[..., Any]:
    """The endpoint that answers a program."""

    def endpoint(**values: Any) -> Any:
        if view.door is not None:
            view.door()
        access.enforce(view.access)
        if request.method not in SAFE:
            csrf.check_api(starts_session=view.starts_session)
        check_content_type()
        if view.input is not None:
            values["form"] = read_json(view.input, request.get_data())
        if view.query is not None:
            values["query"] = read_query(view.query, request.args)
        return answer(view, view.function(**values))

    endpoint.__name__ = view.name
    endpoint.__doc__ = view.function.__doc__
    return endpoint


def serve_raw(view: View) -> Callable[..., Any]:
    """The endpoint of a view that answers by itself; only its access is ours."""

    def endpoint(**values: Any) -> Any:
        access.enforce(view.access)
        return view.function(**values)

    endpoint.__name__ = view.name
    return endpoint


def check_content_type() -> None:
    """A body is JSON and says so; no body needs no type.

    :raises UnsupportedMediaType: any other type, with or without a body.
    """
    if not request.content_type and not request.content_length:
        return
    if request.mimetype != "application/json":
        raise UnsupportedMediaType


def answer(view: View, result: Any) -> Response:
    """The envelope around what a view returned."""
    if isinstance(result, Response):
        return result
    if isinstance(result, Done):
        headers = {"Location": result.location} if result.location else None
        return success(result.data.as_json(), result.status or view.statuses[0], headers)
    return success(result.as_json())
