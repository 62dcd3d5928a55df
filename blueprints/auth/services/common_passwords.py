"""The most common passwords, which nobody may choose: the list that the package zxcvbn brings along."""

from functools import cache
from importlib.machinery import SourceFileLoader
from importlib.metadata import distribution
from types import ModuleType

SHORTEST = 8  # PASSWORD_MIN_LENGTH cannot be less


def is_common(password: str) -> bool:
    """Whether the password is one of the most common ones, capitals or not."""
    return password.lower() in common_passwords()


@cache
def common_passwords() -> frozenset[str]:
    """The list in small letters, without what is too short anyway; read at its first use."""
    # This one file, not the package: its lists of names and words would stay in memory, twice.
    path = distribution("zxcvbn").locate_file("zxcvbn/frequency_lists.py")
    lists = ModuleType("frequency_lists")
    SourceFileLoader(lists.__name__, str(path)).exec_module(lists)
    return frozenset(word for word in lists.FREQUENCY_LISTS["passwords"] if len(word) >= SHORTEST)
