"""What every page has around it: the product's name, the navigation, who is signed in, Bootstrap."""

from dataclasses import dataclass
from typing import Any

from flask import Flask, g, request
from flask_bootstrap import Bootstrap5

from app import access, hooks
from app.plugins import loaded
from app.web import find_page_url, page_url


@dataclass(frozen=True)
class Link:
    """One entry of the navigation as a template draws it."""

    label: str
    url: str
    active: bool


def init_app(app: Flask) -> None:
    """Serve Bootstrap from here, and give every template its surroundings."""
    app.config["BOOTSTRAP_SERVE_LOCAL"] = True
    Bootstrap5(app)
    name = app.config["PRODUCT_NAME"]
    app.jinja_env.globals.update(
        product_name=name,
        page_url=page_url,
        has_page=lambda endpoint: find_page_url(endpoint) is not None,
    )
    app.context_processor(surroundings)


def surroundings() -> dict[str, Any]:
    """For templates: who is signed in and where the account pages are; empty on an error page."""
    if not request or "error_page" in g:
        return {"request_id": g.get("request_id", "") if request else ""}
    who = access.find_me()
    more = {name: value for values in hooks.ask_all("template_values") for name, value in values.items()}
    return more | {
        "request_id": g.get("request_id", ""),
        "me": who,
        "nav": navigation(who),
        "sign_in_url": find_page_url(hooks.ask("sign_in_page")),
        "sign_out_url": find_page_url(hooks.ask("sign_out_page")),
        "account_url": find_page_url(hooks.ask("account_page")),
    }


def navigation(who: access.Identity | None) -> list[Link]:
    """The navigation of whoever is signed in; empty for everyone else."""
    if who is None:
        return []
    items = [item for plugin in loaded() for item in plugin.nav if who.is_admin or not item.admin]
    here = request.path
    found = [(item.label, find_page_url(item.endpoint)) for item in items]
    return [Link(label, url, here == url or here.startswith(f"{url}/")) for label, url in found if url is not None]
