"""What a blueprint tells the kernel about itself, and the loader that believes none of it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, TypeVar

import click
import flask
from flask import Flask, current_app
from pydantic import BaseModel, ValidationError

from app import api, hooks, pages
from app.jobs import Job
from app.web import Blueprint, View

Model = TypeVar("Model", bound=BaseModel)
SHIPPED = ("health", "auth", "teams", "metrics")


class PluginError(Exception):
    """BLUEPRINTS cannot be loaded; the text is one line that says why."""


@dataclass(frozen=True)
class Mount:
    """Where views are served: pages at `/<name>` and JSON at `/api/<name>` unless told otherwise."""

    blueprint: Blueprint
    at: str | None = None
    only: Literal["pages", "api"] | None = None


@dataclass(frozen=True)
class NavItem:
    """One entry of the navigation of whoever is signed in."""

    label: str
    endpoint: str
    admin: bool = False


@dataclass(frozen=True)
class Check:
    """One question of /health: `run(app)` returns, or raises when unhealthy; None means not configured."""

    name: str
    run: Callable[[Flask], bool | None]
    critical: bool = False
    cached_seconds: float = 5


@dataclass(frozen=True)
class Plugin:
    """A blueprint of the service: everything that comes and goes with its name in BLUEPRINTS."""

    name: str
    mounts: tuple[Mount, ...] = ()
    requires: tuple[str, ...] = ()
    settings: type[BaseModel] | None = None
    checks: tuple[Check, ...] = ()
    jobs: tuple[Job, ...] = ()
    cli: click.Command | None = None
    nav: tuple[NavItem, ...] = ()
    hooks: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    models: Any = None
    home: tuple[str, int] | None = None
    wsgi: Callable[[Flask], Any] | None = None
    threads: tuple[Callable[..., Any], ...] = ()


def load(app: Flask, names: Iterable[str], environ: Mapping[str, str], kernel: Iterable[Plugin] = ()) -> None:
    """Import what BLUEPRINTS names, in order, and register all of it after the kernel's own.

    :raises PluginError: an unknown or repeated name, a missing requirement, a bad setting, a view that
        does not declare who may use it, or two plugins that claim the same thing.
    """
    names = list(names)
    plugins = [*kernel, *(find(name) for name in names)]
    check_names(plugins)
    add_templates(app, names)
    app.extensions["plugins"] = plugins
    app.extensions["plugin_settings"] = read_settings(plugins, environ)
    app.extensions["views"] = {}
    for plugin in plugins:
        for name, answer in plugin.hooks.items():
            hooks.register(app, name, answer)
        if plugin.cli is not None:
            plugin.cli.name = plugin.cli.name or plugin.name
            app.cli.add_command(plugin.cli)
    under_api = flask.Blueprint("api", __name__, url_prefix="/api")
    for plugin in plugins:
        for mount in plugin.mounts:
            register(app, under_api, plugin, mount)
    app.register_blueprint(under_api)


def start(app: Flask) -> None:
    """Let the plugins wrap the WSGI application, after everything else is in place."""
    for plugin in app.extensions["plugins"]:
        if plugin.wsgi is not None:
            plugin.wsgi(app)


def find(name: str) -> Plugin:
    """The plugin that a name or dotted path of BLUEPRINTS stands for."""
    path = f"blueprints.{name}" if "." not in name else name
    if "." not in name and name not in SHIPPED:
        raise PluginError(f"BLUEPRINTS: there is no blueprint {name!r}; shipped are {', '.join(SHIPPED)}")
    try:
        module = import_module(path)
    except ModuleNotFoundError as error:
        if error.name is None or not (path == error.name or path.startswith(f"{error.name}.")):
            raise
        raise PluginError(f"BLUEPRINTS: there is no module {path!r}") from None
    plugin = getattr(module, "plugin", None)
    if not isinstance(plugin, Plugin):
        raise PluginError(f"BLUEPRINTS: {path!r} has no `plugin`")
    return plugin


def add_templates(app: Flask, names: Iterable[str]) -> None:
    """A blueprint of one's own keeps its templates in a folder beside it; the shipped ones are found first."""
    modules = [import_module(name) for name in names if "." in name]
    folders = [str(Path(module.__file__).parent / "templates") for module in modules if module.__file__]
    app.jinja_loader.searchpath.extend(folders)  # type: ignore[union-attr]


def check_names(plugins: list[Plugin]) -> None:
    """Refuse a name that comes twice, and a requirement that is not loaded before.

    :raises PluginError:
    """
    loaded: set[str] = set()
    for plugin in plugins:
        if plugin.name in loaded:
            raise PluginError(f"BLUEPRINTS: {plugin.name!r} is named twice")
        for needed in plugin.requires:
            if needed not in loaded:
                raise PluginError(f"BLUEPRINTS: {plugin.name!r} requires {needed!r} before it")
        loaded.add(plugin.name)


def read_settings(plugins: list[Plugin], environ: Mapping[str, str]) -> dict[type[BaseModel], BaseModel]:
    """Fill each plugin's settings model from the environment that config read."""
    owners: dict[str, str] = {}
    found: dict[type[BaseModel], BaseModel] = {}
    for plugin in plugins:
        if plugin.settings is None:
            continue
        for name in plugin.settings.model_fields:
            if name in owners:
                raise PluginError(f"{name.upper()} is claimed by {owners[name]!r} and {plugin.name!r}")
            owners[name] = plugin.name
        given = {name: environ[name.upper()] for name in plugin.settings.model_fields if environ.get(name.upper())}
        try:
            found[plugin.settings] = plugin.settings.model_validate(given, context={"environ": environ})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            name = str(first["loc"][0]).upper() if first["loc"] else plugin.name
            text = first["msg"].removeprefix("Value error, ")
            raise PluginError(f"Configuration error: {name}: {text}") from None
    return found


def current(model: type[Model]) -> Model:
    """The loaded settings of a plugin, by their model."""
    return current_app.extensions["plugin_settings"][model]


def kernel_settings() -> Any:
    """The kernel's settings."""
    return current_app.config["SETTINGS"]


def loaded() -> list[Plugin]:
    """The plugins of the current application, in order."""
    return current_app.extensions["plugins"]


def register(app: Flask, under_api: flask.Blueprint, plugin: Plugin, mount: Mount) -> None:
    """Serve the views of a mount, on pages and under /api."""
    source = mount.blueprint
    if source.name in app.blueprints:
        raise PluginError(f"Two blueprints are called {source.name!r}")
    prefix = f"/{plugin.name}" if mount.at is None else mount.at.rstrip("/")
    on_pages = flask.Blueprint(source.name, plugin.name, url_prefix=prefix or None)
    as_json = flask.Blueprint(source.name, plugin.name, url_prefix=prefix or None)
    for view in source.views:
        if getattr(view.function, "access", None) is None:
            raise PluginError(f"{view.endpoint} does not declare who may use it: add @access.… below the route")
        if view.endpoint in app.extensions["views"]:
            raise PluginError(f"Two views are called {view.endpoint}")
        app.extensions["views"][view.endpoint] = view
        if mount.only != "api" and view.only != "api":
            add_page(on_pages, view)
        if mount.only != "pages" and view.only != "page":
            add_api(as_json, view)
    app.register_blueprint(on_pages)
    if mount.only != "pages":
        under_api.register_blueprint(as_json)


def add_page(target: flask.Blueprint, view: View) -> None:
    """Serve a view to browsers; a form gets its GET too."""
    serve = pages.serve(view)
    if view.kind != "form":
        target.add_url_rule(view.page_rule, view.name, serve, methods=list(view.methods))
    elif view.shown_rule == view.page_rule:
        target.add_url_rule(view.page_rule, view.name, serve, methods=["GET", "POST"])
    else:
        target.add_url_rule(view.shown_rule, view.name, serve, methods=["GET"])
        target.add_url_rule(view.page_rule, view.name, serve, methods=["POST"])


def add_api(target: flask.Blueprint, view: View) -> None:
    """Serve a view to programs."""
    serve = api.serve_raw(view) if view.kind == "raw" else api.serve(view)
    methods = [view.verb] if view.kind == "form" else list(view.methods)
    target.add_url_rule(view.rule, view.name, serve, methods=methods)
