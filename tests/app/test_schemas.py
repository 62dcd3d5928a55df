"""What may come in: strict JSON, patient forms, one model, and sentences for people."""

import json
from typing import Annotated, Any

import pytest
from werkzeug.datastructures import MultiDict

from app.errors import BadRequest, ValidationFailed
from app.schemas import Email, In, Line, Password, Whole, is_secret, prefill, read_form, read_json, read_query
from tests.plugins.sample import EditThing, Enter, NewThing, Search

CHARACTERS = "This contains characters that are not allowed."


class Invited(In):
    """An optional password, as when an invitation is accepted."""

    email: Email | None = None
    password: Password | None = None
    days: Annotated[int, Whole()] = 7
    ratio: float | None = None


def json_of(schema: type[In], value: Any) -> Any:
    return read_json(schema, value if isinstance(value, bytes) else json.dumps(value).encode())


def form_of(schema: type[In], clears: bool = False, **fields: str) -> Any:
    return read_form(schema, MultiDict(fields), clears=clears)


def fields_of(act: Any, *args: Any, **fields: Any) -> dict[str, list[str]]:
    with pytest.raises(ValidationFailed) as refused:
        act(*args, **fields)
    return refused.value.fields


@pytest.mark.parametrize(
    "field, value, sentence",
    [
        ("isPublic", "true", "Use true or false."),
        ("isPublic", 1, "Use true or false."),
        ("weight", "1", "Enter a whole number."),
        ("weight", True, "Enter a whole number."),
        ("weight", 1.5, "Enter a whole number."),
        ("thingName", 1, "Enter text."),
        ("thingName", ["x"], "Enter text."),
        ("thingName", {"x": "y"}, "Enter text."),
        ("thingName", None, "This field is required."),
        ("thingName", "", "This field is required."),
        ("thingName", "   ", "This field is required."),
        ("kind", "BIG", "Choose one of: 'big' or 'small'."),
        ("thingName", "x" * 21, "Use at most 20 characters."),
    ],
)
def test_json_is_strict(field, value, sentence):
    body = {"thingName": "x"} | {field: value}
    assert fields_of(json_of, NewThing, body) == {field: [sentence]}


def test_json_does_not_tell_5_from_5_0():
    assert json_of(NewThing, b'{"thingName": "x", "weight": 5.0}').weight == 5


def test_unknown_keys_are_ignored_and_names_are_camel_case():
    found = json_of(NewThing, {"thingName": " x ", "thing_name": "y", "isPublic": True, "other": {"deep": [1]}})
    assert (found.thing_name, found.is_public) == ("x", True)
    assert found.given == {"thing_name": "x", "is_public": True}
    assert "thingName" in fields_of(json_of, NewThing, {"thing_name": "y"})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b"{'a': 1}",
        b'{"thingName": "x",}',
        b'{"thingName": "\xff"}',
        b'{"thingName": "\xed\xa0\x80"}',
        b'{"thingName": "\\ud800"}',
        b'{"thingName": "x", "other": "\\udc00"}',
        b'{"thingName": "x", "other": NaN}',
        b'{"thingName": "x", "other": -Infinity}',
        b'{"thingName": "x", "weight": NaN}',
        b"[]",
        b"null",
        b'"text"',
        b"1",
        b"true",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\xff\xfe" + '{"thingName": "x"}'.encode("utf-16-le"),
        b'{"thingName": "x", "weight": ' + b"1" * 5000 + b"}",
    ],
)
def test_what_is_not_a_json_object_is_a_bad_request(body):
    if body == b"":
        assert "thingName" in fields_of(json_of, NewThing, body), "no body is an empty object"
        return
    with pytest.raises(BadRequest):
        json_of(NewThing, body)


def test_depth_20_passes_and_21_does_not():
    def nested(depth: int) -> bytes:
        return b'{"thingName":"x","a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"

    assert json_of(NewThing, nested(20)).thing_name == "x"
    with pytest.raises(BadRequest, match="deep"):
        json_of(NewThing, nested(21))


def test_an_infinite_number_is_refused_in_its_field():
    assert "ratio" in fields_of(json_of, Invited, b'{"ratio": 1e999}')
    assert "days" in fields_of(json_of, Invited, b'{"days": 1e999}')


@pytest.mark.parametrize("character", [*map(chr, range(32)), "\x7f"])
def test_control_characters_are_refused_in_every_text(character):
    value = f"a{character}b"
    assert fields_of(json_of, NewThing, {"thingName": value}) == {"thingName": [CHARACTERS]}
    assert fields_of(form_of, NewThing, thingName=value) == {"thingName": [CHARACTERS]}
    assert fields_of(json_of, Enter, {"name": "x", "password": value}) == {"password": [CHARACTERS]}
    if character not in "\t\n\r":
        assert fields_of(json_of, NewThing, {"thingName": "x", "note": value}) == {"note": [CHARACTERS]}


def test_a_lone_surrogate_in_a_form_is_refused():
    assert fields_of(form_of, NewThing, thingName="a\ud800b") == {"thingName": ["Enter text."]}


def test_a_text_of_several_lines():
    assert json_of(NewThing, {"thingName": "x", "note": " a\r\n\tb\nc "}).note == "a\n\tb\nc"
    assert form_of(NewThing, thingName="x", note="a\r\nb").note == "a\nb"
    assert form_of(NewThing, thingName="x", note="\r\n" * 100 + "a" * 200).note == "a" * 200
    assert "note" in fields_of(form_of, NewThing, thingName="x", note="a" * 201)
    assert form_of(NewThing, thingName="x", note="a" + "\r\n" * 198 + "a").note.count("\n") == 198, "one character each"


def test_passwords_are_never_trimmed():
    assert json_of(Enter, {"name": "x", "password": "  a "}).password == "  a "
    assert form_of(Enter, name="x", password="   ").password == "   "


@pytest.mark.parametrize(
    "value", ["1_000", " 5 ", "5 ", "true", "on", "1.0", "1e3", "+5", "0x10", "٣", "five", "9" * 19]
)
def test_forms_are_patient_but_these_are_no_numbers(value):
    assert fields_of(form_of, NewThing, thingName="x", weight=value) == {"weight": ["Enter a whole number."]}


def test_forms_read_numbers_and_boxes():
    found = form_of(NewThing, thingName=" x ", weight="-5", isPublic="on")
    assert (found.thing_name, found.weight, found.is_public) == ("x", -5, True)
    for value, expected in (("true", True), ("false", False), ("", False), ("off", False)):
        assert form_of(NewThing, thingName="x", isPublic=value).is_public is expected
    assert form_of(NewThing, thingName="x").is_public is False


def test_an_empty_optional_field_is_absent():
    found = form_of(NewThing, thingName="x", note="  ", weight="", kind="")
    assert (found.note, found.weight, found.kind) == (None, None, "big")
    assert "note" not in found.given
    assert form_of(Invited, password="", email=" ").given == {}
    assert form_of(Invited, password=" ").password == " "


def test_an_empty_optional_field_clears_on_an_edit_form():
    found = form_of(EditThing, clears=True, thingName="", note="", kind="")
    assert found.given == {"thing_name": None, "note": None}
    assert form_of(EditThing, clears=True, thingName="x").given == {"thing_name": "x"}, "an absent box is unchanged"


def test_the_query_string():
    assert read_query(Search, MultiDict({"limit": "7", "other": "x"})).limit == 7
    assert read_query(Search, MultiDict()).limit == 50
    assert fields_of(read_query, Search, MultiDict({"limit": "x"})) == {"limit": ["Enter a whole number."]}


def test_secrets_are_never_prefilled():
    given = {"name": "ada", "password": "secret", "token": "abc", "other": "x", "csrf_token": "x"}
    assert prefill(Enter, given) == {"name": "ada", "token": "abc"}
    assert is_secret(Enter, "password")
    assert is_secret(Invited, "password"), "optional ones too"


def test_all_that_was_typed_is_kept():
    assert prefill(NewThing, {"note": "a" * 5000}) == {"note": "a" * 5000}


@pytest.mark.parametrize(
    "value, stored",
    [
        (" ada@Example.COM ", "ada@example.com"),
        ("Ada@example.com", "Ada@example.com"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
    ],
)
def test_addresses_have_one_form(value, stored):
    assert json_of(Invited, {"email": value}).email == stored


@pytest.mark.parametrize("value", ["ada", "ada@", "@example.com", "a b@example.com", "ada@example", "ädä@example.com"])
def test_what_is_no_address(value):
    assert fields_of(json_of, Invited, {"email": value}) == {"email": ["Enter an email address like name@example.com."]}


def test_the_kelvin_sign_is_no_k():
    from app.addresses import address_key

    assert address_key("Ken@Example.com") == "ken@example.com"
    assert address_key("\u212aen") != "ken"


def test_a_field_has_one_sentence_for_each_fault():
    class Two(In):
        first: Annotated[str, Line(3)]
        second: Annotated[str, Line(3)]

    assert fields_of(json_of, Two, {"first": "long text"}) == {
        "first": ["Use at most 3 characters."],
        "second": ["This field is required."],
    }
