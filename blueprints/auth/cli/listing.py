"""The accounts there are: a table for people, CSV for programs."""

import click

from app.envelope import timestamp
from app.plain_text import UNSHOWN, csv_line
from blueprints.auth.cli.group import users
from blueprints.auth.cli.output import minute, table
from blueprints.auth.services import operators
from blueprints.auth.services.operators import AccountFilter, AccountRow

HEADER = ("Address", "Name", "Marks", "Created (UTC)", "Last seen (UTC)")
CSV_HEADER = ("email", "name", "administrator", "disabled", "unverified", "created_at", "last_seen_at")


@users.command("list")
@click.option("--admins", is_flag=True, help="Only administrators.")
@click.option("--disabled", is_flag=True, help="Only disabled accounts.")
@click.option("--unverified", is_flag=True, help="Only accounts whose address was never proved.")
@click.option("--search", metavar="TEXT", default="", help="Only those with TEXT in address, name or username.")
@click.option("--limit", type=click.IntRange(1, 2**31 - 1), default=100, show_default=True, help="At most so many.")
@click.option("--csv", "as_csv", is_flag=True, help="As CSV (RFC 4180), for programs.")
def list_accounts(admins: bool, disabled: bool, unverified: bool, search: str, limit: int, as_csv: bool) -> None:
    """List the accounts by address; how many more there are is said on standard error."""
    if UNSHOWN.search(search):
        raise click.UsageError("--search takes text without control characters.")
    which = AccountFilter(admins=admins, disabled=disabled, unverified=unverified, search=search)
    rows, more = operators.list_accounts(which, limit)
    if as_csv:
        click.echo(csv_line(CSV_HEADER), nl=False)
        for row in rows:
            click.echo(csv_line(csv_cells(row)), nl=False)
    elif rows:
        click.echo(table(HEADER, map(cells, rows)))
    else:
        click.echo("There is no such account.")
    if more:
        click.echo(f"{more} more; --limit {limit + more} lists them all.", err=True)


def cells(row: AccountRow) -> tuple[str, ...]:
    """An account as the table shows it."""
    return row.email, row.name or "–", marks(row), minute(row.created_at), minute(row.last_seen_at)


def marks(row: AccountRow) -> str:
    """What is special about an account."""
    found = {"administrator": row.is_admin, "disabled": row.is_disabled, "unverified": row.is_unverified}
    return ", ".join(mark for mark, holds in found.items() if holds)


def csv_cells(row: AccountRow) -> tuple[str, ...]:
    """An account as programs read it: `true` and `false`, times as in the JSON API, empty when absent."""
    holds = (str(value).lower() for value in (row.is_admin, row.is_disabled, row.is_unverified))
    last_seen = timestamp(row.last_seen_at) if row.last_seen_at else ""
    return row.email, row.name or "", *holds, timestamp(row.created_at), last_seen
