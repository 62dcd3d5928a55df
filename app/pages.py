"""The browser's side of a view: forms shown, filled, refused and shown again; 303 after a change."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Response, current_app, flash, g, make_response, redirect, render_template, request
from werkzeug.routing import BuildError

from app import access, csrf, hooks
from app.errors import (
    AppError,
    ReauthenticationRequired,
    Unauthorized,
    UnsupportedMediaType,
    ValidationFailed,
    is_page_refusal,
)
from app.schemas import prefill, read_form, read_query
from app.web import Done, View, asked_next, find_page_url, page_url

FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


@dataclass
class FormState:
    """What a template needs to draw a form: its values, its errors, and where it goes."""

    name: str
    action: str | None
    values: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, list[str]] = field(default_factory=dict)
    error: str | None = None
    next: str | None = None
    status: int = 200


def serve(view: View) -> Callable[..., Any]:
    """The endpoint that answers a browser."""
    if view.kind == "raw" and view.access.public and not view.json_errors:
        return view.function  # nothing to add to it

    def endpoint(**values: Any) -> Any:
        g.json_errors = view.json_errors
        try:
            access.enforce(view.access)
        except Unauthorized as error:
            return _to_sign_in(view, error)
        except ReauthenticationRequired as error:
            return _to_reauthenticate(view, error)
        if view.kind == "raw":
            return view.function(**values)
        if view.kind == "page":
            if view.query is not None:
                values["query"] = read_query(view.query, request.args)
            return _answer(view, view.function(**values), values)
        if request.method == "POST":
            return _post(view, values)
        if view.guests_only and access.find_me() is not None:
            return redirect(asked_next() or "/", 303)
        state = _blank(view)
        state.values = prefill(view.input, request.args) if view.input else {}
        return _show(view, state, values)

    endpoint.__name__ = view.name
    endpoint.__doc__ = view.function.__doc__
    return endpoint


def _post(view: View, values: dict[str, Any]) -> Any:
    state = _blank(view)
    schema = view.input
    if view.door is not None:
        view.door()
    try:
        if request.content_type and request.mimetype not in FORM_TYPES:
            raise UnsupportedMediaType("Send a form.")
        csrf.check_page()
        if schema is not None:
            state.values = prefill(schema, request.form)
            form = read_form(schema, request.form, clears=view.verb in ("PUT", "PATCH"))
            return _answer(view, view.function(**values, form=form), values)
        return _answer(view, view.function(**values), values)
    except ReauthenticationRequired as error:
        return _to_reauthenticate(view, error)
    except AppError as error:
        if error.next_step is not None or not is_page_refusal(error):
            raise
        return _show_again(view, state, error, values)


def _show_again(view: View, state: FormState, error: AppError, values: dict[str, Any]) -> Response:
    """The form with what was typed, and the refusal in its place."""
    state.status = error.page_status
    if isinstance(error, ValidationFailed):
        state.errors = error.fields
    elif error.field and view.input:
        state.errors = {view.input.field_alias(error.field): [error.text]}
    state.error = error.text
    response = _show(view, state, values)
    response.headers.update(error.headers)
    return response


def _show(view: View, state: FormState, values: dict[str, Any]) -> Response:
    """A form on its own page, or on the page it lives on."""
    g.form_state = state
    host = view.host
    if host is not None:
        access.enforce(host.access)
        mine = {name: value for name, value in values.items() if f":{name}>" in host.rule or f"<{name}>" in host.rule}
        html = render_template(host.template, data=host.function(**mine), form=form_state, this=state)
    else:
        html = render_template(view.template, form=form_state, this=state, **values)
    return make_response(html, state.status)


def _answer(view: View, result: Any, values: dict[str, Any]) -> Any:
    if not isinstance(result, Done):
        if isinstance(result, Response):
            return result
        g.form_state = None
        return make_response(render_template(view.template, data=result, form=form_state))
    if result.to is None:  # shown once: never stored for a redirect
        template = view.template.replace(".html", "_shown.html")
        return make_response(render_template(template, data=result.data, form=form_state))
    if result.say:
        flash(result.say, "success")
    target = asked_next() if result.follow_next else None
    return redirect(target or page_url(result.to, **result.values), 303)


def form_state(name: str) -> FormState:
    """For templates: the state of the form `view` of the page's own blueprint, or of `blueprint.view`."""
    state = g.get("form_state")
    if state is not None and state.name == name:
        return state
    endpoint = name if "." in name else f"{request.blueprint}.{name}"
    view = current_app.extensions["views"].get(endpoint)
    if view is None:
        raise LookupError(f"No form {endpoint}")
    return _blank(view)


def _blank(view: View) -> FormState:
    return FormState(view.name, _action(view), next=asked_next())


def _action(view: View) -> str | None:
    """Where the form posts to, without a query string; None when the template must say (one row of many)."""
    adapter = current_app.url_map.bind("localhost")
    try:
        return adapter.build(view.endpoint, dict(request.view_args or {}), method="POST", append_unknown=False)
    except BuildError:
        return None


def _to_sign_in(view: View, error: Unauthorized) -> Any:
    sign_in = find_page_url(hooks.ask("sign_in_page"))
    if sign_in is None or view.access.token is not None:
        raise error
    keep = request.method in ("GET", "HEAD")
    return redirect(sign_in + (f"?{_query(request.path)}" if keep else ""), 303)


def _to_reauthenticate(view: View, error: ReauthenticationRequired) -> Any:
    page = find_page_url(hooks.ask("reauthenticate_page"))
    if page is None:
        raise error
    shown = request.path
    if request.method == "POST":
        shown = find_page_url(view.endpoint, **(request.view_args or {})) or "/"
    return redirect(f"{page}?{_query(shown)}", 303)


def _query(path: str) -> str:
    from urllib.parse import urlencode

    return urlencode({"next": path})
