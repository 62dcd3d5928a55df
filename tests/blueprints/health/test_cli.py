"""`flask health`."""

import contextvars

import pytest

from blueprints.health.cli import health
from tests.blueprints.health.conftest import Counted
from tests.services import free_port


def run(app):
    """What the command answers in a process of its own, without the test's application context."""
    return contextvars.Context().run(app.test_cli_runner().invoke, health)


def lines_of(result):
    """The lines for people, without the log's."""
    return [line for line in result.output.splitlines() if not line.startswith("{")]


def fails(app):
    raise RuntimeError("secret")


@pytest.mark.parametrize(
    "runs, code, word",
    [
        ({"database": lambda app: True, "cache": lambda app: None}, 0, "healthy"),
        ({"database": lambda app: True, "cache": fails}, 1, "degraded"),
        ({"database": fails, "cache": lambda app: True}, 2, "unhealthy"),
        ({"database": fails, "cache": fails}, 2, "unhealthy"),
    ],
)
def test_the_exit_codes(app, checks, runs, code, word):
    checks(**{name: Counted(act) for name, act in runs.items()})
    result = run(app)
    assert result.exit_code == code
    lines = lines_of(result)
    assert lines[-1] == word
    assert [line.split()[0] for line in lines[:-1]] == ["database", "cache"]
    assert "secret" not in result.output


def test_everything_real(app):
    assert run(app).exit_code == 0


def test_a_dead_database(make_app):
    app = make_app(DATABASE_URL=f"postgresql://app@127.0.0.1:{free_port()}/none")
    result = run(app)
    assert (result.exit_code, lines_of(result)[-1]) == (2, "unhealthy")


def test_a_dead_redis(make_app):
    assert run(make_app(REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")).exit_code == 1
