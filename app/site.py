"""The kernel's own pages: the start, the development mailbox, and the description of the API."""

from typing import Any
from uuid import UUID

from flask import Response, current_app, redirect
from sqlalchemy import select

from app import access, hooks
from app.database import db
from app.errors import NotFound
from app.mail import KeptMail
from app.plugins import Mount, Plugin, loaded
from app.schemas import Out, Timestamp
from app.web import Blueprint, find_page_url, page_url

start = Blueprint("site")
dev = Blueprint("dev")
description = Blueprint("openapi")


class KeptMessage(Out):
    """One kept mail."""

    id: UUID
    to: str
    subject: str
    text: str
    html: str
    created_at: Timestamp


class Mailbox(Out):
    """The kept mails, newest first."""

    messages: list[KeptMessage]


def plugins(settings: Any) -> list[Plugin]:
    """The kernel's plugins; the mailbox is not there in production."""
    found = [Plugin("kernel", mounts=(Mount(start, at="", only="pages"), Mount(description, at="", only="api")))]
    if not settings.is_production:
        found.append(Plugin("dev", mounts=(Mount(dev),)))
    return found


@start.raw("/", only="page")
@access.public
def home() -> Any:
    """Send whoever comes to where they begin."""
    sign_in = find_page_url(hooks.ask("sign_in_page"))
    if access.find_me() is None and sign_in is not None:
        return redirect(sign_in, 303)
    homes = sorted((plugin.home for plugin in loaded() if plugin.home is not None), key=lambda home: -home[1])
    if homes and sign_in is not None:
        return redirect(page_url(homes[0][0]), 303)
    health = find_page_url("health.health")
    if health is None:
        raise NotFound
    return redirect(health, 303)


@start.raw("/favicon.ico", only="page")
@access.public
def favicon() -> Any:
    """The icon that browsers ask for by themselves."""
    return current_app.send_static_file("favicon.svg")


@dev.page("/mailbox")
@access.public
def mailbox() -> Mailbox:
    """Every mail that was sent here, newest first."""
    rows = db.session.scalars(select(KeptMail).order_by(KeptMail.created_at.desc(), KeptMail.id).limit(100))
    return Mailbox(messages=[_message(row) for row in rows])


class OneMessage(Out):
    """One kept mail, and where its HTML is."""

    message: KeptMessage
    html_url: str


@dev.page("/mailbox/<uuid:message_id>", only="page")
@access.public
def message(message_id: UUID) -> OneMessage:
    """One mail, as its reader sees it."""
    return OneMessage(message=_get_message(message_id), html_url=page_url("dev.message_html", message_id=message_id))


@dev.raw("/mailbox/<uuid:message_id>/html", only="page")
@access.public
def message_html(message_id: UUID) -> Response:
    """The mail's HTML for a sandboxed frame; the only answer that allows inline style."""
    response = Response(_get_message(message_id).html, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'"
    )
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response


@description.raw("/openapi.json", only="api")
@access.public
def openapi() -> Any:
    """The description of the JSON API, OpenAPI 3.1."""
    from app.openapi import document

    return current_app.json.response(document(current_app))


def _get_message(message_id: UUID) -> KeptMessage:
    row = db.session.get(KeptMail, message_id)
    if row is None:
        raise NotFound
    return _message(row)


def _message(row: KeptMail) -> KeptMessage:
    return KeptMessage(
        id=row.id, to=row.recipient, subject=row.subject, text=row.text, html=row.html, created_at=row.created_at
    )
