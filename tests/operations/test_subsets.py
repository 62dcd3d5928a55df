"""BLUEPRINTS switches parts off: what is off is gone, and what is on does not miss it."""

import os
import subprocess
import sys

import pytest
from flask import Flask

from config.settings import ROOT
from tests.clients import Browser, Program
from tests.operations.processes import run, serving
from tests.people import People

GONE = (
    "/teams",
    "/teams/new",
    "/team/invite/some-token",
    "/metrics",
    "/metrics/dashboard",
    "/api/teams",
    "/api/metrics",
)
SMALLEST = {"health": "health", "auth": "auth", "teams": "auth,teams", "metrics": "metrics"}


@pytest.fixture
def accounts_only(make_app) -> Flask:
    """Health and accounts, with settings for the others that they would refuse."""
    return make_app(BLUEPRINTS="health,auth", LIMIT_INVITE_USER="nonsense", METRICS_TOKEN="x")


def test_the_routes_of_what_is_off_are_gone(accounts_only):
    program, browser = Program(accounts_only), Browser(accounts_only)
    for path in GONE:
        client = program if path.startswith("/api") else browser
        assert client.get(path).status == 404, path
        assert client.post(path, json={}).status == 404, path
    described = program.get("/api/openapi.json").response.json["paths"]
    assert {path.split("/")[2] for path in described} == {"auth", "dev"}


def test_pages_do_not_name_what_is_off(accounts_only):
    People(accounts_only).admin("ada@example.com")
    page = People(accounts_only).browser("ada@example.com").get("/auth/account").text
    assert 'href="/auth/account"' in page
    assert "/teams" not in page
    assert "/metrics" not in page


def test_its_jobs_checks_and_threads_are_gone(accounts_only, app):
    families = {name.partition(".")[0] for name in accounts_only.extensions["jobs"].jobs}
    assert families == {"auth", "jobs", "limits", "mail"}
    assert "mail.invitation" not in accounts_only.extensions["jobs"].jobs
    assert "mail.invitation" in app.extensions["jobs"].jobs
    assert not any(plugin.threads for plugin in accounts_only.extensions["plugins"])


def test_a_setting_of_what_is_on_is_still_refused(make_app):
    from app.plugins import PluginError

    with pytest.raises(PluginError, match="LIMIT_INVITE_USER"):
        make_app(LIMIT_INVITE_USER="nonsense")


def test_the_home_is_what_is_on(make_app):
    assert Browser(make_app(BLUEPRINTS="health")).get("/").location == "/health"
    assert Browser(make_app(BLUEPRINTS="health,auth")).get("/").location == "/auth/sign-in"
    assert Browser(make_app(BLUEPRINTS="metrics")).get("/").status == 404


def test_without_accounts_only_the_token_opens_the_metrics(make_app):
    app = make_app(BLUEPRINTS="health,metrics", METRICS_TOKEN="a token for prometheus")
    browser = Browser(app)
    assert browser.get("/metrics").status == 401
    assert browser.get("/metrics/dashboard").status == 401
    assert browser.get("/metrics", headers={"Authorization": "Bearer a token for prometheus"}).status == 200
    assert Program(app).get("/metrics").status == 401


@pytest.mark.sqlite_only("the database makes no difference to what is loaded")
def test_commands_come_and_go_with_their_blueprint(migrated):
    listed = run("flask --help", migrated | {"BLUEPRINTS": "health"}).stdout
    assert "  health " in listed
    assert "  users " not in listed
    settings = run("flask settings", migrated | {"BLUEPRINTS": "health,auth"}).stdout
    assert "LIMIT_SIGN_IN_IP" in settings
    assert "LIMIT_INVITE_USER" not in settings


def test_a_subset_serves_and_keeps_the_tables_of_the_rest(migrated, tmp_path):
    smaller = migrated | {"BLUEPRINTS": "health,auth", "LIMIT_INVITE_USER": "nonsense"}
    assert run("flask db upgrade heads", smaller).returncode == 0
    with serving(smaller, tmp_path) as web:
        assert web.call("GET", "/health").json["status"] == "healthy"
        assert web.call("GET", "/auth/sign-in").status == 200
        assert web.call("GET", "/teams").status == 404
    checked = run("flask db check", migrated)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.sqlite_only("its tests run on both databases anyway; here it is the subset that counts")
@pytest.mark.parametrize("name", SMALLEST)
def test_its_own_tests_pass_in_the_smallest_subset(name, tmp_path):
    command = [
        sys.executable,
        "-m",
        "pytest",
        f"tests/blueprints/{name}",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
    ]
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environ = inherited | {"TEST_BLUEPRINTS": SMALLEST[name], "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5000:]
