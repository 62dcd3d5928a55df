"""What the tests of health share: requests without cookies, and checks of one's own."""

import pytest

from app.plugins import Check
from blueprints.health import services

TOKEN = "a-token-only-for-the-health"


@pytest.fixture
def get(app):
    """Send a GET without cookies; `get("/health", Accept="text/html")`."""

    def get(path, app=app, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return app.test_client(use_cookies=False).get(path, headers=headers)

    return get


class Counted:
    """A check that counts how often it ran, and does what it is told."""

    def __init__(self, act=lambda app: True):
        self.act, self.runs = act, 0

    def __call__(self, app):
        self.runs += 1
        return self.act(app)


@pytest.fixture
def checks(app):
    """Replaces the checks: `checks(database=Counted(), slow=Counted(…))`; only `database` is critical."""

    def checks(app=app, cached_seconds=5, **runs):
        made = [Check(name, run, name == "database", cached_seconds) for name, run in runs.items()]
        app.extensions["health"] = services.Monitor(app, made)
        return app.extensions["health"]

    return checks
