"""One account: made an administrator, disabled, enabled, and its sessions."""

import sys

import click
from flask import get_template_attribute
from werkzeug.datastructures import MultiDict

from app.schemas import read_form
from blueprints.auth.cli.group import address_of, users
from blueprints.auth.cli.output import counted, minute, table
from blueprints.auth.schemas import SessionRow, SignIn
from blueprints.auth.services import operators


@users.command("create-admin")
@click.argument("email")
def create_admin(email: str) -> None:
    """Make EMAIL a verified administrator.

    Asks for the password twice on a terminal, and reads one line from standard input otherwise.
    """
    address = address_of(email)
    form = read_form(SignIn, MultiDict({"email": address, "password": ask_password()}))
    new = operators.create_admin(form.email, form.password)
    click.echo(f"{address} is {'a new' if new else 'now an'} administrator.")


def ask_password() -> str:
    """The password: asked twice on a terminal, else one line of standard input."""
    if sys.stdin.isatty():
        return click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return sys.stdin.readline().rstrip("\r\n")


@users.command("disable")
@click.argument("email")
def disable(email: str) -> None:
    """Shut the account of EMAIL: its sessions, access tokens and mailed links end at once."""
    found = operators.disable_account(address_of(email))
    if found.ended is None:
        click.echo(f"{found.email} is disabled already.")
        return
    click.echo(f"{found.email} is disabled; {in_words(found.ended, tokens=True)} ended.")
    if found.was_last_admin:
        click.echo("Warning: this was the last administrator. Make another: flask users create-admin EMAIL", err=True)


@users.command("enable")
@click.argument("email")
def enable(email: str) -> None:
    """Open the account of EMAIL again; what ended stays ended."""
    found, opened = operators.enable_account(address_of(email))
    click.echo(f"{found} is enabled." if opened else f"{found} is enabled already.")


@users.command("sessions")
@click.argument("email")
@click.option("--end", is_flag=True, help="End them all.")
@click.option("--tokens", is_flag=True, help="With --end: delete the access tokens, too.")
def sessions(email: str, end: bool, tokens: bool) -> None:
    """List the running sessions of EMAIL, newest first."""
    if tokens and not end:
        raise click.UsageError("--tokens goes with --end.")
    address = address_of(email)
    if end:
        found, ended = operators.end_sessions(address, tokens=tokens)
        click.echo(f"{found}: {in_words(ended, tokens=tokens)} ended.")
        return
    found, rows = operators.list_sessions(address)
    if not rows:
        click.echo(f"{found} has no running session.")
        return
    header = ("Id", "Address", "Browser", "Signed in (UTC)", "Last seen (UTC)", "Ends (UTC)")
    click.echo(table(header, map(session_line, rows)))


def session_line(row: SessionRow) -> tuple[str, ...]:
    """One session as the table shows it."""
    times = (minute(row.created_at), minute(row.last_seen_at), minute(row.expires_at))
    return (str(row.id), row.ip_address, browser(row.user_agent), *times)


def browser(user_agent: str) -> str:
    """What a user agent calls itself, in the words of the pages."""
    return get_template_attribute("macros/ui.html", "browser")(user_agent).unescape().strip()


def in_words(ended: operators.Ended, *, tokens: bool) -> str:
    """`2 sessions and 1 token`, or only the sessions."""
    words = counted(ended.sessions, "session")
    return f"{words} and {counted(ended.tokens, 'token')}" if tokens else words
