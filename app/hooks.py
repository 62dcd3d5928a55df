"""Questions one blueprint may ask another without importing it."""

from collections.abc import Callable
from typing import Any

from flask import Flask, current_app


def register(app: Flask, name: str, answer: Callable[..., Any]) -> None:
    """Let `answer` answer the question `name`."""
    app.extensions.setdefault("hooks", {}).setdefault(name, []).append(answer)


def answers(name: str) -> list[Callable[..., Any]]:
    """Who answers `name` in the current application, in the order of BLUEPRINTS."""
    return current_app.extensions.get("hooks", {}).get(name, [])


def ask(name: str, *args: Any) -> Any:
    """The first answer that is not None, or None."""
    for answer in answers(name):
        found = answer(*args)
        if found is not None:
            return found
    return None


def ask_all(name: str, *args: Any) -> list[Any]:
    """Every answer."""
    return [answer(*args) for answer in answers(name)]


def tell(name: str, *args: Any) -> None:
    """Tell everyone who listens; inside a transaction they take part in it."""
    for listener in answers(name):
        listener(*args)
