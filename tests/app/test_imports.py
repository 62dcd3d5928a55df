"""What is heavy is loaded by whoever needs it, and starting needs none of it."""

import subprocess
import sys

import pytest

from config.settings import ROOT
from tests.live import surroundings

HEAVY = {"alembic", "boto3", "sentry_sdk", "redis", "segno", "css_inline", "rich", "prometheus_client"}
PROGRAM = """
import sys
import wsgi
print(" ".join(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def loaded(environ: dict[str, str]) -> set[str]:
    """The packages in a fresh process that has built the application."""
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=ROOT, env=surroundings(environ), capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_nothing_heavy_is_loaded_at_the_start(environ):
    assert loaded(environ) & HEAVY == set()


def test_a_configured_service_may_load_its_own_library(environ):
    values = environ | {"REDIS_URL": "redis://127.0.0.1:1/0", "SENTRY_DSN": "http://key@127.0.0.1:1/1"}
    assert loaded(values) & HEAVY == {"redis", "sentry_sdk"}


@pytest.mark.parametrize("name", ["blueprints.teams", "blueprints.metrics", "blueprints.auth"])
def test_an_absent_blueprint_is_not_imported(environ, name):
    command = [sys.executable, "-c", f"import sys, wsgi; print({name!r} in sys.modules)"]
    values = surroundings(environ | {"BLUEPRINTS": "health"})
    done = subprocess.run(command, cwd=ROOT, env=values, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
