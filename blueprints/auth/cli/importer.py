"""The run of an import: batch after batch, with what a person sees of it."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import BinaryIO

import click

from blueprints.auth.cli.csv_files import FileRefused, UserFile, open_user_file
from blueprints.auth.cli.output import shown
from blueprints.auth.services.imports import BATCH, Import, Kind, Outcome, Row


def import_file(file: BinaryIO, *, dry_run: bool) -> bool:
    """Import a file and say what became of it; False when a row was refused.

    :raises click.ClickException: the file as a whole is refused.
    """
    totals: Counter[Kind] = Counter()
    try:
        with open_user_file(file) as user_file:
            warn_of_ignored(user_file.ignored)
            take_all(user_file, Import(dry_run=dry_run), totals)
    except FileRefused as error:
        raise click.ClickException(str(error)) from None
    except BaseException:
        if not dry_run:
            click.echo(f"Stopped: {in_words(totals)}. Run it again: what is there already stays as it is.", err=True)
        raise
    click.echo(f"Dry run, nothing is written: {in_words(totals, 'would be ')}." if dry_run else f"{in_words(totals)}.")
    return totals[Kind.REFUSED] == 0


def warn_of_ignored(columns: Iterable[str]) -> None:
    """Say which columns an import leaves alone."""
    for column in columns:
        reason = "administrators are made by flask users create-admin" if column == "is_admin" else "it is not known"
        click.echo(f"Warning: the column {shown(column)} is ignored: {reason}.", err=True)


def take_all(user_file: UserFile, running: Import, totals: Counter[Kind]) -> None:
    """Import a file batch by batch, counting what becomes of its rows; a bar on a terminal shows how far it is."""
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=user_file.count, label="Importing", file=sys.stderr, hidden=hidden) as bar:
        for rows in batches(user_file.rows()):
            outcomes = running.take(rows)
            totals.update(outcome.kind for outcome in outcomes)
            for outcome in outcomes:
                if outcome.sentence:
                    click.echo(("" if hidden else "\r\x1b[K") + line_of(outcome), err=True)
            bar.update(len(rows))


def batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Rows, a transaction's worth at a time."""
    while batch := list(islice(rows, BATCH)):
        yield batch


def line_of(outcome: Outcome) -> str:
    """`line 7: ada@example.com: There is an account with this address already.`"""
    return ": ".join(filter(None, (f"line {outcome.line}", outcome.email, outcome.sentence)))


def in_words(totals: Counter[Kind], would_be: str = "") -> str:
    """`3 imported, 0 already there, 1 refused`; of a dry run `3 would be imported, …`."""
    return ", ".join(f"{totals[kind]} {would_be if kind is Kind.IMPORTED else ''}{kind}" for kind in Kind)
