"""A browser's side of a view: forms shown, filled, refused and shown again; 303 after a change."""

import pytest

from tests.plugins import sample as plugin

ENTER = {"name": "ada", "password": "open sesame"}


def flashes(browser, path="/sample/things"):
    """The text of a page, which shows each message once."""
    return browser.get(path).text


def test_a_form_is_prefilled_from_the_query_except_secrets(page):
    text = page.get("/sample/enter?name=Ada%3Cb%3E&password=hunter2secret&token=abc123").text
    assert 'value="Ada&lt;b&gt;"' in text
    assert "hunter2secret" not in text
    assert 'type="hidden" name="token" value="abc123"' in text


def test_an_unknown_parameter_is_not_reflected(page):
    assert "reflected" not in page.get("/sample/enter?other=reflected").text


def test_the_action_has_no_query_string(page):
    text = page.get("/sample/enter?name=ada&next=/teams&token=abc").text
    assert 'action="/sample/enter"' in text
    text = page.get("/sample/things/new?thingName=x").text
    assert 'action="/sample/things"' in text
    assert 'action="/sample/code"' in page.get(new_thing(page)).text, "a form among others on a page with an id"


def test_next_is_read_from_the_query_on_get_and_from_the_body_on_post(page):
    assert 'name="next" value="/teams?a=1"' in page.get("/sample/enter?next=/teams%3Fa=1").text
    token = page.token("/sample/enter")
    answer = page.post("/sample/enter?next=/from-the-query", data={**ENTER, "csrf_token": token})
    assert answer.location == "/sample/things"
    answer = page.post("/sample/enter", data={**ENTER, "csrf_token": token, "next": "/from-the-body?a=1"})
    assert answer.location == "/from-the-body?a=1"


def test_token_is_read_from_the_body_only(page):
    form = {**ENTER, "csrf_token": page.token("/sample/enter")}
    shown = page.post("/sample/enter?token=from-the-query", data=form | {"name": ""})
    assert shown.status == 422
    assert "from-the-query" not in shown.text


def test_next_is_kept_when_the_form_is_shown_again(page):
    answer = page.submit("/sample/enter", name="ada", password="wrong", next="/teams")
    assert 'name="next" value="/teams"' in answer.text


def test_success_is_303_with_a_message_shown_once(page):
    answer = page.submit("/sample/enter", **ENTER)
    assert (answer.status, answer.location) == (303, "/sample/things")
    assert "Come in." in flashes(page)
    assert "Come in." not in flashes(page)


def test_a_refused_value_is_422_and_values_are_kept_and_passwords_not(page):
    answer = page.submit("/sample/enter", name="x" * 21, password="hunter2secret")
    assert answer.status == 422
    assert f'value="{"x" * 21}"' in answer.text
    assert "Use at most 20 characters." in answer.text
    assert "Please check the fields below" in answer.text
    assert "hunter2secret" not in answer.text
    assert answer.response.headers["Cache-Control"] == "no-store"
    assert answer.response.headers["Content-Type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    "name, status, sentence",
    [
        ("anyone", 401, "This is not the password."),
        ("forbidden", 403, "You are not allowed to do this."),
        ("conflict", 409, "Someone else changed this"),
        ("limited", 429, "Too many tries."),
    ],
)
def test_a_refused_form_is_shown_again_with_its_status(page, name, status, sentence):
    answer = page.submit("/sample/enter", name=name, password="wrong one")
    assert answer.status == status
    assert sentence in answer.text
    assert f'value="{name}"' in answer.text
    assert "wrong one" not in answer.text
    assert answer.response.headers.get("Retry-After") == ("7" if status == 429 else None)


def test_a_refusal_stands_at_its_field(page):
    answer = page.submit("/sample/enter", name="anyone", password="wrong")
    assert 'id="enter-password-error"' in answer.text
    assert 'id="enter-name-error"' not in answer.text


def test_a_form_without_a_token_is_shown_again(page):
    answer = page.post("/sample/enter", data=ENTER)
    assert answer.status == 403
    assert 'name="csrf_token"' in answer.text
    assert plugin.things == {}


def test_a_dead_link_shows_its_status_a_sentence_and_a_next_step(page):
    answer = page.submit("/sample/enter", name="dead", password="x")
    assert answer.status == 410
    assert "This link has expired." in answer.text
    assert 'href="/sample/things">See everything</a>' in answer.text
    assert "csrf_token" not in answer.text


@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/xml"])
def test_pages_take_only_forms(page, kind):
    answer = page.post("/sample/enter", data="{}", content_type=kind)
    assert answer.status == 415
    assert answer.response.headers["Content-Type"] == "text/html; charset=utf-8"


def test_a_multipart_form_is_a_form(page):
    form = {**ENTER, "csrf_token": page.token("/sample/enter")}
    assert page.post("/sample/enter", data=form, content_type="multipart/form-data").status == 303


def test_what_is_shown_once_is_200_and_never_stored(page):
    answer = page.submit("/sample/code")
    assert answer.status == 200
    assert "code 4711" in answer.text
    assert answer.response.headers["Cache-Control"] == "no-store"
    assert "code 4711" not in page.client.get_cookie("pre").decoded_value


def new_thing(page, **values):
    answer = page.submit("/sample/things", _page="/sample/things/new", thingName="old", **values)
    return answer.location


def test_put_is_post_edit_and_delete_is_post_delete(page):
    path = new_thing(page)
    answer = page.submit(path, "PUT", thingName="new")
    assert (answer.status, answer.location) == (303, path)
    assert "<h1>new</h1>" in page.get(path).text
    answer = page.submit(path, "DELETE")
    assert (answer.status, answer.location) == (303, "/sample/things")
    assert page.get(path).status == 404


def test_get_of_a_change_shows_its_page_and_changes_nothing(page):
    path = new_thing(page)
    for way in ("edit", "delete"):
        shown = page.get(f"{path}/{way}")
        assert shown.status == 200
        assert f'action="{path}/{way}"' in shown.text
        assert page.client.head(f"{path}/{way}").status_code == 200
    assert len(plugin.things) == 1


def test_a_form_that_lives_on_a_page_is_refused_on_that_page(page):
    path = new_thing(page)
    answer = page.submit(path, "PUT", thingName="taken", note="kept note")
    assert answer.status == 409
    assert "<h1>old</h1>" in answer.text
    assert 'value="taken"' in answer.text
    assert "kept note" in answer.text
    assert 'id="edit_thing-thingName-error"' in answer.text
    assert page.submit(path, "PUT", thingName="x" * 21).status == 422


def test_a_form_on_a_page_that_is_gone_is_404(page):
    path = new_thing(page)
    token = page.token(path)
    plugin.things.clear()
    assert page.post(f"{path}/edit", data={"csrf_token": token, "thingName": "x" * 21}).status == 404


def test_an_empty_optional_box_clears_on_an_edit_form_only(page):
    path = new_thing(page, note="first")
    (thing,) = plugin.things.values()
    assert thing.note == "first"
    page.submit(path, "PUT", thingName="new", note="")
    (thing,) = plugin.things.values()
    assert thing.note is None
    assert thing.kind == "big", "an empty box that cannot be null is absent"


def test_a_bad_query_string_is_a_page_with_422(page):
    answer = page.get("/sample/search?limit=many")
    assert answer.status == 422
    assert answer.response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.get("/sample/search?limit=7").text.count("7 at most") == 1


def test_signed_out_goes_to_sign_in_and_comes_back(page):
    answer = page.get("/sample/mine?secret=1")
    assert (answer.status, answer.location) == (303, "/auth/sign-in?next=%2Fsample%2Fmine")
    assert page.post("/sample/fresh").location == "/auth/sign-in", "a POST cannot be repeated by a link"


def test_signed_out_without_accounts_is_401(make_app):
    from tests.clients import Browser

    browser = Browser(make_app(BLUEPRINTS="health,tests.plugins.sample"))
    answer = browser.get("/sample/mine")
    assert answer.status == 401
    assert "text/html" in answer.response.headers["Content-Type"]
    assert "sign-in" not in answer.text


def test_an_old_proof_of_the_password_goes_to_reauthenticate(sample, people):
    from datetime import timedelta

    from sqlalchemy import update

    from app.database import transaction, utc_now
    from blueprints.auth.models import UserSession
    from tests.clients import Browser

    people.verified("ada@example.com")
    browser = Browser(sample)
    assert browser.submit("/auth/sign-in", email="ada@example.com", password="correct horse battery").status == 303
    assert browser.get("/sample/fresh").status == 200
    with transaction() as session:
        session.execute(update(UserSession).values(reauthenticated_at=utc_now() - timedelta(minutes=11)))
    for answer in (browser.get("/sample/fresh"), browser.post("/sample/fresh")):
        assert (answer.status, answer.location) == (303, "/auth/reauthenticate?next=%2Fsample%2Ffresh")
