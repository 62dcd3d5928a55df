"""A group of commands: what goes wrong in them is one line, and exit code 1."""

from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy import exc

from app.database import is_unavailable
from app.errors import AppError, ValidationFailed

MISSING = ("no such table", "no such column", "UndefinedTable", "UndefinedColumn")


class Commands(AppGroup):
    """Commands whose refusals, and whose failures of the database, are one line each."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        :raises click.ClickException: with the line.
        """
        try:
            return super().invoke(ctx)
        except ValidationFailed as error:
            raise click.ClickException(" ".join(sum(error.fields.values(), []))) from None
        except AppError as error:
            raise click.ClickException(error.text) from None
        except (exc.DBAPIError, exc.TimeoutError) as error:
            raise click.ClickException(database_line(error)) from None


def database_line(error: exc.SQLAlchemyError) -> str:
    """What went wrong in the database: one line, without what stood in the statement."""
    cause = getattr(error, "orig", None) or error
    said = str(cause).strip().split("\n")[0]
    if said.startswith(MISSING) or type(cause).__name__ in MISSING:
        return "The database is not up to date. Bring it there with: flask db upgrade heads"
    if is_unavailable(error):
        return f"The database is not available: {said}"
    return f"The database refused: {said}"
