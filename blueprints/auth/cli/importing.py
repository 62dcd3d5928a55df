"""`flask users import`: accounts of an earlier system, from a CSV file."""

from typing import BinaryIO

import click

from blueprints.auth.cli.group import users


@users.command("import")
@click.argument("file", metavar="FILE.csv", type=click.File("rb"))
@click.option("--dry-run", is_flag=True, help="Check everything and say what would happen; write nothing.")
@click.pass_context
def import_users(ctx: click.Context, file: BinaryIO, dry_run: bool) -> None:
    """Import accounts with plain bcrypt hashes from FILE.csv (`-` is standard input).

    Their owners sign in with the password they have. Columns, by name, in any order: email, password_hash;
    optional name, username, user_type, email_verified, created_at. A line for each refused row goes to standard
    error, and the exit code is 1 when there was one. Running the same file again is harmless.
    """
    from blueprints.auth.cli import importer  # no web process needs it

    ctx.exit(0 if importer.import_file(file, dry_run=dry_run) else 1)
