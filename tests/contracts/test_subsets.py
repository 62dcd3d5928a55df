"""Every set of blueprints that has what it requires boots and answers; what is absent leaves no trace."""

from itertools import chain, combinations

import pytest

from app.openapi import document
from app.plugins import SHIPPED, PluginError
from tests.clients import Browser, Program

REQUIRES = {"teams": {"auth"}}
ALL = [tuple(found) for found in chain.from_iterable(combinations(SHIPPED, size) for size in range(len(SHIPPED) + 1))]
ALLOWED = [names for names in ALL if all(REQUIRES.get(name, set()) <= set(names) for name in names)]
REFUSED = [names for names in ALL if names not in ALLOWED]

# A page, the same for programs, a setting with a value that its blueprint would refuse, and a command.
TRACES = {
    "health": ("/health", None, {"HEALTH_TOKEN": "short"}, "health"),
    "auth": ("/auth/sign-in", "/auth/session", {"LIMIT_SIGN_IN_IP": "nonsense"}, "users"),
    "teams": ("/teams", "/teams", {"LIMIT_INVITE_USER": "nonsense"}, None),
    "metrics": ("/metrics", "/metrics", {"METRICS_TOKEN": "short"}, None),
}


def label(names: tuple[str, ...]) -> str:
    return "+".join(names) or "nothing"


def one_by_one(names: tuple[str, ...]) -> str:
    """BLUEPRINTS for these; a comma alone means none, since an empty variable means all."""
    return ",".join(names) or ","


@pytest.mark.parametrize("names", ALLOWED, ids=label)
def test_a_subset_boots_and_answers(make_app, names):
    app = make_app(BLUEPRINTS=one_by_one(names))
    browser, program = Browser(app), Program(app)
    assert browser.get("/").status == (303 if {"health", "auth"} & set(names) else 404)
    assert browser.get("/nothing").status == 404
    assert program.get("/nothing").code == "NOT_FOUND"
    assert program.get("/openapi.json").response.get_json()["openapi"] == "3.1.0"
    assert browser.get("/dev/mailbox").status == 200
    app.extensions["jobs"].run_due()
    for name, (page, api, _, _) in TRACES.items():
        assert (browser.get(page).status == 404) is (name not in names), page
        if api is not None:
            assert (program.get(api).status == 404) is (name not in names), api


@pytest.mark.parametrize("names", ALLOWED, ids=label)
def test_what_is_absent_leaves_no_trace(make_app, names):
    absent = [name for name in SHIPPED if name not in names]
    nonsense = {key: value for name in absent for key, value in TRACES[name][2].items()}
    app = make_app(BLUEPRINTS=one_by_one(names), **nonsense)
    endpoints = {rule.endpoint.removeprefix("api.").split(".")[0] for rule in app.url_map.iter_rules()}
    paths = document(app)["paths"]
    for name in absent:
        command = TRACES[name][3]
        assert name not in endpoints
        assert command is None or command not in app.cli.commands
        assert not any(path.startswith(f"/api/{name}") for path in paths)
        assert not any(job.startswith(f"{name}.") for job in app.extensions["jobs"].jobs)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_settings_of_a_present_blueprint_are_looked_at(make_app, name):
    with pytest.raises(PluginError, match="Configuration error"):
        make_app(**TRACES[name][2])


@pytest.mark.parametrize("names", REFUSED, ids=label)
def test_a_set_without_what_it_requires_is_refused(make_app, names):
    with pytest.raises(PluginError, match="requires 'auth' before it"):
        make_app(BLUEPRINTS=one_by_one(names))


def test_without_accounts_nobody_is_signed_in(make_app):
    app = make_app(BLUEPRINTS="health,metrics", METRICS_TOKEN="a token for the metrics")
    client = app.test_client()
    client.set_cookie("session", "whatever")
    assert client.get("/api/metrics").status_code == 401
    assert client.get("/metrics/dashboard").status_code == 401
    assert client.get("/metrics").status_code == 401
    headers = {"Authorization": "Bearer a token for the metrics"}
    assert client.get("/metrics", headers=headers).status_code == 200


def test_an_empty_variable_means_all(make_app):
    app = make_app(BLUEPRINTS="")
    assert [plugin.name for plugin in app.extensions["plugins"] if plugin.name in SHIPPED] == list(SHIPPED)
