"""The health routes: what they say, in which format, and to whom."""

import json
import re

import pytest

from app.database import db
from blueprints.health.settings import HealthSettings
from tests.blueprints.auth.support import statements
from tests.blueprints.health.conftest import TOKEN, Counted

KERNEL = ["database", "cache", "storage", "email"]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def boom(app):
    raise RuntimeError("secret: postgresql://app:hunter2@10.0.0.7/app")


@pytest.fixture
def token(app, monkeypatch):
    """HEALTH_TOKEN is set."""
    monkeypatch.setitem(app.extensions["plugin_settings"], HealthSettings, HealthSettings(health_token=TOKEN))
    return TOKEN


class TestHealth:
    def test_the_body(self, get):
        response = get("/health")
        assert response.status_code == 200
        assert response.content_type == "application/json"
        body = response.get_json()
        assert list(body) == ["status", "timestamp", "environment", "version", "checks", "metrics"]
        assert list(body["checks"])[:4] == KERNEL
        assert body["checks"] == {**body["checks"], "database": "healthy", **dict.fromkeys(KERNEL[1:], "unknown")}
        assert list(body["metrics"]) == ["responseTime", "activeConnections", "memoryUsage"]
        assert (body["status"], body["environment"]) == ("healthy", "testing")
        assert TIME.fullmatch(body["timestamp"])
        assert body["metrics"]["responseTime"] >= 0
        assert body["metrics"]["activeConnections"] == 0
        assert 10 * 2**20 < body["metrics"]["memoryUsage"] < 4 * 2**30

    def test_the_headers(self, get):
        response = get("/health")
        assert response.headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in response.headers
        assert response.vary.as_set() == {"accept"}
        assert "Retry-After" not in response.headers

    def test_connections_in_use_are_counted(self, app, get):
        with db.engine.connect(), db.engine.connect():
            assert get("/health").get_json()["metrics"]["activeConnections"] == 2

    def test_head(self, app):
        response = app.test_client(use_cookies=False).head("/health")
        assert (response.status_code, response.data) == (200, b"")
        assert int(response.headers["Content-Length"]) > 0

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
    def test_nothing_else(self, app, method):
        response = app.test_client(use_cookies=False).open("/health", method=method)
        assert response.status_code == 405
        assert {"GET", "HEAD"} <= set(response.headers["Allow"].split(", "))

    def test_it_is_not_under_api(self, get):
        assert get("/api/health").status_code == 404

    @pytest.mark.parametrize("host", ["evil.test", "10.0.0.7:9999", "[::1]:8000"])
    @pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
    def test_any_host(self, app, path, host):
        response = app.test_client(use_cookies=False).get(path, headers={"Host": host, "Accept": "text/html"})
        assert response.status_code == 200

    def test_without_https(self, make_app, get):
        values = {"ENVIRONMENT": "production", "BASE_URL": "https://app.example.com", "PROXY_HOPS": "1"}
        app = make_app(**values, BCRYPT_COST="10")
        for path in ("/health", "/health/live", "/health/ready"):
            assert get(path, app, X_Forwarded_Proto="http").status_code == 200
        assert get("/health", app).get_json()["environment"] == "production"

    @pytest.mark.parametrize(
        "values, version",
        [
            ({"RELEASE": "v42", "HEROKU_BUILD_COMMIT": "abc"}, "v42"),
            ({"HEROKU_BUILD_COMMIT": "abc"}, "abc"),
            ({}, None),
        ],
    )
    def test_the_version(self, make_app, get, values, version):
        app = make_app(**values)
        expected = version or app.config["SETTINGS"].version
        assert get("/health", app).get_json()["version"] == expected

    def test_a_cookie_is_not_looked_at(self, app, people):
        people.verified("ada@example.com")
        browser = people.browser("ada@example.com")
        browser.get("/health")  # the checks have run now
        with statements(app) as asked:
            for accept in ("application/json", "text/html", "text/plain"):
                assert browser.get("/health", headers={"Accept": accept}).status == 200
        assert asked == []


class TestFormats:
    @pytest.mark.parametrize("accept", ["", "*/*", "application/json", "image/png", "text/html;q=0, */*"])
    def test_json(self, get, accept):
        assert get("/health", Accept=accept).content_type == "application/json"

    @pytest.mark.parametrize("accept", ["text/html", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"])
    def test_page(self, get, checks, accept):
        checks(database=Counted(), pending_mail=Counted(boom), cache=Counted(lambda app: None))
        response = get("/health", Accept=accept)
        assert response.content_type == "text/html; charset=utf-8"
        assert response.headers["Cache-Control"] == "no-store"
        assert "Degraded" in response.text
        for name, word in (("Database", "healthy"), ("Pending mail", "unhealthy"), ("Cache", "not set up")):
            assert re.search(rf"{name}</p>.*?{word}", response.text, re.DOTALL)
        assert "hunter2" not in response.text
        assert "Set-Cookie" not in response.headers

    @pytest.mark.parametrize(
        "failing, word, status", [(None, "healthy", 200), ("cache", "degraded", 200), ("database", "unhealthy", 503)]
    )
    def test_one_word(self, get, checks, failing, word, status):
        checks(**{name: Counted(boom if name == failing else lambda app: True) for name in ("database", "cache")})
        response = get("/health", Accept="text/plain")
        assert (response.status_code, response.text) == (status, f"{word}\n")
        assert response.content_type == "text/plain; charset=utf-8"

    @pytest.mark.parametrize(
        "failing, words, status",
        [(None, ("pass", "pass"), 200), ("cache", ("warn", "pass"), 200), ("database", ("fail", "fail"), 503)],
    )
    def test_draft(self, get, checks, failing, words, status):
        checks(**{name: Counted(boom if name == failing else lambda app: True) for name in ("database", "cache")})
        response = get("/health", Accept="application/health+json")
        assert (response.status_code, response.content_type) == (status, "application/health+json")
        body = json.loads(response.data)
        assert (body["status"], body["checks"]["database"][0]["status"]) == words
        assert body["releaseId"]


class TestFailing:
    def test_a_critical_check(self, get, checks):
        checks(database=Counted(boom), cache=Counted())
        response = get("/health")
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 0
        assert (response.get_json()["status"], response.get_json()["checks"]) == (
            "unhealthy",
            {"database": "unhealthy", "cache": "healthy"},
        )
        assert get("/health/ready").status_code == 503

    def test_another_check(self, get, checks):
        checks(database=Counted(), cache=Counted(boom))
        assert (get("/health").status_code, get("/health").get_json()["status"]) == (200, "degraded")
        assert get("/health/ready").status_code == 200

    def test_a_check_that_says_no(self, get, checks):
        checks(database=Counted(lambda app: False))
        assert get("/health").get_json()["checks"] == {"database": "unhealthy"}

    @pytest.mark.parametrize("accept", ["application/json", "text/html", "text/plain", "application/health+json"])
    def test_no_exception_text(self, get, checks, token, accept):
        checks(database=Counted(boom), cache=Counted(boom))
        texts = [get("/health", Accept=accept).text, get("/health/ready", Accept=accept).text]
        texts.append(get("/health/database", Accept=accept, Authorization=f"Bearer {token}").text)
        for text in texts:
            assert not re.search("hunter2|secret|RuntimeError|Traceback", text)


class TestReady:
    def test_only_critical_checks_are_asked(self, get, checks):
        other = Counted()
        checks(database=Counted(), cache=other)
        response = get("/health/ready")
        assert (response.status_code, response.get_json()) == (200, {"status": "healthy"})
        assert response.headers["Cache-Control"] == "no-store"
        assert other.runs == 0

    def test_not_while_draining(self, app, get):
        app.extensions["draining"] = True
        response = get("/health/ready")
        assert (response.status_code, response.get_json()) == (503, {"status": "unhealthy"})
        assert int(response.headers["Retry-After"]) > 0
        assert get("/health").status_code == get("/health/live").status_code == 200


class TestLive:
    def test_it_asks_nothing(self, app, get, checks):
        database = Counted(boom)
        checks(database=database)
        with statements(app) as asked:
            response = get("/health/live")
        assert (response.status_code, response.get_json()) == (200, {"status": "healthy"})
        assert response.headers["Cache-Control"] == "no-store"
        assert asked == []
        assert database.runs == 0

    def test_without_any_database(self, make_app, get):
        app = make_app(DATABASE_URL="postgresql://app@127.0.0.1:1/none")
        assert get("/health/live", app).status_code == 200
