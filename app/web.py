"""One view for two clients: declared by its signature, served as a page and as JSON."""

import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import urlsplit

from flask import current_app, request
from werkzeug.routing import BuildError

from app.access import Rule
from app.errors import AppError
from app.schemas import In, Out

Data = TypeVar("Data", bound=Out)
Only = Literal["page", "api"] | None


@dataclass(frozen=True)
class Done(Generic[Data]):
    """What a form view returns: the data for JSON, and where a browser goes next."""

    data: Data
    to: str | None  # endpoint of the page to go to; None shows `<view>_shown.html` once, never stored
    values: dict[str, Any]
    say: str | None
    status: int | None
    location: str | None
    follow_next: bool


def done(
    data: Data,
    to: str | None = None,
    say: str | None = None,
    *,
    status: int | None = None,
    location: str | None = None,
    follow_next: bool = False,
    **values: Any,
) -> Done[Data]:
    """The end of a form view: `data` in the envelope, or 303 to the endpoint `to` with the message `say`.

    `values` fill the URL of `to`; `status` is one of the view's `statuses`; `location` is the path of what
    was created; with `follow_next` the browser goes to the form's `next` when that is a path of this site.
    """
    return Done(data, to, values, say, status, location, follow_next)


@dataclass(frozen=True, eq=False)
class View:
    """One declared view; everything about it follows from the function's signature."""

    blueprint: "Blueprint"
    function: Callable[..., Any]
    kind: Literal["page", "form", "raw"]
    rule: str
    verb: str = "GET"
    form_rule: str | None = None  # where the form is shown, when not where it posts to
    only: Only = None
    on: Callable[..., Any] | None = None
    refuses: tuple[type[AppError], ...] = ()
    methods: tuple[str, ...] = ("GET",)
    statuses: tuple[int, ...] = (200,)
    starts_session: bool = False
    guests_only: bool = False
    door: Callable[[], None] | None = None
    json_errors: bool = False

    @property
    def name(self) -> str:
        return self.function.__name__

    @property
    def endpoint(self) -> str:
        return f"{self.blueprint.name}.{self.name}"

    @property
    def template(self) -> str:
        return f"{self.blueprint.templates}/{self.name}.html"

    @property
    def access(self) -> Rule:
        return self.function.access  # type: ignore[attr-defined]  # the loader has checked it

    @cached_property
    def hints(self) -> dict[str, Any]:
        return typing.get_type_hints(self.function)

    @cached_property
    def input(self) -> type[In] | None:
        """The schema of the parameter `form`."""
        return self.hints.get("form")

    @cached_property
    def query(self) -> type[In] | None:
        """The schema of the parameter `query`: what a GET reads from its query string."""
        return self.hints.get("query")

    @cached_property
    def output(self) -> type[Out] | None:
        """The schema of what the view returns."""
        returned = self.hints.get("return")
        arguments = typing.get_args(returned)
        if arguments:
            returned = arguments[0]
        return returned if isinstance(returned, type) and issubclass(returned, Out) else None

    @property
    def page_rule(self) -> str:
        """What JSON does with PUT or PATCH is POST …/edit on pages, with DELETE POST …/delete."""
        return self.rule + {"PUT": "/edit", "PATCH": "/edit", "DELETE": "/delete"}.get(self.verb, "")

    @property
    def shown_rule(self) -> str:
        """The page rule under which GET shows the form."""
        return self.page_rule if self.form_rule is None else self.form_rule

    @cached_property
    def host(self) -> "View | None":
        """The page on which this form lives, or None when it has one of its own."""
        if self.on is None:
            return None
        return next(view for view in self.blueprint.views if view.function is self.on)


@dataclass
class Blueprint:
    """The views of one blueprint; the loader serves them as pages and as JSON."""

    name: str
    templates: str = ""
    views: list[View] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.templates = self.templates or self.name

    def page(self, rule: str, *, only: Only = None, refuses: tuple[type[AppError], ...] = ()) -> Callable[[Any], Any]:
        """A GET that returns data: a browser sees `<blueprint>/<view>.html`, a program the envelope.

        What it reads from the query string is its parameter `query`, an `In` model.
        """
        return self._add("page", rule, only=only, refuses=refuses)

    def form(
        self,
        rule: str,
        *,
        verb: str = "POST",
        form: str | None = None,
        on: Any = None,
        only: Only = None,
        refuses: tuple[type[AppError], ...] = (),
        statuses: tuple[int, ...] = (200,),
        starts_session: bool = False,
        guests_only: bool = False,
        door: Callable[[], None] | None = None,
    ) -> Callable[[Any], Any]:
        """A view that takes input in its parameter `form` and returns `done(…)`.

        :param form: the rule under which GET shows the form, when it is not the rule it posts to.
        :param on: the page view that this form lives on; it is shown again with the errors.
        :param refuses: the refusals it can raise, for OpenAPI.
        :param statuses: what it can answer under /api when all is well; `done` takes the first.
        :param starts_session: it can set a session, or clear a browser, so a foreign origin is refused even
            without a cookie.
        :param guests_only: GET sends whoever is signed in on to `next` or to the start.
        :param door: called before anything of a request is read; refuses, at the least cost, what a flood is made of.
        """
        return self._add(
            "form",
            rule,
            verb=verb,
            form_rule=form,
            on=on,
            only=only,
            refuses=refuses,
            statuses=statuses,
            starts_session=starts_session,
            guests_only=guests_only,
            door=door,
        )

    def raw(
        self, rule: str, *, only: Literal["page", "api"], methods: tuple[str, ...] = ("GET",), json_errors: bool = False
    ) -> Callable[[Any], Any]:
        """A view that returns its response itself: text, a redirect, a format of its own.

        :param json_errors: its errors come in the envelope although it is not under /api.
        """
        return self._add("raw", rule, methods=methods, only=only, json_errors=json_errors)

    def _add(self, kind: Any, rule: str, **options: Any) -> Callable[[Any], Any]:
        def declare(function: Any) -> Any:
            self.views.append(View(self, function, kind, rule, **options))
            return function

        return declare


def page_url(endpoint: str, **values: Any) -> str:
    """The path of a page, with or without a request: `page_url("teams.team", team_id=…)`.

    :raises BuildError: there is no such page, or a value is missing.
    """
    adapter = current_app.extensions.get("page_urls")
    if adapter is None:
        adapter = current_app.extensions["page_urls"] = current_app.url_map.bind("localhost")
    return adapter.build(endpoint, values, method="GET")


def find_page_url(endpoint: str | None, **values: Any) -> str | None:
    """The path of a page, or None when it is switched off."""
    try:
        return page_url(endpoint, **values) if endpoint else None
    except BuildError:
        return None


def absolute_url(endpoint: str, **values: Any) -> str:
    """The full address of a page, from BASE_URL and never from a request's Host."""
    return current_app.config["BASE_URL"] + page_url(endpoint, **values)


def safe_next(value: str | None) -> str | None:
    """`value` if it is an absolute path of this site, else None.

    Refuses what browsers read as another host: `//host`, a backslash, control characters and blanks.
    """
    if not value or len(value) > 2000 or not value.startswith("/") or value.startswith("//"):
        return None
    if "\\" in value or any(ord(letter) <= 32 or ord(letter) == 127 for letter in value):
        return None
    parts = urlsplit(value)
    return None if parts.scheme or parts.netloc else value


def asked_next() -> str | None:
    """Where the browser wants to go: from the query on GET, from the body on POST."""
    return safe_next((request.args if request.method in ("GET", "HEAD") else request.form).get("next"))
