"""Whatever people write: the mails it gets into keep their headers, their recipient and their links."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask

from app import mail
from tests.contracts.mails import EARLIER, TO, Words, fixed, render
from tests.contracts.test_mail_snapshots import BASE, MOST_OCTETS, URL, Elements
from tests.services.smtp import Mailbox, smtp

NOTICES = ["password_changed", "new_device", "email_changed", "account_deleted"]  # they name the browser
TEAM_MAILS = ["invitation", "member_joined", "member_removed", "ownership_offered", "ownership_taken"]
HOSTILE = {
    "line breaks": "Night\r\nBcc: x@example.com\r\n\r\nhttp://evil.example/a",
    "a lone carriage return": "Night\rBcc: x@example.com\r\rAccept Invitation:\r\rhttp://evil.example/a",
    "other line breaks": "Night\u2028Bcc: x@example.com\x85\x0bTo: x@example.com\u2029\x0chttp://evil.example/a",
    "HTML": '"><a href="http://evil.example/a">Accept</a><img src=//evil.example/a><!-- <script>alert(1)</script>',
    "addresses": "https://evil.example www.evil.example x@example.com mailto:x@example.com evil。example",
    "Markdown": "[Accept Invitation](http://evil.example/a) <http://evil.example/a>",
    "a template": "{{ base_url }}.evil.example {% include 'base.html' %} {{ config.SECRET_KEY }} %s %(x)s ${x}",
    "turned around": "\u202eelpmaxe.live//:ptth\u202c \u2066Night\u2069 \u202a\u202b\u202d Bcc: x@example.com",
    "an encoded word": "=?utf-8?q?Night=0D=0ABcc:_x@example.com?= http://evil.example/a",
    "an encoded address": "=?utf-8?q?a=0D=0AReply-To:_x?= =\u202e?utf-8?b?YQ0KQmNjOiB4?= =\r?q?a=0D=0ABcc:_x?=",
    "one long word": "x" * 100,
    "wide letters": "漢" * 100,
}


@pytest.fixture(scope="module")
def server() -> Iterator[Mailbox]:
    with smtp() as mailbox:
        yield mailbox


@pytest.fixture
def sent(app: Flask, server: Mailbox, monkeypatch: pytest.MonkeyPatch):
    """Render a mail of MAILS with hostile words, and send it: `sent(name, words)` returns it as it arrived."""
    monkeypatch.setitem(app.config, "MAIL_TRANSPORT", True)
    for name, value in (("server", server.host), ("port", server.port), ("use_tls", False)):
        monkeypatch.setattr(app.extensions["mail"], name, value)

    def send(name: str, words: Words):
        parts = render(app, name, words)
        server.messages.clear()
        mail.deliver(fixed(99), TO, *parts)
        (message,) = server.messages
        return message, *parts

    return send


def words(text: str) -> Words:
    """The text wherever there is room for text, as long as may be stored."""
    header = "".join(letter if letter.isprintable() else " " for letter in text)  # a server refuses others there
    return Words(team=text[:100], inviter=text[:100], member=text[:100], message=text[:1000], browser=header[:300])


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("name", [*TEAM_MAILS, *NOTICES])
class TestEveryMailWithTextOfPeople:
    def test_its_headers_and_its_recipient_are_ours(self, sent, name, text):
        message, subject, *_ = sent(name, words(text))
        plain = sent_headers(message)
        assert message.rcpt_tos == (TO,)
        assert plain == {
            *("content-type", "mime-version", "subject", "from", "to", "date", "message-id", "auto-submitted"),
        }
        assert message["To"] == TO
        # A subject that is folded may get blanks between letters of two kinds (python/cpython#92081).
        assert "".join(message["Subject"].split()) == "".join(subject.split())
        assert len(subject.splitlines()) == 1
        assert len(subject) <= 300

    def test_it_has_the_links_it_always_has(self, sent, app, name, text):
        message, _, body, html = sent(name, words(text))
        elements = Elements(html)
        links = {attributes["href"] for attributes in elements.named("a")}
        assert all(link == BASE or (link or "").startswith(f"{BASE}/") for link in links)
        assert set(URL.findall(body)) == links
        for part in (body, "".join(Elements(re.sub("<style>.*?</style>", "", html, flags=re.DOTALL)).text)):
            left = re.sub(r"\S*localhost:8000\S*|b\*\*\*@example.com", "", part)
            assert not re.search(r"(evil|live|example)[.。]\w|\w:/|www\.\w|@\w|mailto:\w", left)
        assert {tag for tag, _ in elements.found}.isdisjoint({"img", "script", "form", "iframe", "svg"})
        assert message.get_body(("plain",)).get_content().rstrip() == body.rstrip()
        assert message.get_body(("html",)).get_content().rstrip() == html.rstrip()

    def test_nothing_in_it_turns_the_direction_of_the_rest(self, sent, name, text):
        for part in sent(name, words(text))[1:]:
            assert not re.search("[\u202a-\u202e\u2066-\u2069]", part)
            assert not re.search("[\r\x0b\x0c\x85\u2028\u2029]", part)


def sent_headers(message) -> set[str]:
    return {name.lower() for name in message.keys()}  # noqa: SIM118  # each as often as it is there


class TestTheMessageOfAnInvitation:
    @pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
    def test_each_of_its_lines_is_quoted(self, app, text):
        _, body, _ = render(app, "invitation", Words(message=text))
        quoted = body.partition("Ines Carvalho writes:\n\n")[2].partition("\n\nAccept Invitation:\n\n")[0]
        assert quoted
        assert all(line.startswith(">") for line in quoted.splitlines())
        assert body.count("\nAccept Invitation:\n") == 1

    def test_in_html_it_is_text_in_its_own_paragraph(self, app):
        _, _, html = render(app, "invitation", Words(message="</p></td></table><b>Free</b> & more"))
        assert "&lt;/p&gt;&lt;/td&gt;&lt;/table&gt;&lt;b&gt;Free&lt;/b&gt; &amp; more" in html
        assert Elements(html).named("b") == []

    def test_what_is_written_is_what_is_read(self, app):
        _, body, html = render(app, "invitation", Words(message="Dinner: 8 p.m.\nيوم جيد, Zoë & Co."))
        for part in (body, html.replace("&amp;", "&")):
            assert "8 p.m." in part.replace("\u2060", "")
            assert "يوم جيد, Zoë & Co." in part.replace("\u2060", "")


@pytest.mark.parametrize("message", ["x" * 1000, "漢" * 1000, "<" * 1000], ids=["ascii", "wide", "escaped"])
def test_no_line_on_the_wire_is_longer_than_mail_allows(sent, message):
    arrived, *_ = sent("invitation", Words(message=message))
    assert max(len(line) for line in arrived.as_bytes().split(b"\n")) <= MOST_OCTETS
    assert message in arrived.get_body(("plain",)).get_content().replace("\n> ", "")


@pytest.mark.parametrize("name", [*TEAM_MAILS, *NOTICES])
def test_ten_thousand_letters_leave_a_subject_of_three_hundred(app, name):
    """No row is that long; the mail would still be one."""
    long = "x" * 10_000
    values = dict.fromkeys(("team", "inviter", "member", "owner", "message", "browser"), long)
    subject, text, _ = mail.render(name, values | moment() | {"link": f"{BASE}/l", "role": "admin", "days": 7})
    assert len(subject) <= 300
    assert text.endswith(f"{BASE}\n")


def moment():
    return {"at": EARLIER, "until": EARLIER, "ip": "203.0.113.7", "new_address": "n***@example.com"}


class TestAtTheDoor:
    """What is refused before it is ever written."""

    @pytest.mark.parametrize("message", ["x" * 10_000, "a\x00b", "a\x1b[0m"])
    def test_a_message(self, house, ada, ada_client, message):
        team_id = house.team(ada)
        answer = ada_client.submit(
            f"/teams/{team_id}/invite", _page=f"/teams/{team_id}", email="bob@example.com", message=message
        )
        assert answer.status == (422 if ada_client.is_browser else 400)

    @pytest.mark.parametrize("name", ["x" * 10_000, "Night\r\nBcc: x@example.com", "a\x00b"])
    def test_a_name(self, house, ada_client, name):
        answer = ada_client.submit("/teams", _page="/teams/new", name=name)
        assert answer.status == (422 if ada_client.is_browser else 400)
        answer = ada_client.submit("/auth/account", verb="PATCH", name=name)
        assert answer.status == (422 if ada_client.is_browser else 400)

    @pytest.mark.parametrize(
        "email", ["bob@example.com\r\nBcc: x@example.com", "bob@example.com, x@example.com", "<bob@example.com> x@y"]
    )
    def test_an_address(self, house, ada, ada_client, outbox, email):
        team_id = house.team(ada)
        answer = ada_client.submit(f"/teams/{team_id}/invite", _page=f"/teams/{team_id}", email=email)
        assert answer.status == (422 if ada_client.is_browser else 400)
        assert outbox() == []
