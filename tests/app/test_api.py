"""A program's side of a view: JSON in, the envelope out."""

import re

import pytest

from tests.clients import Program
from tests.plugins import sample as plugin

NEW = {"thingName": "one"}


def test_success_is_the_envelope(api):
    answer = api.submit("/sample/things", **NEW)
    body = answer.response.get_json()
    assert set(body) == {"success", "data", "meta"}
    assert body["success"] is True
    assert body["meta"]["requestId"] == answer.response.headers["X-Request-ID"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body["meta"]["timestamp"])
    assert answer.response.headers["Content-Type"] == "application/json"
    assert answer.response.headers["Cache-Control"] == "no-store"


def test_no_answer_is_cached(api):
    for path in ("/sample/things", "/sample/fails/404", "/nothing"):
        assert api.get(path).response.headers["Cache-Control"] == "no-store", path


def test_failure_is_the_envelope(api):
    body = api.submit("/sample/things").response.get_json()
    assert set(body) == {"success", "error", "meta"}
    assert body["success"] is False
    assert body["error"] == {
        "code": "VALIDATION_ERROR",
        "message": "Please check the fields below",
        "details": {"fields": {"thingName": ["This field is required."]}},
    }


def test_details_are_left_out_when_empty(api):
    api.submit("/sample/things", **NEW)
    body = api.submit("/sample/things", **NEW).response.get_json()
    assert body["error"] == {"code": "ALREADY_EXISTS", "message": "This name is taken."}


def test_keys_keep_their_order(api):
    text = api.submit("/sample/things", **NEW).text
    assert text.index('"success"') < text.index('"data"') < text.index('"meta"')


def test_put_and_delete(api):
    path = api.submit("/sample/things", **NEW).location
    assert api.submit(path, "PUT", note="text").data["thing"]["note"] == "text"
    assert api.submit(path, "PUT", thingName="two").data["thing"]["note"] == "text", "absent is unchanged"
    answer = api._call("PUT", path, json={"note": None})
    assert answer.data["thing"]["note"] is None, "null clears"
    assert api._call("DELETE", path).data == {"message": "It is gone."}
    assert api.get(path).code == "NOT_FOUND"


def test_next_is_for_pages_only(api):
    answer = api.post("/sample/enter?next=/teams", json={"name": "ada", "password": "open sesame", "next": "/teams"})
    assert (answer.status, answer.location) == (200, "")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_no_body_counts_as_an_empty_object_and_needs_no_type(api, method):
    path = api.submit("/sample/things", **NEW).location if method == "DELETE" else "/sample/code"
    assert api._call(method, path).status in (200, 201)


def test_an_empty_content_type_is_none(api):
    assert api._call("POST", "/sample/code", headers={"Content-Type": ""}).status == 201


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain", "text/json", "application/xml"]
)
@pytest.mark.parametrize("body", [b"", b"{}"])
@pytest.mark.parametrize("method, path", [("POST", "/sample/code"), ("GET", "/sample/things")])
def test_another_content_type_is_415(api, kind, body, method, path):
    answer = api._call(method, path, data=body, content_type=kind)
    assert (answer.status, answer.code) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_another_content_type_is_415_with_a_bearer_too(people):
    program = people.verified("ada@example.com")
    value = program.submit("/auth/tokens", name="mine").data["value"]
    bearer = Program(program.client.application, token=value)
    assert bearer._call("POST", "/auth/sign-out", content_type="text/plain").status == 415
    assert bearer._call("POST", "/auth/sign-out").status == 200


def test_a_body_without_a_type_is_415(api):
    assert api._call("POST", "/sample/code", data=b"{}").status == 415


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "APPLICATION/JSON"])
def test_parameters_of_the_type_do_not_matter(api, kind):
    assert api._call("POST", "/sample/code", data=b"{}", content_type=kind).status == 201


def test_a_malformed_id_is_the_404_of_an_absent_thing(api):
    absent = api.get("/sample/things/00000000-0000-4000-8000-000000000001")
    for path in ("x", "%00", "1" * 3000, "00000000-0000-4000-8000-00000000000g", "../../etc/passwd"):
        answer = api.get(f"/sample/things/{path}")
        assert (answer.status, answer.code) == (absent.status, absent.code) == (404, "NOT_FOUND")


def test_access_comes_before_the_body(api):
    answer = api.post("/sample/fresh", data=b"not json", content_type="text/plain")
    assert answer.code == "UNAUTHORIZED"


def test_get_and_head_change_nothing(api):
    assert api.client.head("/api/sample/things").status_code == 200
    assert api.client.head("/api/sample/things").data == b""
    assert plugin.things == {}


@pytest.mark.parametrize("header", ["Bearer junk", "Bearer pat_junk", "Bearer", "Basic YTpi", "junk", ""])
def test_junk_credentials_are_401_where_someone_is_needed(people, header):
    program = people.verified("ada@example.com")
    headers = {"Authorization": header}
    assert program.get("/auth/session").status == 200
    assert program.get("/auth/session", headers=headers).code == "UNAUTHORIZED", "the cookie does not help"
    assert program.post("/auth/sign-out", headers=headers).status == 200


def test_pages_ignore_a_bearer(sample, people):
    value = people.verified("ada@example.com").submit("/auth/tokens", name="mine").data["value"]
    headers = {"Authorization": f"Bearer {value}"}
    assert Program(sample).client.get("/sample/mine", headers=headers).status_code == 303
    assert Program(sample, token=value).get("/sample/mine").data == {"message": "ada@example.com"}


def test_an_operators_token_decides_over_a_cookie(sample, people):
    admin = people.admin()
    cookie = admin.client.get_cookie("session").value
    program = Program(sample)

    def status(**headers: str) -> int:
        return program.client.get("/sample/operators", headers=headers).status_code

    assert status() == 401
    assert status(Authorization="Bearer an operator's token") == 200
    assert status(Authorization="Bearer wrong") == 401
    program.client.set_cookie("session", cookie)
    assert status() == 200
    assert status(Authorization="Bearer wrong") == 401


def test_operators_get_json_errors_and_a_challenge(page):
    answer = page.get("/sample/operators")
    assert answer.response.get_json()["error"]["code"] == "UNAUTHORIZED"
    assert answer.response.headers["WWW-Authenticate"] == "Bearer"


def test_admin_routes(sample, people):
    people.verified("ada@example.com")
    program = Program(sample)
    assert program.get("/sample/admin").code == "UNAUTHORIZED"
    program.submit("/auth/sign-in", email="ada@example.com", password="correct horse battery")
    assert program.get("/sample/admin").code == "FORBIDDEN"
    people.admin("root@example.com")
    program.submit("/auth/sign-in", email="root@example.com", password="correct horse battery")
    assert program.get("/sample/admin").data == {"message": "root"}
