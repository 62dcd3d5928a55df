"""Fixtures: one database a test process, emptied after each test; a browser and a program as clients."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

import config
from app import create_app
from app.database import Base, db
from tests.clients import Browser, Program, TestClient
from tests.people import People
from tests.services.postgres import create_database, postgres

PEPPER = "a pepper for the tests"
SECRET = "a secret key for the tests, 32+ characters"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine", choices=("sqlite", "postgresql"), default="sqlite", help="the database to test on")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is for the other engine, or for a blueprint that is switched off; the marker says why."""
    engine = config.getoption("--engine")
    other = "postgresql_only" if engine == "sqlite" else "sqlite_only"
    left_out = [item for item in items if item.get_closest_marker(other) or lacks_blueprint(item)]
    items[:] = [item for item in items if item not in left_out]
    if left_out:
        config.hook.pytest_deselected(items=left_out)


def lacks_blueprint(item: pytest.Item) -> bool:
    """Whether TEST_BLUEPRINTS, which tests/operations sets, leaves out what a test needs; people need accounts."""
    switched_on = os.environ.get("TEST_BLUEPRINTS")
    if not switched_on:
        return False
    needed = {marker.args[0] for marker in item.iter_markers("needs")}
    if "people" in getattr(item, "fixturenames", ()):
        needed.add("auth")
    return not needed <= set(switched_on.split(","))


@pytest.fixture(scope="session")
def engine_name(request: pytest.FixtureRequest) -> str:
    """`sqlite` or `postgresql`."""
    return request.config.getoption("--engine")


@pytest.fixture(scope="session")
def database_server(engine_name: str) -> Iterator[str | None]:
    """The address of a real PostgreSQL of this test process, or None on SQLite."""
    if engine_name == "sqlite":
        yield None
        return
    with postgres() as server:
        yield server.url


@pytest.fixture(scope="session")
def workplace() -> Iterator[Path]:
    """A folder for this test process."""
    folder = Path(tempfile.mkdtemp(prefix="tests-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def new_database(database_server: str | None, workplace: Path) -> Callable[[], str]:
    """Makes addresses of fresh, empty databases."""
    made: list[str] = []

    def make() -> str:
        made.append("")
        if database_server is None:
            return f"sqlite:///{workplace}/app{len(made)}.db"
        return create_database(database_server)

    return make


@pytest.fixture(scope="session")
def environ(new_database: Callable[[], str], workplace: Path) -> dict[str, str]:
    """The environment of the application under test, its database migrated."""
    values = {
        "ENVIRONMENT": "testing",
        "SECRET_KEY": SECRET,
        "PASSWORD_PEPPER": PEPPER,
        "BCRYPT_COST": "4",
        "DATABASE_URL": new_database(),
        "INSTANCE_PATH": str(workplace / "instance"),
        "BASE_URL": "http://localhost:8000",
        "BLUEPRINTS": os.environ.get("TEST_BLUEPRINTS", ""),
    }
    migrate(create_app(config.load(values)))
    return values


def migrate(app: Flask) -> None:
    """Bring an application's database up to date, as `flask db upgrade heads` does."""
    from flask_migrate import upgrade

    from app.cli import set_up_migrations

    set_up_migrations(app)
    with app.app_context():
        upgrade(revision="heads")


@pytest.fixture(scope="session")
def shared_app(environ: dict[str, str]) -> Iterator[Flask]:
    app = create_app(config.load(environ))
    app.test_client_class = TestClient
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def app(shared_app: Flask) -> Iterator[Flask]:
    """The application, inside an app context; its tables are empty again after the test.

    Requests of the clients run in contexts of their own.
    """
    with shared_app.app_context():
        yield shared_app
        db.session.rollback()
    empty(shared_app)


def empty(app: Flask) -> None:
    """Delete every row, and forget what the application remembers in memory."""
    with app.app_context(), db.engine.connect().execution_options(write=True) as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())
        connection.commit()
    app.extensions["jobs"].slots.clear()
    app.extensions.pop("health", None)
    app.extensions.pop("draining", None)


@pytest.fixture
def make_app(environ: dict[str, str], app: Flask) -> Iterator[Callable[..., Flask]]:
    """Builds further applications on the same database: `make_app(BLUEPRINTS="health")`."""
    with ExitStack() as stack:

        def make(**values: str) -> Flask:
            made = create_app(config.load(environ | values))
            made.test_client_class = TestClient
            stack.callback(dispose, made)
            return made

        yield make


def dispose(app: Flask) -> None:
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def browser(app: Flask) -> Browser:
    """A browser without cookies."""
    return Browser(app)


@pytest.fixture
def program(app: Flask) -> Program:
    """A JSON client without cookies."""
    return Program(app)


@pytest.fixture(params=["browser", "program"])
def either(request: pytest.FixtureRequest, app: Flask) -> Any:
    """The same use case as a browser and as a program: `either.submit("/auth/sign-in", …)`."""
    return Browser(app) if request.param == "browser" else Program(app)


@pytest.fixture
def people(app: Flask) -> People:
    """Makes accounts: `people.verified("ada@example.com")`."""
    return People(app)


@pytest.fixture
def outbox(app: Flask) -> Callable[[], list[Any]]:
    """Runs the jobs that are due, and returns the mails kept so far, oldest first."""
    from tests.people import kept_mails

    return lambda: kept_mails(app)


@pytest.fixture(scope="session")
def needs_browser() -> str:
    """The path of Chromium; without one the test is skipped, and fails where REQUIRE_BROWSER is set."""
    from tests.services.browser import chromium_path

    path = chromium_path()
    if path is None:
        message = "Chromium is not installed: the browser tests did not run"
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    return path
