"""`flask users …` for operators."""

import sys

import click
from flask.cli import AppGroup
from werkzeug.datastructures import MultiDict

from app.addresses import parse_address
from app.errors import ValidationFailed
from app.schemas import read_form
from blueprints.auth.schemas import SignIn
from blueprints.auth.services import operators

users = AppGroup("users", help="Make and look after accounts.")


@users.command("create-admin")
@click.argument("email")
def create_admin(email: str) -> None:
    """Make EMAIL a verified administrator.

    Asks for the password twice on a terminal, and reads one line from standard input otherwise.
    """
    try:
        address = parse_address(email)
        form = read_form(SignIn, MultiDict({"email": address, "password": ask_password()}))
        new = operators.create_admin(form.email, form.password)
    except ValidationFailed as error:
        raise click.ClickException(
            " ".join(sentence for found in error.fields.values() for sentence in found)
        ) from None
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{address} is {'a new' if new else 'now an'} administrator.")


def ask_password() -> str:
    """The password: asked twice on a terminal, else one line of standard input."""
    if sys.stdin.isatty():
        return click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return sys.stdin.readline().rstrip("\r\n")
