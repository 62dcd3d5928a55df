"""Every mail as it is sent, compared with its snapshot in tests/snapshots, and what must hold for all of them.

`<mail>.txt` has the subject on its first line and then the text part, `<mail>.html` the HTML part. After a wanted
change, renew them with `UPDATE_SNAPSHOTS=1 make test`, or this file alone:
`ENVIRONMENT=testing UPDATE_SNAPSHOTS=1 .venv/bin/python -m pytest tests/contracts/test_mail_snapshots.py`;
then look at what `git diff` says, and at the mails. A renewed snapshot of a mail that is gone is deleted by hand.
"""

import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from config.settings import ROOT
from tests.contracts.mails import MAILS, render

SNAPSHOTS = ROOT / "tests" / "snapshots"
BASE = "http://localhost:8000"
MOST_OCTETS = 998  # of a line: RFC 5322, 2.1.1
WITHOUT_BUTTON = {"account_deleted", "member_removed", "email_changed_link_void"}  # nothing is left to be done
URL = re.compile(r"https?://[^\s<>\"]+")

pytestmark = pytest.mark.needs("teams", "some of the mails are its own")


class Elements(HTMLParser):
    """The elements of a mail: tag and attributes, and the text in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]

    def of_class(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for _, attributes in self.found if name in (attributes.get("class") or "").split()]


@pytest.fixture(params=MAILS)
def name(request):
    return request.param


@pytest.fixture
def mail(app, name):
    """Subject, text and HTML of one mail."""
    return render(app, name)


def compare(path: Path, now: str) -> None:
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(now)
    assert path.exists(), f"{path.name} is missing: renew the snapshots as this module says"
    assert now == path.read_text(), f"{path.name} has changed: look at it, and renew the snapshots as this module says"


def test_every_mail_is_the_one_of_its_snapshot(name, mail):
    subject, text, html = mail
    compare(SNAPSHOTS / f"{name}.txt", f"{subject}\n\n{text}")
    compare(SNAPSHOTS / f"{name}.html", html)


def test_every_snapshot_belongs_to_a_mail():
    expected = {f"{name}.{kind}" for name in MAILS for kind in ("txt", "html")}
    assert {path.name for path in SNAPSHOTS.iterdir()} == expected


def test_every_mail_has_a_snapshot(app):
    jobs = {name.removeprefix("mail.") for name in app.extensions["jobs"].jobs if name.startswith("mail.")}
    assert {mail for mail, _ in MAILS.values()} == jobs


def test_its_styles_are_inlined_for_mail_programs_that_read_no_style_block(mail):
    _, _, html = mail
    elements = Elements(html)
    classes = {name for _, attributes in elements.found for name in (attributes.get("class") or "").split()}
    assert {"outer", "card", "brand", "foot"} <= classes
    for name in classes:
        for attributes in elements.of_class(name):
            assert attributes.get("style"), f"{attributes} has no style of its own"
    for tag in ("body", "h1", "p", "a"):
        assert all(attributes.get("style") for attributes in elements.named(tag)), tag


def test_it_is_made_for_the_dark_too(mail):
    _, _, html = mail
    metas = {attributes.get("name"): attributes.get("content") for attributes in Elements(html).named("meta")}
    assert metas["color-scheme"] == metas["supported-color-schemes"] == "light dark"
    assert "@media (prefers-color-scheme: dark)" in html
    assert "color-scheme: light dark" in html


def test_it_fits_a_narrow_window(mail):
    _, _, html = mail
    elements = Elements(html)
    metas = {attributes.get("name"): attributes.get("content") for attributes in elements.named("meta")}
    assert metas["viewport"] == "width=device-width, initial-scale=1"
    assert not [attributes for _, attributes in elements.found if "width" in attributes]
    for attributes in elements.of_class("address"):
        assert "word-break: break-all" in (attributes["style"] or "")


def test_its_button_is_a_real_link_to_us(name, mail):
    _, text, html = mail
    buttons = Elements(html).of_class("button")
    assert len(buttons) == (0 if name in WITHOUT_BUTTON else 1)
    for button in buttons:
        assert (button["href"] or "").startswith(f"{BASE}/")
        assert button["href"] in text.splitlines(), "in the text it has a line of its own"
        assert html.count(f">{button['href']}</a>") == 1, "it is there to be copied, too"


def test_its_text_has_the_same_links_and_no_others(mail):
    _, text, html = mail
    links = {attributes["href"] for attributes in Elements(html).named("a")}
    assert set(URL.findall(text)) == links
    assert all(link == BASE or (link or "").startswith(f"{BASE}/") for link in links)
    assert set(URL.findall(html)) <= links


def test_it_loads_nothing(mail):
    _, _, html = mail
    elements = Elements(html)
    assert {tag for tag, _ in elements.found}.isdisjoint({"img", "link", "script", "iframe", "form", "object", "svg"})
    for _, attributes in elements.found:
        assert {"src", "srcset", "background", "poster"}.isdisjoint(attributes)
    assert "url(" not in html
    assert "@import" not in html


def test_its_lines_are_as_long_as_mail_allows(mail):
    subject, text, html = mail
    assert len(subject.splitlines()) == 1
    assert subject == subject.strip() != ""
    for part in (text, html):
        assert max(len(line.encode()) for line in part.split("\n")) <= MOST_OCTETS
        assert "\r" not in part


def test_its_text_is_tidy(mail):
    _, text, _ = mail
    assert "\n\n\n" not in text
    assert text.rstrip("\n") + "\n" == text
    assert not re.search(r"<[a-z/]|&(amp|lt|gt|#\d+);|{{|}}|{%|None", text)
    assert f"\n-- \nPitchey\n{BASE}\n" in text
