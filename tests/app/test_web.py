"""One view, two clients: the addresses that follow from a declaration, and where a browser may be sent."""

import pytest
from werkzeug.routing import BuildError

from app.web import absolute_url, find_page_url, page_url, safe_next

ID = "00000000-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    "path, methods",
    [
        ("/sample/things", "GET, HEAD, POST, OPTIONS"),
        ("/sample/things/new", "GET, HEAD, OPTIONS"),
        (f"/sample/things/{ID}", "GET, HEAD, OPTIONS"),
        (f"/sample/things/{ID}/edit", "GET, HEAD, POST, OPTIONS"),
        (f"/sample/things/{ID}/delete", "GET, HEAD, POST, OPTIONS"),
        ("/sample/enter", "GET, HEAD, POST, OPTIONS"),
        ("/sample/only-page", "GET, HEAD, OPTIONS"),
        ("/api/sample/things", "GET, HEAD, POST, OPTIONS"),
        (f"/api/sample/things/{ID}", "GET, HEAD, PUT, DELETE, OPTIONS"),
        ("/api/sample/enter", "POST, OPTIONS"),
        ("/api/sample/only-api", "GET, HEAD, OPTIONS"),
    ],
)
def test_the_methods_of_an_address_follow_from_the_declaration(api, path, methods):
    answer = api.client.open(path, method="TRACE")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == methods


@pytest.mark.parametrize(
    "path",
    [
        "/api/sample/things/new",
        f"/api/sample/things/{ID}/edit",
        f"/api/sample/things/{ID}/delete",
        "/api/sample/only-page",
        "/sample/only-api",
    ],
)
def test_what_is_for_one_client_is_404_for_the_other(api, path):
    assert api.client.get(path).status_code == 404


def test_put_and_delete_do_not_exist_on_pages(api):
    for method in ("PUT", "PATCH", "DELETE"):
        assert api.client.open(f"/sample/things/{ID}", method=method).status_code == 405


def test_a_form_is_shown_to_browsers_alone(api):
    answer = api.get("/sample/enter")
    assert (answer.status, answer.code) == (405, "METHOD_NOT_ALLOWED")
    assert answer.response.headers["Allow"] == "POST, OPTIONS"


def test_the_same_use_case_as_page_and_as_json(page, api):
    answer = api.submit("/sample/things", thingName="  from JSON ")
    assert (answer.status, answer.data["thing"]["thingName"]) == (201, "from JSON")
    assert answer.location == f"/api/sample/things/{answer.data['thing']['id']}"
    answer = page.submit("/sample/things", _page="/sample/things/new", thingName="  from a form ", isPublic=True)
    assert answer.status == 303
    names = {thing["thingName"]: thing["isPublic"] for thing in api.get("/sample/things").data["things"]}
    assert names == {"from JSON": False, "from a form": True}
    shown = page.get(answer.location)
    assert "from a form" in shown.text


def test_urls_need_no_request_and_no_host(sample):
    with sample.app_context():
        assert page_url("sample.show_thing", thing_id=ID) == f"/sample/things/{ID}"
        assert page_url("sample.create_thing") == "/sample/things/new"
        assert absolute_url("sample.enter", token="a b") == "http://localhost:8000/sample/enter?token=a+b"
        assert find_page_url("sample.only_api") is None
        assert find_page_url(None) is None
        with pytest.raises(BuildError):
            page_url("sample.only_api")


SAFE = ("/", "/teams", "/teams?x=1&y=/a", "/teams#top", "/a:b", "/a//b", "/é", "/%2f%2fevil.example", "/@evil.example")
UNSAFE = (
    None,
    "",
    "teams",
    "https://evil.example",
    "HTTPS://evil.example",
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r/evil.example",
    "\t//evil.example",
    " //evil.example",
    " /teams",
    "/a b",
    "/a\x00b",
    "/a\x7fb",
    "javascript:alert(1)",
    "data:text/html,x",
    "http:/evil.example",
    "http:evil.example",
    "?next=/",
    "#top",
    ".//evil.example",
    "/" + "a" * 2000,
)


@pytest.mark.parametrize("value", SAFE)
def test_a_path_of_this_site_is_followed(value):
    assert safe_next(value) == value


@pytest.mark.parametrize("value", UNSAFE)
def test_anything_else_is_dropped(value):
    assert safe_next(value) is None


@pytest.mark.parametrize("value", [value for value in UNSAFE if value])
def test_no_redirect_leaves_the_site(page, value):
    token = page.token("/sample/enter")
    form = {"csrf_token": token, "name": "ada", "password": "open sesame", "next": value}
    assert page.post("/sample/enter", data=form).location == "/sample/things"
    shown = page.get("/sample/enter", query_string={"next": value})
    assert 'name="next"' not in shown.text
