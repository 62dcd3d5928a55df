"""/health/<check>: for operators alone, who are known before any check runs."""

import pytest

from blueprints.health.settings import HealthSettings
from tests.blueprints.health.conftest import TOKEN, Counted

PATHS = ["/health/database", "/health/nothing"]


@pytest.fixture
def token(app, monkeypatch):
    """HEALTH_TOKEN is set."""
    monkeypatch.setitem(app.extensions["plugin_settings"], HealthSettings, HealthSettings(health_token=TOKEN))
    return TOKEN


@pytest.fixture
def database(checks):
    """The only check, counted."""
    counted = Counted()
    checks(database=counted, cache=Counted(lambda app: None))
    return counted


def error_of(response):
    body = response.get_json()
    assert list(body) == ["success", "error", "meta"]
    assert body["success"] is False
    return body["error"]["code"]


def test_with_the_token(get, token, database):
    response = get("/health/database", Authorization=f"Bearer {token}")
    assert response.status_code == 200
    body = response.get_json()
    assert list(body) == ["success", "data", "meta"]
    data = body["data"]
    assert data["durationMs"] >= 0
    assert data | {"durationMs": 0} == {
        "name": "database",
        "status": "healthy",
        "message": "answered",
        "durationMs": 0,
        "critical": True,
    }
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "act, status, message",
    [(lambda app: None, "unknown", "not configured"), (lambda app: 1 / 0, "unhealthy", "failed")],
)
def test_the_phrases(get, token, checks, act, status, message):
    checks(database=Counted(), cache=Counted(act))
    response = get("/health/cache", Authorization=f"Bearer {token}")
    data = response.get_json()["data"]
    assert (response.status_code, data["status"], data["message"], data["critical"]) == (200, status, message, False)


def test_a_failed_critical_check(get, token, checks):
    checks(database=Counted(lambda app: 1 / 0))
    response = get("/health/database", Authorization=f"Bearer {token}")
    assert (response.status_code, response.get_json()["data"]["status"]) == (503, "unhealthy")


def test_as_an_administrator(people, database):
    admin = people.admin()
    response = admin.client.get("/health/database")
    assert (response.status_code, response.get_json()["data"]["status"]) == (200, "healthy")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "header", [None, "Bearer", "Bearer junk", "Bearer pat_junk", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"]
)
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_without_credentials(get, token, database, path, header, accept):
    headers = {"Authorization": header} if header else {}
    response = get(path, Accept=accept, **headers)
    assert response.status_code == 401
    assert error_of(response) == "UNAUTHORIZED"
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert database.runs == 0


@pytest.mark.parametrize("path", PATHS)
def test_as_somebody(people, token, database, path):
    ada = people.verified("ada@example.com")
    response = ada.client.get(path, headers={"Accept": "text/html"})
    assert (response.status_code, error_of(response)) == (403, "FORBIDDEN")
    assert database.runs == 0


def test_an_unknown_check(people, get, token, database):
    for response in (
        get("/health/nothing", Authorization=f"Bearer {token}"),
        people.admin().client.get("/health/nothing", headers={"Accept": "text/html"}),
    ):
        assert (response.status_code, error_of(response)) == (404, "NOT_FOUND")
    assert database.runs == 0


def test_without_a_health_token_no_bearer_fits(get, database):
    for header in ("Bearer ", "Bearer None", "Bearer null"):
        assert get("/health/database", Authorization=header).status_code == 401


def test_an_access_token_is_no_credential_here(people, database):
    admin = people.admin()
    value = admin.submit("/auth/tokens", name="Monitor").data["value"]
    headers = {"Authorization": f"Bearer {value}"}
    assert admin.client.get("/health/database", headers=headers).status_code == 401
    assert database.runs == 0


def test_with_cookie_and_bearer_the_bearer_decides(people, token, database):
    admin, ada = people.admin(), people.verified("ada@example.com")
    assert admin.client.get("/health/database", headers={"Authorization": "Bearer junk"}).status_code == 401
    assert ada.client.get("/health/database", headers={"Authorization": f"Bearer {token}"}).status_code == 200


def test_any_host(get, token, database):
    response = get("/health/database", Authorization=f"Bearer {token}", Host="10.0.0.7")
    assert response.status_code == 200


@pytest.mark.needs("auth", "without accounts a cookie is never looked up")
def test_with_the_database_down_the_token_still_works(make_app, get):
    app = make_app(DATABASE_URL="postgresql://app@127.0.0.1:1/none", HEALTH_TOKEN=TOKEN)
    response = get("/health/database", app, Authorization=f"Bearer {TOKEN}")
    assert (response.status_code, response.get_json()["data"]["status"]) == (503, "unhealthy")
    client = app.test_client()
    client.set_cookie("session", "a" * 43)
    response = client.get("/health/database")
    assert (response.status_code, error_of(response)) == (503, "SERVICE_UNAVAILABLE")
