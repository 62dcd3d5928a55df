import dataclasses
from time import time
from uuid import UUID

import pytest

from app.access import Identity
from app.chrome import navigation
from app.plugins import current
from blueprints.metrics import capture, plugin, routes
from blueprints.metrics.flusher import flush_forever
from blueprints.metrics.recorder import this_process
from blueprints.metrics.settings import MetricsSettings

TOKEN = "a-token-only-for-the-metrics"
USER = UUID(int=7)


@pytest.fixture
def get(app):
    """Send a GET; it ends, body and all, before the answer is returned."""

    def get(path, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return app.test_client(use_cookies=False).get(path, headers=headers, buffered=True)

    return get


@pytest.fixture
def sign_in(app, monkeypatch):
    """Let everyone who sends a cookie be an administrator, or someone who is not."""

    def sign_in(*, is_admin):
        nothing = dict.fromkeys(field.name for field in dataclasses.fields(Identity))
        who = Identity(**nothing | {"user_id": USER, "is_admin": is_admin, "session_id": UUID(int=8)})
        hooks = app.extensions.setdefault("hooks", {})
        monkeypatch.setitem(hooks, "identify", [lambda cookie, bearer: who if cookie else None])
        return {"Cookie": f"{app.config['SESSION_TOKEN_COOKIE']}=any"}

    return sign_in


@pytest.fixture(autouse=True)
def metrics_token(app, monkeypatch):
    settings = MetricsSettings(metrics_token=TOKEN)
    monkeypatch.setitem(app.extensions["plugin_settings"], MetricsSettings, settings)


@pytest.fixture(autouse=True)
def nothing_counted_before(app):
    this_process.drain()


def test_prometheus_reads_with_the_token(get):
    response = get("/metrics", Authorization=f"Bearer {TOKEN}")
    assert response.status_code == 200
    assert response.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert "monitor_dropped_total 0.0\n" in response.text


def test_prometheus_reads_under_any_host(get):
    assert get("/metrics", Authorization=f"Bearer {TOKEN}", Host="10.1.2.3:9000").status_code == 200


@pytest.mark.parametrize(
    "accept",
    ["application/openmetrics-text", "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2"],
)
def test_prometheus_gets_openmetrics_when_it_asks(get, accept):
    response = get("/metrics", Authorization=f"Bearer {TOKEN}", Accept=accept)
    assert response.content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert response.text.endswith("# EOF\n")
    assert "Accept" in response.vary


def test_the_text_is_kept_by_no_cache(get):
    assert get("/metrics", Authorization=f"Bearer {TOKEN}").headers["Cache-Control"] == "no-store"


def test_prometheus_reads_as_an_administrator(get, sign_in):
    assert get("/metrics", **sign_in(is_admin=True)).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}])
def test_prometheus_without_the_token_is_401_and_no_redirect(app, get, headers, monkeypatch):
    monkeypatch.setitem(app.extensions.setdefault("hooks", {}), "sign_in_page", [lambda: "metrics.dashboard"])
    response = get("/metrics", **headers)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_prometheus_is_403_for_anyone_else_who_is_signed_in(get, sign_in):
    assert get("/metrics", **sign_in(is_admin=False)).status_code == 403


@pytest.mark.parametrize("bearer", ["Bearer ", "Bearer None", "Bearer"])
def test_without_a_token_set_no_bearer_opens(app, get, monkeypatch, bearer):
    monkeypatch.setitem(app.extensions["plugin_settings"], MetricsSettings, MetricsSettings())
    assert get("/metrics", Authorization=bearer).status_code == 401


def test_programs_get_the_report_in_the_envelope(get, sign_in):
    response = get("/api/metrics", **sign_in(is_admin=True))
    assert response.status_code == 200
    assert response.json["success"] is True
    assert response.json["data"].keys() == {"errors", "performance", "timestamp"}


def test_the_report_is_for_administrators(get, sign_in):
    signed_out = get("/api/metrics")
    assert (signed_out.status_code, signed_out.json["error"]["code"]) == (401, "UNAUTHORIZED")
    response = get("/api/metrics", **sign_in(is_admin=False))
    assert (response.status_code, response.json["error"]["code"]) == (403, "FORBIDDEN")


def test_the_token_opens_nothing_but_the_text(get):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert get("/api/metrics", **headers).status_code == 401
    assert get("/metrics/dashboard", **headers).status_code in (303, 401)


def test_the_dashboard_shows_what_was_counted(get, sign_in):
    this_process.add_request("GET", "/teams/<uuid:team_id>", "2xx", 0.1234)
    this_process.add_error(KeyError())
    store_counted()
    response = get("/metrics/dashboard", **sign_in(is_admin=True))
    assert response.status_code == 200
    for text in ("/teams/&lt;uuid:team_id&gt;", "123.4", "KeyError"):
        assert text in response.text


def test_the_dashboard_is_for_administrators(get, sign_in):
    assert get("/metrics/dashboard").status_code in (303, 401)
    assert get("/metrics/dashboard", **sign_in(is_admin=False)).status_code == 403


@pytest.mark.parametrize("path", ["/api/metrics/dashboard", "/metrics/metrics", "/metrics/"])
def test_there_is_one_address_for_each(get, path):
    assert get(path).status_code == 404


def store_counted():
    routes.services.store_delta(this_process.drain())


def counted():
    delta = this_process.drain()
    return [(row["method"], row["route"], row["status_class"]) for row in delta.payload["requests"]]


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/metrics", ("GET", "/metrics", "4xx")),
        ("/api/metrics", ("GET", "/api/metrics", "4xx")),
        ("/static/favicon.svg", ("GET", "/static/<path:filename>", "2xx")),
        ("/no/such/page", ("GET", "(unmatched)", "4xx")),
        ("/api/no/such/thing", ("GET", "(unmatched)", "4xx")),
    ],
)
def test_every_request_is_counted_under_its_rule(get, path, key):
    get(path)
    assert counted() == [key]


def test_a_counted_request_is_in_the_report(get, sign_in):
    get("/api/metrics")
    store_counted()
    (row,) = get("/api/metrics", **sign_in(is_admin=True)).json["data"]["performance"]
    assert (row["endpoint"], row["method"], row["request_count"]) == ("/api/metrics", "GET", 1)


class Broken(Exception):
    pass


def test_an_exception_that_ends_a_request_is_an_error_with_its_user(get, sign_in, monkeypatch):
    def fail():
        raise Broken("not kept")

    monkeypatch.setattr(routes.services, "report", fail)
    assert get("/api/metrics", **sign_in(is_admin=True)).status_code == 500
    assert get("/metrics/dashboard", **sign_in(is_admin=True)).status_code == 500
    payload = this_process.drain().payload
    (error,) = payload["errors"]
    assert (error["type"], error["count"], error["users"]) == ("Broken", 2, [str(USER)])
    assert [row["status_class"] for row in payload["requests"]] == ["5xx", "5xx"]


def test_an_exception_without_a_user_is_an_error(get, monkeypatch):
    def fail(**options):
        raise Broken

    monkeypatch.setattr(routes.services, "prometheus_text", fail)
    get("/metrics", Authorization=f"Bearer {TOKEN}")
    (error,) = this_process.drain().payload["errors"]
    assert (error["type"], error["count"], error["users"]) == ("Broken", 1, [])


def test_a_refusal_is_no_error(get):
    get("/api/metrics")
    assert this_process.drain().payload["errors"] == []


def test_an_exception_that_was_handled_can_be_captured(app):
    capture(Broken(), USER)
    (error,) = this_process.drain().payload["errors"]
    assert (error["type"], error["users"]) == ("Broken", [str(USER)])


def test_the_navigation_shows_the_dashboard_to_administrators(app, sign_in):
    for is_admin in (True, False):
        sign_in(is_admin=is_admin)
        who = app.extensions["hooks"]["identify"][0]("any", None)
        with app.test_request_context("/"):
            assert ("Metrics" in [link.label for link in navigation(who)]) is is_admin


def test_folding_and_pruning_run_by_the_clock(app):
    jobs = app.extensions["jobs"].jobs
    assert (jobs["metrics.fold_deltas"].every_seconds, jobs["metrics.fold_deltas"].atomic) == (10, True)
    assert jobs["metrics.prune_metrics"].every_seconds == 3600


def test_a_thread_of_each_serving_process_flushes():
    assert plugin.threads == (flush_forever,)


@pytest.mark.parametrize(("values", "token"), [({"METRICS_TOKEN": TOKEN}, TOKEN), ({}, None)])
def test_the_token_comes_from_the_environment(make_app, values, token):
    with make_app(**values).app_context():
        assert current(MetricsSettings).metrics_token == token


@pytest.mark.parametrize("hops, waited", [("1", 1), ("0", 0)])
def test_only_a_proxy_says_since_when_a_request_waits(make_app, hops, waited):
    app = make_app(PROXY_HOPS=hops)
    this_process.drain()
    moment = f"{(time() - 0.5) * 1000:.0f}"
    app.test_client().get("/health/live", headers={"X-Request-Start": moment}).close()
    (series,) = this_process.drain().payload["requests"]
    assert series["queue_count"] == waited
