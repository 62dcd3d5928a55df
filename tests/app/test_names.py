"""Names of people and teams: nothing that a mail program would make a link of."""

from typing import Annotated

import pytest

from app.errors import ValidationFailed
from app.schemas import In, Name, read_json


class Person(In):
    name: Annotated[str, Name(40)]


def read(name):
    """The name as it is taken; JSON escapes what is not ASCII as every client does."""
    return read_json(Person, b'{"name": "%s"}' % name.encode()).name


@pytest.mark.parametrize(
    "name",
    [
        "example.com",
        "EXAMPLE.COM",
        "Evil.Com",
        "evil.cOm",
        "X.COM",
        "t.co",
        "evil.com.",
        "(evil.io)",
        "evil.com_x",
        "evil.com/path",
        "evil.com:8000",
        "sub.example.co.uk",
        "Ada, see evil.com",
        "St.Pauli.com",
        "ST.PAULI",
        "Dr.med. Anna",
        "bob@example.com",
        "http://x",
        "see JAVASCRIPT://x",
        "www.Evil.Xyz",
        "Ada WWW.Evil",
        "(www.Evil)",
        "1.2.3.4",
        "Call 192.0.2.10.",
        "evil.xn--p1ai",
        "xn--e1afmkfd.xn--p1ai",
        "пример.рф",
        "हिन्दी.com",
        "💩.ws",
        "evil．com",
        "evil。com",
        "evil｡com",
        "evil․com",
        "ｅｖｉｌ．ｃｏｍ",
        "http：／／x",
    ],
)
def test_what_would_be_a_link_is_refused(name):
    with pytest.raises(ValidationFailed) as refused:
        read(name)
    assert refused.value.fields == {"name": ["A name cannot hold a web address. Leave a space after a full stop."]}


@pytest.mark.parametrize(
    "name",
    [
        "J.R. Smith",
        "J.SMITH",
        "J.R.R.TOLKIEN",
        "J.-P. Sartre",
        "St.Pauli",
        "Dr.Who",
        "Prof.Dr. Ada",
        "Dr. med. Anna",
        "Mr. Big",
        "No.5 Films",
        "Film No. 7.",
        "12.30 Uhr",
        "1.2.3",
        "Version 1.2.3.4.5",
        "U.S.A.",
        "Verein e.V.",
        "Wait...what",
        "Night…and day",
        "a.b",
        ".net",
        "www",
        "Studio wwwhat",
        "AC/DC: live",
        "夜戏。剧组",
        "例え.テスト",
    ],
)
def test_what_only_has_a_full_stop_is_a_name(name):
    assert read(f"  {name} ") == name


@pytest.mark.parametrize("name", ["", "  ", "x" * 41, 7, None])
def test_a_name_is_a_line(name):
    with pytest.raises(ValidationFailed):
        read_json(Person, b'{"name": %s}' % ("null" if name is None else f'"{name}"' if name != 7 else "7").encode())
