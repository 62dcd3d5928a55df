"""The description of the JSON API: equal to the routes, and true when many strange requests are sent."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode, checks

from app.openapi import document
from tests.clients import Program, TestClient
from tests.contracts.test_urls import SNAPSHOT
from tests.people import People

EXAMPLES = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
UNGUESSABLE = {  # takes a mailed token, or a new password whose rules are settings
    "/api/auth/change-email/confirm",
    "/api/auth/change-email/undo",
    "/api/auth/change-password",
    "/api/auth/not-me",
    "/api/auth/reset-password",
    "/api/auth/sign-up",
    "/api/auth/verify-email",
    "/api/teams/invites/accept",
    "/api/teams/invites/preview",
    "/api/teams/invites/reject",
}
EMAIL = "ada@example.com"
DESCRIBED = [
    (method, path.replace("<uuid:", "{").replace(">", "}"))
    for path, method in map(str.split, SNAPSHOT.read_text().splitlines())
    if path.startswith("/api/") and path != "/api/openapi.json"
]


def no_limits() -> dict[str, str]:
    """Every limit off."""
    from blueprints.auth.settings import AuthSettings
    from blueprints.teams.settings import TeamsSettings

    names = [*AuthSettings.model_fields, *TeamsSettings.model_fields]
    return {name.upper(): "off" for name in names if name.startswith("limit_")}


@pytest.fixture(scope="session")
def open_app(environ: dict[str, str]) -> Iterator[Flask]:
    """Everything that is shipped, without limits."""
    import config
    from app import create_app
    from app.database import db

    app = create_app(config.load(environ | no_limits()))
    app.test_client_class = TestClient
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def described(open_app: Flask, app: Flask) -> Any:
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", open_app)
    schema.config.generation.with_security_parameters = False  # the tests bring their own cookie
    return schema


@pytest.fixture
def fresh_cookie(open_app: Flask, people) -> Callable[[], dict[str, str]]:
    """Signs an administrator in anew: what a case ends is not what the next one uses."""
    people.admin(EMAIL)
    here = People(open_app)

    def sign_in() -> dict[str, str]:
        return {"session": here.program(EMAIL).client.get_cookie("session").value}

    return sign_in


def send_cases(operation: Any, cookies: Callable[[], dict[str, str]]) -> None:
    """Send valid and invalid requests, and compare every answer with the document."""
    excluded = [checks.ignored_auth]  # it cannot know whether a cookie of ours is valid
    if operation.path in UNGUESSABLE:
        excluded.append(checks.positive_data_acceptance)
    modes = [GenerationMode.POSITIVE]
    if operation.body or operation.query or operation.path_parameters:
        modes.append(GenerationMode.NEGATIVE)
    for mode in modes:

        @given(case=operation.as_strategy(mode))
        @EXAMPLES
        def every_case(case):
            case.call_and_validate(cookies=cookies(), excluded_checks=excluded)

        every_case()


@pytest.mark.parametrize("method, path", DESCRIBED)
def test_signed_out_every_answer_is_as_described(described, method, path):
    send_cases(described[path][method], dict)


@pytest.mark.parametrize("method, path", DESCRIBED)
def test_signed_in_every_answer_is_as_described(described, fresh_cookie, method, path):
    send_cases(described[path][method], fresh_cookie)


def operations(app: Flask) -> set[tuple[str, str]]:
    """Every method and path of the JSON API by the application's own map, its description left out."""
    return {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/") and rule.rule != "/api/openapi.json"
    }


def test_the_document_has_every_operation_and_no_other(app):
    described = {
        (verb.upper(), path.replace("{", "<uuid:").replace("}", ">"))
        for path, verbs in document(app)["paths"].items()
        for verb in verbs
    }
    assert described == operations(app)


def test_operation_ids_are_unique_and_everything_has_a_summary(app):
    found = [operation for verbs in document(app)["paths"].values() for operation in verbs.values()]
    assert max(Counter(operation["operationId"] for operation in found).values()) == 1
    assert [operation["operationId"] for operation in found if not operation["summary"]] == []


def test_it_is_served_as_it_is_outside_the_envelope(program, app):
    answer = program.get("/openapi.json")
    assert answer.response.get_json()["openapi"] == "3.1.0"
    assert answer.response.get_json()["paths"].keys() == document(app)["paths"].keys()


def test_what_a_view_declares_is_in_the_document(sample):
    paths = document(sample)["paths"]
    create, edit = paths["/api/sample/things"]["post"], paths["/api/sample/things/{thing_id}"]["put"]
    assert {"201", "400", "409", "413", "415", "503"} <= set(create["responses"])
    assert "ALREADY_EXISTS" in create["responses"]["409"]["description"]
    assert "security" not in create
    assert edit["parameters"] == [
        {"name": "thing_id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}
    ]
    assert paths["/api/sample/mine"]["get"]["security"] == [{"session": []}, {"token": []}]
    assert paths["/api/sample/fresh"]["post"]["security"] == [{"session": []}]
    (limit,) = paths["/api/sample/search"]["get"]["parameters"]
    assert (limit["name"], limit["in"], limit["required"], limit["schema"]["default"]) == ("limit", "query", False, 50)
    thing = document(sample)["components"]["schemas"]["NewThing"]
    assert thing["required"] == ["thingName"]
    assert set(thing["properties"]) == {"thingName", "note", "kind", "isPublic", "weight"}


def test_an_absent_blueprint_is_not_described(make_app):
    assert [path for path in document(make_app(BLUEPRINTS="health,auth"))["paths"] if "teams" in path] == []


def test_every_reading_operation_answers_2xx(people, app):
    """What needs an id or a query of its own has its own tests."""
    admin: Program = people.admin(EMAIL)
    for path, verbs in document(app)["paths"].items():
        if "get" in verbs and "{" not in path and not verbs["get"]["parameters"]:
            assert admin.get(path).status == 200, path
