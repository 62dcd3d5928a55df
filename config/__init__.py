"""The only room that reads the environment: `load()` turns it into typed, validated settings."""

import os
from collections.abc import Mapping

from dotenv import dotenv_values
from pydantic import ValidationError

from config.settings import Settings

__all__ = ["ConfigurationError", "Settings", "load"]


class ConfigurationError(ValueError):
    """A setting is missing or wrong; the text is one line that names it and says what to do."""


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read and check the settings.

    Without `environ`, the file `.env` of the working directory is read and the process's environment
    wins over it. An empty variable counts as absent.

    :raises ConfigurationError: one line that names every setting that is missing or wrong.
    """
    values = {**dotenv_values(".env"), **os.environ} if environ is None else dict(environ)
    values = {name: value for name, value in values.items() if value}
    try:
        return Settings.model_validate({name.lower(): value for name, value in values.items()} | {"environ": values})
    except ValidationError as error:
        raise ConfigurationError(describe(error)) from None


def describe(error: ValidationError) -> str:
    """One line that names every setting pydantic refused, without its value (it may be a secret)."""
    parts = []
    for found in error.errors(include_url=False, include_input=False):
        name = str(found["loc"][0]).upper() if found["loc"] else ""
        text = found["msg"].removeprefix("Value error, ")
        parts.append(f"{name}: {text}" if name else text)
    return "Configuration error: " + "; ".join(parts)
