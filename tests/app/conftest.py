"""What the tests of the kernel share: a sample blueprint, a production environment, and captured lines."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

import config
from app import create_app
from app.database import db
from tests.clients import Browser, Program, TestClient
from tests.plugins import sample as sample_plugin

PRODUCTION = {
    "ENVIRONMENT": "production",
    "BASE_URL": "https://app.example.com",
    "SECRET_KEY": "7Yk2-Qw9-Lx4-Zr8-Tn5-Vb3-Mc6-Hd1",
    "PASSWORD_PEPPER": "a pepper of the production tests",
    "BCRYPT_COST": "10",
}
SAMPLE = "health,auth,tests.plugins.sample"


@pytest.fixture(scope="session")
def sample_app(environ: dict[str, str]) -> Iterator[Flask]:
    """An application with the sample blueprint beside health and auth."""
    app = create_app(config.load(environ | {"BLUEPRINTS": SAMPLE}))
    app.test_client_class = TestClient
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def sample(sample_app: Flask, app: Flask) -> Flask:
    """The same with nothing in it, for one test."""
    sample_plugin.things.clear()
    sample_plugin.failures.clear()
    return sample_app


@pytest.fixture
def page(sample: Flask) -> Browser:
    """A browser of the sample application."""
    return Browser(sample)


@pytest.fixture
def api(sample: Flask) -> Program:
    """A program of the sample application."""
    return Program(sample)


@pytest.fixture
def production(make_app: Callable[..., Flask]) -> Callable[..., Flask]:
    """Makes applications as in production, on the database of the tests."""
    return lambda **values: make_app(**PRODUCTION | values)


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """Takes the log lines that were written since it was last asked."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
