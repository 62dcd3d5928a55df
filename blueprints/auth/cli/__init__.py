"""`flask users …` for operators, one file a topic."""

from blueprints.auth.cli import accounts, importing, listing
from blueprints.auth.cli.group import users

__all__ = ["accounts", "importing", "listing", "users"]
