"""The group `flask users`, and the address that most of its commands take."""

import click

from app.addresses import parse_address
from app.commands import Commands

users = Commands("users", help="Make and look after accounts.")


def address_of(email: str) -> str:
    """The address that was typed, as it is stored.

    :raises click.ClickException: not an address.
    """
    try:
        return parse_address(email)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
