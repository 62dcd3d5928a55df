"""What the tests of the running service share."""

from collections.abc import Callable
from pathlib import Path

import pytest

import config
from app import create_app
from tests.conftest import migrate


@pytest.fixture
def migrated(new_database: Callable[[], str], tmp_path: Path) -> dict[str, str]:
    """The environment of a service with a database of its own, brought up to date."""
    values = {
        "ENVIRONMENT": "testing",
        "SECRET_KEY": "a secret key of the tests: 0123456789",
        "PASSWORD_PEPPER": "a pepper of the tests: 0123456789",
        "BCRYPT_COST": "4",
        "DATABASE_URL": new_database(),
        "INSTANCE_PATH": str(tmp_path / "instance"),
    }
    migrate(create_app(config.load(values)))
    return values
